// Copies of directory trees, with a bound on files in flight. Sources may have been written by an app's build, so
// nothing here follows a link.
import { constants } from 'node:fs';
import { copyFile, link, lstat, mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { LIMITS } from '../../sdk/contract/limits.ts';

/** Runs `work` on every item, at most bundlesParallelMax at the same time. Throws the first error. */
export async function forEachBounded<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: LIMITS.bundlesParallelMax }, worker));
}

/**
 * Makes `to` a copy of the file, link or directory `from`, files by hard link where the system can. Only regular files,
 * directories and symbolic links are copied; links as they are. Both sides must stay unchanged afterwards.
 */
export async function linkTree(from: string, to: string): Promise<void> {
  const entry = await lstat(from);
  if (entry.isSymbolicLink()) return symlink(await readlink(from), to);
  if (entry.isFile()) return linkFile(from, to);
  if (!entry.isDirectory()) return;
  await mkdir(to, { recursive: true });
  await forEachBounded(await readdir(from), (name) => linkTree(join(from, name), join(to, name)));
}

async function linkFile(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch {
    // Another file system, or too many links to one file.
    await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  }
}
