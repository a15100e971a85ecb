// How long logs are kept, and how much of them. Pure.
import { LIMITS } from '../../sdk/contract/limits.ts';

export interface LogLimits {
  /** Of one app and kind, all files together. */
  readonly bytesMax: number;
  /** Since a row was written. */
  readonly retentionMs: number;
}

export interface KeptFile {
  /** 0: the one that is written to. */
  readonly age: number;
  readonly bytes: number;
  /** When its last row was written. */
  readonly writtenAtMs: number;
}

/** Parts that a log is cut into, so that what goes is a small part of it. */
const PARTS_BY_SIZE = 8;
const PARTS_BY_TIME = 10;

/** Of one app, without what the operator chose. */
export const LOG_LIMITS_DEFAULT: LogLimits = {
  bytesMax: LIMITS.logAppBytesDefault / 2,
  retentionMs: LIMITS.logRetentionMsDefault,
};

/** Whether the file that is written to has to become a rotated one. */
export function isFull(file: { readonly bytes: number; readonly firstAtMs: number }, limits: LogLimits, nowMs: number): boolean {
  if (file.bytes >= Math.min(LIMITS.logFileBytesMax, limits.bytesMax / PARTS_BY_SIZE)) return true;
  return file.bytes > 0 && nowMs - file.firstAtMs >= limits.retentionMs / PARTS_BY_TIME;
}

/** Ages of the files that go, the oldest first: those past their time, and then as many as are too much. */
export function expiredAges(files: readonly KeptFile[], limits: LogLimits, nowMs: number): number[] {
  const oldestFirst = [...files].sort((a, b) => b.age - a.age);
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const expired: number[] = [];
  for (const file of oldestFirst) {
    const isPast = nowMs - file.writtenAtMs > limits.retentionMs;
    const isTooMuch = file.age > 0 && (bytes > limits.bytesMax || file.age > LIMITS.logFilesMax);
    if (!isPast && !isTooMuch) break;
    expired.push(file.age);
    bytes -= file.bytes;
  }
  return expired;
}
