import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type SecretFile } from '../../admin-console/secret-file.ts';

/** A file of the credentials directory, mode 0600. One process writes it. */
export class DiskSecretFile implements SecretFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async read(): Promise<string | undefined> {
    try {
      return await readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** It is replaced by a rename, so a crash leaves the old content or the new one. */
  async write(text: string): Promise<void> {
    const temporary = `${this.#path}.new`;
    const file = await open(temporary, 'w', 0o600);
    try {
      // A leftover of a crash keeps the mode that it had.
      await file.chmod(0o600);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.#path);
    const directory = await open(dirname(this.#path), 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}
