// How far an import has come, in a file of the exported directory, so that the same command goes on there.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from '../support/durable-files.ts';

const progress = z.object({
  /** What is imported whereto and how: only the same import goes on. */
  import: z.string(),
  /** Its first `line` lines are written, and all files before it. */
  file: z.string(),
  line: z.int().min(0),
  /** Lines behind them that may be written already. */
  reserved: z.int().min(0),
});

export type ImportPosition = Pick<z.infer<typeof progress>, 'file' | 'line' | 'reserved'>;

export class ImportProgress {
  readonly #path: string;
  readonly #import: string;

  /** `name` tells this import apart from others out of the same directory. */
  constructor(directory: string, app: string, name: string) {
    this.#path = join(directory, `import-${app}.progress.json`);
    this.#import = name;
  }

  /** Undefined when there is nothing to go on with. */
  async read(): Promise<ImportPosition | undefined> {
    try {
      const parsed = progress.safeParse(JSON.parse(await readFile(this.#path, 'utf8')));
      return parsed.success && parsed.data.import === this.#import ? parsed.data : undefined;
    } catch {
      return undefined;
    }
  }

  /** Whether it could be written: an export may lie where nothing can be. */
  async write(position: ImportPosition): Promise<boolean> {
    try {
      await writeDurably(this.#path, `${JSON.stringify({ import: this.#import, ...position })}\n`);
      return true;
    } catch {
      return false;
    }
  }

  async remove(): Promise<void> {
    await rm(this.#path, { force: true }).catch(() => undefined);
  }
}
