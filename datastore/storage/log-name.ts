// Makes the name of LevelDB's log durable. LevelDB syncs what it writes into a new log, but not the directory that names it: until
// the next change of its manifest a power loss may take the whole file, with every commit that was acknowledged out of it
// (tests/faulty-disk loses them without this). It begins a log when the memtable is full, and tells nobody; but a batch always goes
// into one log, so when the known one has not grown by a batch, there is another.
import { fstatSync } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../../sdk/support/durable-files.ts';

const LOG_NAME = /^(\d+)\.log$/;

export class LogName {
  readonly #directory: string;
  /** The log whose name is durable, and its size after the last batch. */
  #known: { readonly name: string; readonly file: FileHandle; bytes: number } | undefined;

  /** `directory` is the database's. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Call it when the database is open. Makes the directory's own name durable too. */
  async start(): Promise<void> {
    await syncDirectory(dirname(this.#directory));
    await this.#learn();
  }

  /** Call it after each batch, one at a time. Resolves when the name of the log that has it is durable. Throws what the disk says. */
  async afterBatch(): Promise<void> {
    const known = this.#known;
    if (known) {
      const { size } = fstatSync(known.file.fd);
      if (size > known.bytes) {
        known.bytes = size;
        return;
      }
    }
    await this.#learn();
  }

  async close(): Promise<void> {
    const known = this.#known;
    this.#known = undefined;
    await known?.file.close();
  }

  async #learn(): Promise<void> {
    const name = newestLog(await readdir(this.#directory));
    if (name === this.#known?.name) return;
    await syncDirectory(this.#directory);
    await this.close();
    if (name === undefined) return;
    const file = await open(join(this.#directory, name), 'r');
    this.#known = { name, file, bytes: fstatSync(file.fd).size };
  }
}

/** By its number, which grows. */
function newestLog(names: readonly string[]): string | undefined {
  let newest: { readonly name: string; readonly number: number } | undefined;
  for (const name of names) {
    const number = Number(LOG_NAME.exec(name)?.[1] ?? NaN);
    if (number > (newest?.number ?? -1)) newest = { name, number };
  }
  return newest?.name;
}
