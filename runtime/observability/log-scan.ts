// One kind of log read backwards from a place, block by block: only lines that may fit are parsed.
import { type FileHandle } from 'node:fs/promises';
import { type LogRow } from '../../sdk/contract/admin/logs.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type LogPlace } from './log-cursor.ts';
import { type LogFiles } from './log-files.ts';
import { type LogFilter, writtenAtMs } from './log-filter.ts';
import { decodeLogRow } from './log-store.ts';

const BLOCK_BYTES = 64 * 1024;
/** A line that is longer is no row of ours: it is passed over. */
const LINE_BYTES_MAX = 1024 * 1024;
const LINE_END = 10;

interface Found {
  readonly row: LogRow;
  /** Where its line begins, and how long that is. */
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Rows that fit, newest first. `head` is the next one; while it is undefined and the scan is not over, `more` looks into
 * one more block. Close it.
 */
export class LogScan {
  readonly #files: LogFiles;
  readonly #filter: LogFilter;
  #file: FileHandle | undefined;
  #place: LogPlace;
  /** Bytes behind the place that belong to a line whose begin is not read yet. */
  #tail = Buffer.alloc(0);
  #found: Found[] = [];
  /** Behind what was taken last. */
  #taken: LogPlace;
  #isOver = false;

  constructor(files: LogFiles, filter: LogFilter, from: LogPlace) {
    this.#files = files;
    this.#filter = filter;
    this.#place = from;
    this.#taken = from;
  }

  get head(): LogRow | undefined {
    return this.#found.at(-1)?.row;
  }

  /** Whether nothing is left but what was found. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Where another scan goes on with what was not taken; undefined when there is nothing. */
  get rest(): LogPlace | undefined {
    if (this.#isOver && this.#found.length === 0) return undefined;
    return this.#found.length > 0 ? this.#taken : { inode: this.#place.inode, offset: this.#place.offset + this.#tail.length };
  }

  /** The row, and the place behind it. */
  take(): { readonly row: LogRow; readonly bytes: number; readonly behind: LogPlace } | undefined {
    const found = this.#found.pop();
    if (!found) return undefined;
    const { inode } = this.#taken;
    this.#taken = { inode, offset: found.offset };
    return { row: found.row, bytes: found.bytes, behind: { inode, offset: found.offset + found.bytes } };
  }

  /** Call it while there is no head. */
  async more(): Promise<void> {
    if (this.#isOver) return;
    if (!this.#file && !(await this.#open())) {
      this.#isOver = true;
      return;
    }
    if (this.#place.offset === 0) await this.#older();
    else await this.#block();
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #open(): Promise<boolean> {
    const { inode, offset } = this.#place;
    // No file was written to when the place was taken: there may be rotated ones.
    const file = inode === 0 ? await this.#files.at(1) : await this.#files.find(inode);
    this.#file = file && (await this.#files.open(file.inode));
    if (!file || !this.#file) return false;
    this.#place = { inode: file.inode, offset: inode === 0 ? file.bytes : Math.min(offset, file.bytes) };
    this.#taken = this.#place;
    if (await this.#isTooNew(this.#file)) this.#place = { inode: file.inode, offset: 0 };
    return true;
  }

  async #older(): Promise<void> {
    const { inode } = this.#place;
    await this.close();
    this.#tail = Buffer.alloc(0);
    const older = await this.#files.before(inode);
    if (older) this.#place = { inode: older.inode, offset: older.bytes };
    else this.#isOver = true;
  }

  async #block(): Promise<void> {
    const { inode, offset } = this.#place;
    const start = Math.max(0, offset - BLOCK_BYTES);
    const block = Buffer.alloc(offset - start + this.#tail.length);
    await this.#file?.read(block, 0, offset - start, start);
    this.#tail.copy(block, offset - start);
    this.#place = { inode, offset: start };
    const first = start === 0 ? 0 : block.indexOf(LINE_END) + 1;
    if (start > 0 && first === 0) {
      this.#tail = block.length > LINE_BYTES_MAX ? Buffer.alloc(0) : block;
      return;
    }
    this.#tail = Buffer.from(block.subarray(0, first));
    this.#taken = { inode, offset: start + block.length };
    const lines = block.subarray(first);
    if (this.#mayFit(lines)) this.#found = this.#fitting(lines, start + first);
    this.#stopBefore(lines);
  }

  #mayFit(lines: Buffer): boolean {
    const { needles } = this.#filter;
    return needles.length === 0 || needles.some((needle) => lines.includes(needle));
  }

  /** In the order of the file, so that the newest is the last. */
  #fitting(lines: Buffer, offset: number): Found[] {
    const found: Found[] = [];
    const { needles } = this.#filter;
    for (let start = 0; start < lines.length;) {
      const end = lines.indexOf(LINE_END, start);
      const behind = end < 0 ? lines.length : end + 1;
      const line = lines.subarray(start, behind);
      if (needles.length === 0 || this.#mayFit(line)) {
        const row = decodeLogRow(line.toString('utf8'));
        if (row && this.#filter.fits(row)) found.push({ row, offset: offset + start, bytes: line.length });
      }
      start = behind;
    }
    return found;
  }

  /** Rows are in the order of their writing: once one was written too early, all before it were. */
  #stopBefore(lines: Buffer): void {
    if (this.#filter.sinceMs === -Infinity) return;
    const row = decodeLogRow(lines.toString('utf8', 0, lines.indexOf(LINE_END)));
    if (row && writtenAtMs(row) + LIMITS.logTimeSlackMs < this.#filter.sinceMs) this.#isOver = true;
  }

  /** Whether all of the file was written later than a row that is wanted can have been: a request is written at its end. */
  async #isTooNew(file: FileHandle): Promise<boolean> {
    if (this.#filter.untilMs === Infinity) return false;
    const block = Buffer.alloc(BLOCK_BYTES);
    const { bytesRead } = await file.read(block, 0, block.length, 0);
    const row = decodeLogRow(block.toString('utf8', 0, Math.max(0, block.subarray(0, bytesRead).indexOf(LINE_END))));
    return row !== undefined && writtenAtMs(row) - REQUEST_MS_MAX > this.#filter.untilMs;
  }
}

/** Requests of manual and basic scaling may take a day. */
const REQUEST_MS_MAX = 24 * 3_600_000;
