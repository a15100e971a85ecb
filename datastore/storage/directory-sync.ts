// Makes the names of LevelDB's files durable. LevelDB syncs what it writes into a new log, but not the directory that names
// the log: until the next change of its manifest a power loss may take the whole file, with every commit that was acknowledged
// out of it (tests/faulty-disk loses them without this). So after a write the directory is synced if its names have changed.
import { statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock } from '../../sdk/support/clock.ts';
import { syncDirectory } from '../../sdk/support/durable-files.ts';

/** Kernels stamp files by a clock of their own, which moves in steps of up to 10 ms: two changes within one look like one. */
const STAMP_STEP_MS = 50;

export class DirectorySync {
  readonly #path: string;
  readonly #clock: Clock;
  #handle: FileHandle | undefined;
  /** When the directory had last changed, as of the last sync; none while it may change again unseen. */
  #syncedNs: bigint | undefined;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /** Makes the directory's own name durable too. */
  async start(): Promise<void> {
    await syncDirectory(dirname(this.#path));
    this.#handle = await open(this.#path, 'r');
    this.#syncedNs = undefined;
    await this.sync();
  }

  /** Resolves when all names that the directory has now are durable. Throws what the disk says. */
  async sync(): Promise<void> {
    const changed = statSync(this.#path, { bigint: true });
    if (changed.mtimeNs === this.#syncedNs) return;
    const isSettled = this.#clock.nowMs() - Number(changed.mtimeMs) > STAMP_STEP_MS;
    await this.#handle?.sync();
    this.#syncedNs = isSettled ? changed.mtimeNs : undefined;
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }
}
