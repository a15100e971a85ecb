// Which static files have compressed forms, by the hash of their content: a file that was compressed once is never
// compressed again, whichever app, version or path it comes with. The forms themselves lie in the blob store.
//
//   DIRECTORY/ab/ab12….json := {"br"?: [sha256, bytes], "gzip"?: [sha256, bytes]}   {} when neither form is worth it
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { type StaticFile } from '../../router/ports.ts';
import { type Random } from '../../sdk/support/clock.ts';
import { type BlobStore } from './blob-store.ts';

export type Encodings = NonNullable<StaticFile['encodings']>;

const NAME = /^([0-9a-f]{64})\.json$/;
const blob = z.tuple([z.string(), z.number()]).transform(([sha256, bytes]) => ({ sha256, bytes }));
const stored = z.object({ br: blob.exactOptional(), gzip: blob.exactOptional() });

export class StaticEncodings {
  readonly #directory: string;
  readonly #blobs: BlobStore;
  readonly #random: Random;

  constructor(directory: string, blobs: BlobStore, random: Random) {
    this.#directory = directory;
    this.#blobs = blobs;
    this.#random = random;
  }

  async start(): Promise<void> {
    await rm(this.#incoming, { recursive: true, force: true });
    await mkdir(this.#incoming, { recursive: true });
  }

  /** Undefined when the content was not compressed yet, or its forms are not in the store any more. */
  async get(sha256: string): Promise<Encodings | undefined> {
    const encodings = await this.#read(sha256);
    if (!encodings) return undefined;
    const missing = await this.#blobs.missing(Object.values(encodings).map((form) => form.sha256));
    return missing.length === 0 ? encodings : undefined;
  }

  /** Replaces what is known of the content. Its forms must be in the store. */
  async put(sha256: string, { br, gzip }: Encodings): Promise<void> {
    const path = this.#pathOf(sha256);
    const row = { ...(br ? { br: [br.sha256, br.bytes] } : {}), ...(gzip ? { gzip: [gzip.sha256, gzip.bytes] } : {}) };
    const incoming = join(this.#incoming, this.#random.bytes(12).toString('hex'));
    await writeFile(incoming, JSON.stringify(row));
    await mkdir(dirname(path), { recursive: true });
    await rename(incoming, path);
  }

  /** Forgets content that `isUsed` does not want; returns the hashes of the other contents' forms. */
  async sweep(isUsed: (sha256: string) => boolean): Promise<ReadonlySet<string>> {
    const forms = new Set<string>();
    for (const group of await readdir(this.#directory)) {
      if (!/^[0-9a-f]{2}$/.test(group)) continue;
      for (const name of await readdir(join(this.#directory, group))) {
        const sha256 = NAME.exec(name)?.[1];
        const encodings = sha256 !== undefined && isUsed(sha256) ? await this.#read(sha256) : undefined;
        if (encodings) for (const form of Object.values(encodings)) forms.add(form.sha256);
        else await rm(join(this.#directory, group, name), { force: true });
      }
    }
    return forms;
  }

  async #read(sha256: string): Promise<Encodings | undefined> {
    try {
      return stored.parse(JSON.parse(await readFile(this.#pathOf(sha256), 'utf8')));
    } catch {
      // Not there, or not readable: it is made again.
      return undefined;
    }
  }

  get #incoming(): string {
    return join(this.#directory, 'incoming');
  }

  #pathOf(sha256: string): string {
    return join(this.#directory, sha256.slice(0, 2), `${sha256}.json`);
  }
}
