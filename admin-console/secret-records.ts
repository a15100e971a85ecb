import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type SecretFile } from './secret-file.ts';

/**
 * A small table by secret, kept in one file as hashes, so that who reads the file can use nothing of it.
 * Changes take effect in memory at once; `save` brings the newest state to disk, one write after the other.
 */
export class SecretRecords<T extends object> {
  readonly #file: SecretFile;
  readonly #schema: z.ZodType<T>;
  #records = new Map<string, T>();
  #saving: Promise<void> = Promise.resolve();

  constructor(file: SecretFile, schema: z.ZodType<T>) {
    this.#file = file;
    this.#schema = schema;
  }

  /** Reads the file; a damaged one holds nothing. */
  async load(): Promise<void> {
    const text = await this.#file.read();
    const rows = z.record(z.string().regex(/^[0-9a-f]{64}$/), this.#schema);
    const parsed = rows.safeParse(text === undefined ? {} : jsonOf(text));
    this.#records = new Map(parsed.success ? Object.entries(parsed.data) : []);
  }

  get size(): number {
    return this.#records.size;
  }

  /** Oldest first. */
  entries(): readonly (readonly [hash: string, record: T])[] {
    return [...this.#records];
  }

  get(secret: string): T | undefined {
    return this.#records.get(hashOf(secret));
  }

  set(secret: string, record: T): void {
    this.#records.set(hashOf(secret), record);
  }

  /** The record, which is no longer there. */
  take(secret: string): T | undefined {
    const hash = hashOf(secret);
    const record = this.#records.get(hash);
    this.#records.delete(hash);
    return record;
  }

  dropHash(hash: string): void {
    this.#records.delete(hash);
  }

  /** Resolves once what is here now is on disk. */
  save(): Promise<void> {
    const saved = this.#saving.then(() => this.#file.write(`${JSON.stringify(Object.fromEntries(this.#records))}\n`));
    this.#saving = saved.catch(() => undefined);
    return saved;
  }
}

/** Looking a hash up takes no time that depends on the secrets that are there. */
function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
