import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type RequestLogRow, type RequestLogSink } from '../../router/ports.ts';
import { type LogRow } from '../../sdk/contract/admin/admin.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Cancel, type Clock, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type InstanceLogRow, type InstanceLogSink } from '../host/instance-log.ts';
import { encodeLogRow, logFilePath, type LogKind } from './log-store.ts';

/** Long enough to join many rows into one write, short enough that a tail feels live. */
const FLUSH_MS = 40;

interface Pending {
  lines: string[];
  bytes: number;
  dropped: number;
}

/**
 * Appends rows of one kind, for all apps; the only writer of that kind's files. `write` never waits: rows are joined and
 * written a moment later, and beyond logBufferBytesMax of one app they are dropped and counted. Not fsynced: after a
 * power loss the newest rows may be missing.
 */
export class LogWriter {
  readonly #directory: string;
  readonly #kind: LogKind;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #pending = new Map<string, Pending>();
  #cancelFlush: Cancel | undefined;
  #flushing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(directory: string, kind: LogKind, clock: Clock, timers: Timers, log: Log) {
    this.#directory = directory;
    this.#kind = kind;
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log;
  }

  /** `appId` must be one that the platform knows: it becomes a directory. */
  write(appId: string, row: LogRow): void {
    if (this.#closed) return;
    let pending = this.#pending.get(appId);
    if (!pending) this.#pending.set(appId, (pending = { lines: [], bytes: 0, dropped: 0 }));
    const line = encodeLogRow(row);
    if (pending.bytes + line.length > LIMITS.logBufferBytesMax) {
      pending.dropped++;
      return;
    }
    pending.lines.push(line);
    pending.bytes += line.length;
    this.#cancelFlush ??= this.#timers.after(FLUSH_MS, () => {
      void this.flush();
    });
  }

  /** Resolves when all rows written so far are in the files. */
  flush(): Promise<void> {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    this.#flushing = this.#flushing.then(() => this.#writeAll());
    return this.#flushing;
  }

  async close(): Promise<void> {
    await this.flush();
    this.#closed = true;
  }

  async #writeAll(): Promise<void> {
    const batches = [...this.#pending];
    this.#pending.clear();
    for (const [appId, pending] of batches) {
      try {
        await this.#append(appId, pending);
      } catch (error) {
        this.#log.warn("Rows of an app's log could not be written", { appId, kind: this.#kind, rows: pending.lines.length, error });
      }
    }
  }

  async #append(appId: string, { lines, dropped }: Pending): Promise<void> {
    const path = logFilePath(this.#directory, appId, this.#kind);
    if (dropped > 0) lines.push(encodeLogRow(this.#droppedRow(dropped)));
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, 'a', 0o600);
    let bytes: number;
    try {
      await file.writeFile(lines.join(''));
      bytes = (await file.stat()).size;
    } finally {
      await file.close();
    }
    if (bytes >= LIMITS.logFileBytesMax) await this.#rotate(appId);
  }

  async #rotate(appId: string): Promise<void> {
    const path = (age: number): string => logFilePath(this.#directory, appId, this.#kind, age);
    await rm(path(LIMITS.logFilesMax), { force: true });
    for (let age = LIMITS.logFilesMax - 1; age >= 0; age--) await rename(path(age), path(age + 1)).catch(ignoreMissing);
  }

  #droppedRow(dropped: number): LogRow {
    const text = `${dropped} log rows were dropped: they came faster than the disk takes them`;
    return { kind: 'app', atMs: this.#clock.nowMs(), service: '', version: '', instanceId: '', stream: 'system', text };
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
}

/** What instances print, into the log store. */
export class InstanceLogStore implements InstanceLogSink {
  readonly #writer: LogWriter;

  constructor(writer: LogWriter) {
    this.#writer = writer;
  }

  write({ appId, ...row }: InstanceLogRow): void {
    this.#writer.write(appId, { kind: 'app', ...row });
  }
}

/** One row for each request, into the log store; requests that reached no app have none. */
export class RequestLogStore implements RequestLogSink {
  readonly #writer: LogWriter;

  constructor(writer: LogWriter) {
    this.#writer = writer;
  }

  write(row: RequestLogRow): void {
    if (row.appId === '') return;
    const { service, version, requestId, method, target, status, latencyMs, responseBytes, isLoadingRequest } = row;
    this.#writer.write(row.appId, {
      kind: 'request',
      atMs: row.startedAtMs,
      service,
      version,
      requestId,
      method,
      target,
      status,
      latencyMs,
      responseBytes,
      isLoadingRequest,
      ...(row.instanceId === undefined ? {} : { instanceId: row.instanceId }),
      ...(row.errorCode === undefined ? {} : { errorCode: row.errorCode }),
      ...(row.queueName === undefined ? {} : { queueName: row.queueName }),
      ...(row.taskName === undefined ? {} : { taskName: row.taskName }),
    });
  }
}
