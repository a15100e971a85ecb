// What builds made, by the key that their language gives: packages are installed once for each lock file.
//
//   DIRECTORY/<key>/<number>     the outputs in the language's order; a number is absent when there was no such output
import { lstat, mkdir, readdir, realpath, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Clock, type Random } from '../../sdk/support/clock.ts';
import { linkTree } from './tree-copy.ts';

const KEY = /^[0-9a-f]{8,128}$/;
const INCOMING = 'incoming-';

/** Entries share their files with bundles by hard link: both are read-only to instances. */
export class BuildCache {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(directory: string, clock: Clock, random: Random) {
    this.#directory = directory;
    this.#clock = clock;
    this.#random = random;
  }

  /** Removes what a dead process left half written. */
  async start(): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    for (const name of await readdir(this.#directory)) {
      if (!KEY.test(name)) await rm(join(this.#directory, name), { recursive: true, force: true });
    }
  }

  /** Puts the outputs of `key` into the bundle; false when there are none kept. */
  async restore(key: string, outputs: readonly string[], bundle: string): Promise<boolean> {
    const entry = this.#entryOf(key);
    if (!(await isThere(entry))) return false;
    const kept = new Set(await readdir(entry));
    for (const [index, output] of outputs.entries()) {
      const target = join(bundle, output);
      await rm(target, { recursive: true, force: true });
      if (!kept.has(String(index))) continue;
      await mkdir(dirname(target), { recursive: true });
      await linkTree(join(entry, String(index)), target);
    }
    const now = new Date(this.#clock.nowMs());
    await utimes(entry, now, now);
    return true;
  }

  /** Keeps the outputs that a build made in `bundle`; the longest unused entries beyond buildCacheEntriesMax go. */
  async save(key: string, outputs: readonly string[], bundle: string): Promise<void> {
    const incoming = join(this.#directory, `${INCOMING}${this.#random.bytes(8).toString('hex')}`);
    try {
      await mkdir(incoming);
      const root = await realpath(bundle);
      for (const [index, output] of outputs.entries()) {
        const path = join(root, output);
        if (await isWithin(root, path)) await linkTree(path, join(incoming, String(index)));
      }
      // Another deploy may have kept the same meanwhile: then ours is the spare one.
      await rename(incoming, this.#entryOf(key)).catch(() => undefined);
    } finally {
      await rm(incoming, { recursive: true, force: true });
    }
    await this.#evict();
  }

  async #evict(): Promise<void> {
    const names = (await readdir(this.#directory)).filter((name) => KEY.test(name));
    const entries = await Promise.all(
      names.map(async (name) => ({ name, usedAtMs: (await stat(join(this.#directory, name)).catch(() => undefined))?.mtimeMs ?? 0 })),
    );
    entries.sort((a, b) => b.usedAtMs - a.usedAtMs);
    for (const { name } of entries.slice(LIMITS.buildCacheEntriesMax))
      await rm(join(this.#directory, name), { recursive: true, force: true });
  }

  #entryOf(key: string): string {
    if (!KEY.test(key)) throw new Error(`Broken invariant: a build cache key is hex, not ${JSON.stringify(key)}`);
    return join(this.#directory, key);
  }
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Whether `path` is there as itself, and no link on its way leads out of `root`: a build may have put one there. */
async function isWithin(root: string, path: string): Promise<boolean> {
  const parent = await realpath(dirname(path)).catch(() => undefined);
  if (parent === undefined || (parent !== root && !parent.startsWith(`${root}/`))) return false;
  return lstat(path).then(
    (entry) => !entry.isSymbolicLink(),
    () => false,
  );
}
