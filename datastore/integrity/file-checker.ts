// The files below the rows: blocks with wrong checksums, which LevelDB itself would read as they are.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Finding } from '../../sdk/contract/admin/integrity.ts';
import { type Clock, sleep, type Timers } from '../../sdk/support/clock.ts';
import { damageOfTable } from '../storage/table-file.ts';

export interface FileStep {
  readonly files: number;
  readonly bytes: number;
  readonly findings: readonly Finding[];
  /** Behind which file the next step begins; absent behind the last one. */
  readonly next?: string;
}

const TABLE = /^\d+\.(ldb|sst)$/;
/** A file that is younger may still be being written. */
const YOUNG_MS = 5_000;
const PAUSE_MS = 500;

export class FileChecker {
  readonly #directory: string | undefined;
  readonly #clock: Clock;
  readonly #timers: Timers;

  /** Without a directory there are no files. */
  constructor(directory: string | undefined, clock: Clock, timers: Timers) {
    this.#directory = directory;
    this.#clock = clock;
    this.#timers = timers;
  }

  /** One table file, in the order of names. Those that come or go meanwhile do not count. */
  async step(after = ''): Promise<FileStep> {
    const directory = this.#directory;
    if (directory === undefined) return { files: 0, bytes: 0, findings: [] };
    const names = (await readdir(directory)).filter((name) => TABLE.test(name) && name > after).sort();
    const [name] = names;
    if (name === undefined) return { files: 0, bytes: 0, findings: [] };
    const { bytes, damage } = await this.#look(join(directory, name));
    const finding: Finding = { problem: 'store-unreadable', family: 'file', row: name, rowKey: '', detail: damage ?? '' };
    return { files: 1, bytes, findings: damage === undefined ? [] : [finding], ...(names.length > 1 ? { next: name } : {}) };
  }

  async #look(path: string): Promise<{ readonly bytes: number; readonly damage?: string }> {
    for (;;) {
      try {
        const damage = await damageOfTable(path);
        const { size, mtimeMs } = await stat(path);
        if (damage === undefined) return { bytes: size };
        if (this.#clock.nowMs() - mtimeMs > YOUNG_MS) return { bytes: size, damage };
      } catch (error) {
        // Compaction has replaced it.
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { bytes: 0 };
        throw error;
      }
      await sleep(this.#timers, PAUSE_MS);
    }
  }
}
