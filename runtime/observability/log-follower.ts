// Follows one kind of log as it grows, over rotations: each complete line once.
import { type LogRow } from '../../sdk/contract/admin/logs.ts';
import { type LogPlace } from './log-cursor.ts';
import { type LogFiles } from './log-files.ts';
import { decodeLogRow } from './log-store.ts';

/** Between two rounds: a flood is read in rounds too. */
const ROUND_BYTES_MAX = 1024 * 1024;
const LINE_END = 10;

export class LogFollower {
  readonly #files: LogFiles;
  #place: LogPlace;

  /** Without a place, from before the first row that comes. */
  constructor(files: LogFiles, from: LogPlace = { inode: 0, offset: 0 }) {
    this.#files = files;
    this.#place = from;
  }

  /** Behind the last line that was returned. */
  get place(): LogPlace {
    return this.#place;
  }

  async newRows(): Promise<LogRow[]> {
    const current = await this.#files.current();
    if (this.#place.inode === 0) {
      // There was none when the follower began: all that there are came since.
      const first = await this.#files.oldest();
      if (!first) return [];
      this.#place = { inode: first.inode, offset: 0 };
    }
    const file = current?.inode === this.#place.inode ? current : await this.#files.find(this.#place.inode);
    // Removed, or its inode is that of a younger file: go on with the file that is written to.
    if (!file || file.bytes < this.#place.offset) {
      if (current) this.#place = { inode: current.inode, offset: 0 };
      return [];
    }
    if (file.bytes > this.#place.offset) return this.#read();
    if (file.age > 0) {
      const next = await this.#files.at(file.age - 1);
      // Another rotation in between would make `next` the one after it.
      if (next && (await this.#files.find(this.#place.inode))?.age === file.age) this.#place = { inode: next.inode, offset: 0 };
    }
    return [];
  }

  async #read(): Promise<LogRow[]> {
    const { inode, offset } = this.#place;
    const file = await this.#files.open(inode);
    if (!file) return [];
    try {
      const buffer = Buffer.alloc(ROUND_BYTES_MAX);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
      const end = buffer.subarray(0, bytesRead).lastIndexOf(LINE_END) + 1;
      // A line longer than a round is no row of ours: pass over it rather than wait for its end for ever.
      this.#place = { inode, offset: offset + (end === 0 && bytesRead === ROUND_BYTES_MAX ? bytesRead : end) };
      const lines = buffer.toString('utf8', 0, end).split('\n');
      return lines.map(decodeLogRow).filter((row) => row !== undefined);
    } finally {
      await file.close();
    }
  }
}
