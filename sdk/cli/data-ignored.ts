// Data of our commands lies where the user's own repository is, and does not belong into it.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** `directory` is one below a directory that is ours alone, such as .appengine/dev. */
export async function keepOutOfGit(directory: string): Promise<void> {
  const ours = dirname(directory);
  await mkdir(ours, { recursive: true, mode: 0o700 });
  await writeFile(join(ours, '.gitignore'), '*\n', { flag: 'wx' }).catch(() => undefined);
}
