// Files that are there whole or not at all, also after a power loss.
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What a file is called until it is whole; leftovers of a crash may be removed. */
export const UNFINISHED = '.new';

/** Written aside, fsynced, renamed; mode 0600. The name itself is durable after `syncDirectory`. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}${UNFINISHED}`;
  try {
    const file = await open(temporary, 'w', 0o600);
    try {
      // A leftover of a crash keeps the mode that it had.
      await file.chmod(0o600);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Makes names that were made, changed or removed in the directory survive a power loss. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Of a file, and of the name of the file itself. */
export async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  await writeWhole(path, content);
  await syncDirectory(dirname(path));
}
