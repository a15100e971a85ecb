// index.yaml of the one app under `appengine dev`: gets the indexes that its queries need.
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { withGenerated } from '../../sdk/contract/app-manifest/generated-indexes.ts';
import { UNFINISHED } from '../../sdk/support/durable-files.ts';
import { type IndexDefinition } from '../../sdk/contract/index-definition.ts';
import { type Log } from '../../sdk/support/log.ts';

const MODE_DEFAULT = 0o644;

export class DevIndexFile {
  readonly #path: string;
  readonly #log: Log;
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** Whether the indexes may be made: false when the file is managed by hand or cannot be written. One change after the other. */
  record(definitions: readonly IndexDefinition[]): Promise<boolean> {
    const change = this.#lastChange.then(() => this.#record(definitions));
    this.#lastChange = change.catch(() => undefined);
    return change;
  }

  async #record(definitions: readonly IndexDefinition[]): Promise<boolean> {
    try {
      const text = await readFile(this.#path, 'utf8').catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      });
      const written = withGenerated(text, basename(this.#path), definitions);
      if (written === undefined) return false;
      if (written !== (text ?? '')) await this.#write(written);
      return true;
    } catch (error) {
      this.#log.error('The index that a query needs could not be added to index.yaml', { error: String(error) });
      return false;
    }
  }

  /** Readers see the old file or the new one. */
  async #write(text: string): Promise<void> {
    const temporary = `${this.#path}${UNFINISHED}`;
    const mode = await stat(this.#path).then(
      (found) => found.mode & 0o777,
      () => MODE_DEFAULT,
    );
    try {
      await writeFile(temporary, text, { mode });
      await rename(temporary, this.#path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }
}
