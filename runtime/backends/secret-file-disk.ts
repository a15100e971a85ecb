import { readFile } from 'node:fs/promises';
import { type SecretFile } from '../../admin-console/secret-file.ts';
import { writeDurably } from '../../sdk/support/durable-files.ts';

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

  /** A crash leaves the old content or the new one. */
  write(text: string): Promise<void> {
    return writeDurably(this.#path, text);
  }
}
