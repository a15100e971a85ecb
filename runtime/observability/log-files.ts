// The files of one kind of one app's log, found by inode: rotation renames them while others read.
import { type FileHandle, open, stat } from 'node:fs/promises';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { logFilePath, type LogKind } from './log-store.ts';

/** While a rotation renames one file after the other, one number has no file. */
const GAPS_MAX = 1;
/** Longer than any row of ours. */
const TAIL_BYTES_MAX = 1024 * 1024;
const LINE_END = 10;

export interface LogFile {
  readonly inode: number;
  readonly bytes: number;
  /** 0: the one that is written to. */
  readonly age: number;
}

export class LogFiles {
  readonly #directory: string;
  readonly #appId: string;
  readonly #kind: LogKind;

  /** `appId` must have been checked. */
  constructor(directory: string, appId: string, kind: LogKind) {
    this.#directory = directory;
    this.#appId = appId;
    this.#kind = kind;
  }

  /** The one that is written to; undefined before the first row, and for a moment while it is rotated. */
  current(): Promise<LogFile | undefined> {
    return this.at(0);
  }

  async at(age: number): Promise<LogFile | undefined> {
    const entry = await stat(this.#path(age)).catch(() => undefined);
    return entry ? { inode: entry.ino, bytes: entry.size, age } : undefined;
  }

  async find(inode: number): Promise<LogFile | undefined> {
    return this.#first((file) => file.inode === inode, 0);
  }

  async oldest(): Promise<LogFile | undefined> {
    let oldest: LogFile | undefined;
    await this.#first((file) => {
      oldest = file;
      return false;
    }, 0);
    return oldest;
  }

  /** The next older one; undefined when there is none, or the file itself is gone. */
  async before(inode: number): Promise<LogFile | undefined> {
    const file = await this.find(inode);
    return file && this.#first((each) => each.inode !== inode, file.age + 1);
  }

  /** Opens it wherever it is now; undefined when it is gone. */
  async open(inode: number): Promise<FileHandle | undefined> {
    const file = await this.find(inode);
    const handle = file && (await open(this.#path(file.age), 'r').catch(() => undefined));
    if (!handle) return undefined;
    if ((await handle.stat()).ino === inode) return handle;
    await handle.close();
    return undefined;
  }

  /** Behind the last complete line of the file that is written to; inode 0 when there is none. */
  async end(): Promise<{ readonly inode: number; readonly offset: number }> {
    const current = await this.current();
    const file = current && (await this.open(current.inode));
    if (!file) return { inode: 0, offset: 0 };
    try {
      const { size } = await file.stat();
      const tail = Buffer.alloc(Math.min(size, TAIL_BYTES_MAX));
      const { bytesRead } = await file.read(tail, 0, tail.length, size - tail.length);
      const lineEnd = tail.subarray(0, bytesRead).lastIndexOf(LINE_END);
      return { inode: current.inode, offset: size - tail.length + lineEnd + 1 };
    } finally {
      await file.close();
    }
  }

  async #first(test: (file: LogFile) => boolean, fromAge: number): Promise<LogFile | undefined> {
    let gaps = 0;
    for (let age = fromAge; age <= LIMITS.logFilesMax && gaps <= GAPS_MAX; age++) {
      const file = await this.at(age);
      if (!file) gaps++;
      else if (test(file)) return file;
    }
    return undefined;
  }

  #path(age: number): string {
    return logFilePath(this.#directory, this.#appId, this.#kind, age);
  }
}
