// The apps' logs on disk: what they print, and one row for each request. What one process writes, others read.
//
//   DIRECTORY/<appId>/app.jsonl        written by the host
//   DIRECTORY/<appId>/request.jsonl    written by the router
//   DIRECTORY/<appId>/app.1.jsonl …    rotated, 1 the newest; which go when: log-retention.ts
//   file := (LogRow as JSON "\n")*     a last line without its end is still being written
//
// Read next: log-store-writer.ts, log-store-reader.ts.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type LogRow } from '../../sdk/contract/admin/logs.ts';

export type LogKind = LogRow['kind'];

export const LOG_KINDS: readonly LogKind[] = ['app', 'request'];

/** Path of the file that is written to (0), or of a rotated one. `appId` must have been checked. */
export function logFilePath(directory: string, appId: string, kind: LogKind, age = 0): string {
  return join(directory, appId, age === 0 ? `${kind}.jsonl` : `${kind}.${age}.jsonl`);
}

export function encodeLogRow(row: LogRow): string {
  return `${JSON.stringify(row)}\n`;
}

/** Undefined when the line is not a row: cut off by a crash, or edited by hand. */
export function decodeLogRow(line: string): LogRow | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isLogRow(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const FIRST_ROW_BYTES_MAX = 64 * 1024;

/** Of the first row of a file; undefined when it has none. */
export async function firstRowAtMs(path: string): Promise<number | undefined> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return undefined;
  try {
    const buffer = Buffer.alloc(FIRST_ROW_BYTES_MAX);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return decodeLogRow(buffer.toString('utf8', 0, bytesRead).split('\n', 1)[0] ?? '')?.atMs;
  } finally {
    await file.close();
  }
}

function isLogRow(value: unknown): value is LogRow {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, atMs, service, version } = value as Readonly<Record<string, unknown>>;
  const isKind = kind === 'app' || kind === 'request';
  return isKind && typeof atMs === 'number' && typeof service === 'string' && typeof version === 'string';
}
