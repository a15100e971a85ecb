import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type LogRow } from '../../sdk/contract/admin/logs.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Cancel, type Clock, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { expiredAges, isFull, type KeptFile, type LogLimits } from './log-retention.ts';
import { encodeLogRow, firstRowAtMs, logFilePath, type LogKind } from './log-store.ts';

/** Long enough to join many rows into one write, short enough that a tail feels live. */
const FLUSH_MS = 40;
/** Between two looks at what is past its time. */
const SWEEP_MS = 600_000;
/** A disk that is full is said to be so no more often. */
const COMPLAIN_MS = 60_000;

interface Pending {
  lines: string[];
  bytes: number;
  dropped: number;
}

/**
 * Appends rows of one kind, for all apps; the only writer of that kind's files. `write` never waits: rows are joined and
 * written a moment later, and beyond logBufferBytesMax of one app they are dropped and counted; so are those that the disk does
 * not take. Not fsynced: after a power loss the newest rows may be missing.
 */
export class LogWriter {
  readonly #directory: string;
  readonly #kind: LogKind;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #limits: LogLimits;
  readonly #pending = new Map<string, Pending>();
  /** When the first row of the file that is written to was, of apps that wrote since the start. */
  readonly #firstAtMs = new Map<string, number>();
  /** Rows that the disk did not take and nobody was told of yet. */
  readonly #lost = new Map<string, number>();
  #complainedMs = -Infinity;
  #cancelFlush: Cancel | undefined;
  #cancelSweep: Cancel = () => undefined;
  #flushing: Promise<void> = Promise.resolve();
  #closed = false;
  #written = 0;
  #dropped = 0;

  constructor(directory: string, kind: LogKind, clock: Clock, timers: Timers, log: Log, limits: LogLimits) {
    this.#directory = directory;
    this.#kind = kind;
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log;
    this.#limits = limits;
  }

  /** Since the start: rows in the files, and rows that did not get there. */
  get counts(): { readonly written: number; readonly dropped: number } {
    return { written: this.#written, dropped: this.#dropped };
  }

  /** Begins to remove what is past its time. */
  start(): void {
    void this.sweep();
    this.#cancelSweep = this.#timers.every(SWEEP_MS, () => void this.sweep());
  }

  /** `appId` must be one that the platform knows: it becomes a directory. */
  write(appId: string, row: LogRow): void {
    if (this.#closed) return;
    let pending = this.#pending.get(appId);
    if (!pending) this.#pending.set(appId, (pending = { lines: [], bytes: 0, dropped: 0 }));
    const line = encodeLogRow(row);
    if (pending.bytes + line.length > LIMITS.logBufferBytesMax) {
      pending.dropped++;
      this.#dropped++;
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

  /** Removes what is past its time, or too much, of all apps that have a log. */
  sweep(): Promise<void> {
    this.#flushing = this.#flushing.then(async () => {
      const appIds = await readdir(this.#directory).catch(() => []);
      for (const appId of appIds) await this.#expire(appId).catch(() => undefined);
    });
    return this.#flushing;
  }

  async close(): Promise<void> {
    this.#cancelSweep();
    await this.flush();
    this.#closed = true;
  }

  async #writeAll(): Promise<void> {
    const batches = [...this.#pending];
    this.#pending.clear();
    for (const [appId, pending] of batches) {
      const rows = pending.lines.length;
      try {
        await this.#append(appId, pending);
        this.#written += rows;
      } catch (error) {
        this.#dropped += rows;
        this.#lost.set(appId, (this.#lost.get(appId) ?? 0) + rows + pending.dropped);
        this.#complain(appId, error);
      }
    }
  }

  async #append(appId: string, { lines, dropped }: Pending): Promise<void> {
    const path = logFilePath(this.#directory, appId, this.#kind);
    const lost = this.#lost.get(appId) ?? 0;
    const notices = [
      ...(lost > 0 ? [`${lost} log rows were lost: the disk did not take them`] : []),
      ...(dropped > 0 ? [`${dropped} log rows were dropped: they came faster than the disk takes them`] : []),
    ];
    const text = [...lines, ...notices.map((notice) => encodeLogRow(this.#notice(notice)))].join('');
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const { before, bytes } = await appendWhole(path, text);
    this.#lost.delete(appId);
    const nowMs = this.#clock.nowMs();
    const known = before === 0 ? nowMs : this.#firstAtMs.get(appId);
    const firstAtMs = known ?? (await firstRowAtMs(path)) ?? nowMs;
    this.#firstAtMs.set(appId, firstAtMs);
    if (isFull({ bytes, firstAtMs }, this.#limits, nowMs)) await this.#rotate(appId);
  }

  async #rotate(appId: string): Promise<void> {
    for (let age = (await this.#files(appId)).length - 1; age >= 0; age--) {
      await rename(this.#path(appId, age), this.#path(appId, age + 1)).catch(ignoreMissing);
    }
    this.#firstAtMs.delete(appId);
    await this.#expire(appId);
  }

  async #expire(appId: string): Promise<void> {
    const ages = expiredAges(await this.#files(appId), this.#limits, this.#clock.nowMs());
    for (const age of ages) await rm(this.#path(appId, age), { force: true });
    if (ages.includes(0)) this.#firstAtMs.delete(appId);
  }

  /** By age; the one that is written to may be missing. */
  async #files(appId: string): Promise<KeptFile[]> {
    const files: KeptFile[] = [];
    for (let age = 0; ; age++) {
      const entry = await stat(this.#path(appId, age)).catch(() => undefined);
      if (entry) files.push({ age, bytes: entry.size, writtenAtMs: entry.mtimeMs });
      else if (age > 0) return files;
    }
  }

  #path(appId: string, age: number): string {
    return logFilePath(this.#directory, appId, this.#kind, age);
  }

  #complain(appId: string, error: unknown): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#complainedMs < COMPLAIN_MS) return;
    this.#complainedMs = nowMs;
    this.#log.warn("Rows of an app's log could not be written, and are lost", { appId, kind: this.#kind, error });
  }

  #notice(text: string): LogRow {
    return { kind: 'app', atMs: this.#clock.nowMs(), service: '', version: '', instanceId: '', stream: 'system', text };
  }
}

/** The file's size before and afterwards. What fits only in part is taken back: the next row must not be glued to it. */
async function appendWhole(path: string, text: string): Promise<{ readonly before: number; readonly bytes: number }> {
  const file = await open(path, 'a', 0o600);
  try {
    const { size } = await file.stat();
    try {
      await file.writeFile(text);
    } catch (error) {
      await file.truncate(size).catch(() => undefined);
      throw error;
    }
    return { before: size, bytes: (await file.stat()).size };
  } finally {
    await file.close();
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
}
