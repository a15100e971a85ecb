// An app's directory as a developer changes it: what would go up in a deploy, told apart by size and time alone, and a
// watch on the directories that hold it.
import { type FSWatcher, watch } from 'node:fs';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Cancel, type Timers } from '../support/clock.ts';
import { manualPart } from '../contract/app-manifest/generated-indexes.ts';
import { INDEX_YAML } from '../contract/app-manifest/index-yaml.ts';
import { UNFINISHED } from '../support/durable-files.ts';
import { IGNORE_FILE, ignoreRules } from './app-directory.ts';

export interface SourceTree {
  /** Directories that hold files, the top one included; absolute. */
  readonly directories: readonly string[];
  /** Another one when a file came, went or changed. */
  readonly fingerprint: string;
}

/** Files that come and go meanwhile are as good as not there. */
export async function readSourceTree(root: string): Promise<SourceTree> {
  const rules = await ignoreRules(root);
  const hash = createHash('sha256');
  const directories: string[] = [];
  const visit = async (below: string): Promise<void> => {
    const absolute = join(root, below);
    const entries = await readdir(absolute, { withFileTypes: true }).catch(() => undefined);
    if (!entries) return;
    directories.push(absolute);
    for (const entry of entries.sort((one, other) => (one.name < other.name ? -1 : 1))) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (path !== IGNORE_FILE && rules.ignores(entry.isDirectory() ? `${path}/` : path)) continue;
      if (entry.isDirectory()) await visit(path);
      else if (path === INDEX_YAML) await describeIndexes(path);
      else if (path !== `${INDEX_YAML}${UNFINISHED}`) await describe(path);
    }
  };
  const describe = async (path: string): Promise<void> => {
    const found = await lstat(join(root, path)).catch(() => undefined);
    if (found) hash.update(`${path}\0${found.size}\0${found.mtimeMs}\0${found.mode}\0${found.ino}\n`);
  };
  // What the platform adds below the marker while the app runs is no change of the app.
  const describeIndexes = async (path: string): Promise<void> => {
    const text = await readFile(join(root, path), 'utf8').catch(() => undefined);
    if (text === undefined) return;
    const manual = manualPart(text) ?? text;
    if (manual !== manualPart(undefined)) hash.update(`${path}\0${manual}\n`);
  };
  await visit('');
  return { directories, fingerprint: hash.digest('hex') };
}

/** Editors write a file in several steps. */
const SETTLE_MS = 150;
/** Where the system watches no more directories, or none. */
const POLL_MS = 1_000;

/** Calls `onChange` some time after anything moved in the directories that it was told to follow. */
export class SourceWatch {
  readonly #timers: Timers;
  readonly #onChange: () => void;
  readonly #watchers = new Map<string, FSWatcher>();
  #settling: Cancel | undefined;
  #polling: Cancel | undefined;

  constructor(timers: Timers, onChange: () => void) {
    this.#timers = timers;
    this.#onChange = onChange;
  }

  /** Watches these directories and no others; true when any of them is new, and may have changed before. */
  follow(directories: readonly string[]): boolean {
    const wanted = new Set(directories);
    for (const [directory, watcher] of this.#watchers) {
      if (wanted.has(directory)) continue;
      watcher.close();
      this.#watchers.delete(directory);
    }
    const added = directories.filter((directory) => !this.#watchers.has(directory));
    const watched = added.filter((directory) => this.#watch(directory));
    if (watched.length < added.length) this.#polling ??= this.#timers.every(POLL_MS, this.#onChange);
    return watched.length > 0;
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    this.#settling?.();
    this.#polling?.();
  }

  #watch(directory: string): boolean {
    try {
      const watcher = watch(directory, () => {
        this.#settle();
      });
      // It went away: that is a change of the directory above it.
      watcher.on('error', () => {
        watcher.close();
        this.#watchers.delete(directory);
        this.#settle();
      });
      this.#watchers.set(directory, watcher);
      return true;
    } catch {
      return false;
    }
  }

  #settle(): void {
    this.#settling?.();
    this.#settling = this.#timers.after(SETTLE_MS, this.#onChange);
  }
}
