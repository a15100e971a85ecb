// The control plane: apps, versions, traffic, and deploys that change them.
// It must not start processes (the host does) nor answer app requests (the router does): it decides and records.
// Read next: app-registry.ts (what is recorded), deployer.ts (how a version comes to be), route-feed.ts (who is told).
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Clock, type Random } from '../../sdk/support/clock.ts';
import { syncDirectory } from '../../sdk/support/durable-files.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type BlobReader } from '../../router/ports.ts';
import { forEachBounded } from './tree-copy.ts';

const SHA256 = /^[0-9a-f]{64}$/;
/** Content never changes once it is named by its hash. */
const BLOB_MODE = 0o444;

/**
 * Immutable content by its SHA-256, as files DIRECTORY/ab/ab12…; half-written ones lie in DIRECTORY/incoming. A blob is
 * there whole or not at all: it is written aside, checked, fsynced and renamed. Any number of writers may write the same.
 * What was put survives a power loss once `sync` has resolved.
 */
export class BlobStore implements BlobReader {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #random: Random;
  /** Directories with names that are not on disk for certain. */
  #unsynced = new Set<string>();

  constructor(directory: string, clock: Clock, random: Random) {
    this.#directory = directory;
    this.#clock = clock;
    this.#random = random;
  }

  /** Makes the directory and removes what a dead process left half written. */
  async start(): Promise<void> {
    await rm(this.#incoming, { recursive: true, force: true });
    await mkdir(this.#incoming, { recursive: true });
  }

  /** Path of the blob's file, whether it exists or not. Throws INVALID_ARGUMENT when `sha256` is no hash. */
  pathOf(sha256: string): string {
    if (!SHA256.test(sha256)) throw new PlatformError('INVALID_ARGUMENT', 'a SHA-256 in 64 lower-case hex digits is wanted');
    return join(this.#directory, sha256.slice(0, 2), sha256);
  }

  async has(sha256: string): Promise<boolean> {
    return stat(this.pathOf(sha256)).then(
      (entry) => entry.isFile(),
      () => false,
    );
  }

  /** Those of `hashes` that are not here, each once, in order. */
  async missing(hashes: Iterable<string>): Promise<string[]> {
    const wanted = [...new Set(hashes)];
    const found = new Set<string>();
    await forEachBounded(wanted, async (sha256) => {
      if (await this.has(sha256)) found.add(sha256);
    });
    return wanted.filter((sha256) => !found.has(sha256));
  }

  /**
   * Stores what `content` yields. Throws UPLOAD_REFUSED when it is not exactly `bytes` long or has another hash;
   * nothing stays behind then.
   */
  async put(sha256: string, bytes: number, content: AsyncIterable<Uint8Array>): Promise<void> {
    const target = this.pathOf(sha256);
    const temporary = join(this.#incoming, this.#random.bytes(12).toString('hex'));
    try {
      await this.#receive(temporary, sha256, bytes, content);
      await mkdir(dirname(target), { recursive: true });
      await rename(temporary, target);
      this.#unsynced.add(dirname(target)).add(this.#directory);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  /** Makes everything that was put so far survive a power loss: one fsync for each directory, not for each blob. */
  async sync(): Promise<void> {
    const directories = this.#unsynced;
    this.#unsynced = new Set();
    try {
      await forEachBounded(directories, syncDirectory);
    } catch (error) {
      for (const directory of directories) this.#unsynced.add(directory);
      throw error;
    }
  }

  /** Stores a small blob of the platform's own; returns its hash. */
  async putText(text: string): Promise<string> {
    const bytes = Buffer.from(text);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    if (!(await this.has(sha256))) await this.put(sha256, bytes.length, chunksOf(bytes));
    return sha256;
  }

  /** Throws UPLOAD_INCOMPLETE when the blob is not here. */
  async readText(sha256: string): Promise<string> {
    try {
      return await readFile(this.pathOf(sha256), 'utf8');
    } catch (cause) {
      if (isMissing(cause)) throw new PlatformError('UPLOAD_INCOMPLETE', `the content ${sha256} is not stored`, { cause });
      throw cause;
    }
  }

  read(sha256: string): AsyncIterable<Uint8Array> {
    return createReadStream(this.pathOf(sha256));
  }

  /** Removes blobs older than `ageMs` that `isUsed` does not want; returns how many. */
  async sweep(ageMs: number, isUsed: (sha256: string) => boolean): Promise<number> {
    const beforeMs = this.#clock.nowMs() - ageMs;
    let removed = 0;
    for (const group of await readdir(this.#directory)) {
      if (!/^[0-9a-f]{2}$/.test(group)) continue;
      for (const name of await readdir(join(this.#directory, group))) {
        if (!SHA256.test(name) || isUsed(name)) continue;
        const path = this.pathOf(name);
        const entry = await stat(path).catch(() => undefined);
        if (!entry || entry.mtimeMs >= beforeMs) continue;
        await rm(path, { force: true });
        removed++;
      }
    }
    return removed;
  }

  get #incoming(): string {
    return join(this.#directory, 'incoming');
  }

  async #receive(path: string, sha256: string, bytes: number, content: AsyncIterable<Uint8Array>): Promise<void> {
    const hash = createHash('sha256');
    const file = await open(path, 'wx', BLOB_MODE);
    try {
      let received = 0;
      for await (const chunk of content) {
        received += chunk.length;
        // Checked before it is written: a liar fills no disk.
        if (received > bytes) throw refused(`more than the ${bytes} bytes announced for ${sha256} came`);
        hash.update(chunk);
        await file.writeFile(chunk);
      }
      if (received !== bytes) throw refused(`${received} of the ${bytes} bytes announced for ${sha256} came`);
      if (hash.digest('hex') !== sha256) throw refused(`the content is not what its hash ${sha256} says; did the file change meanwhile?`);
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

// eslint-disable-next-line @typescript-eslint/require-await -- a stream of one chunk has nothing to wait for
async function* chunksOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

function refused(reason: string): PlatformError {
  return new PlatformError('UPLOAD_REFUSED', reason);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
