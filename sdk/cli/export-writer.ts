// The files of an export, each whole or not there, with a manifest that is always true of what is there.
//
// A file is `NAME.new` until it is full; then it is fsynced and renamed, and the manifest names it with its last key. What a
// crash leaves unfinished is written again, since the next run begins behind the last key of the manifest.
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type JsonKey } from '../contract/admin/data.ts';
import { PlatformError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { syncDirectory, UNFINISHED } from '../support/durable-files.ts';
import { type ExportManifest, newManifest, readManifest, writeManifest } from './export-manifest.ts';

export type ExportTarget = Pick<ExportManifest, 'app' | 'filters' | 'compression' | 'startedAt'>;

/** Lines as a server sends them together: of one moment, the last one with its key. */
export interface PageOfLines {
  readonly lines: readonly string[];
  readonly lastKey: JsonKey;
  readonly readTime: string;
}

interface OpenFile {
  readonly name: string;
  readonly handle: FileHandle;
  readonly hash: Hash;
  readonly readTime: string;
  readTimeLast: string;
  lastKey: JsonKey;
  bytes: number;
  lineBytes: number;
  entities: number;
}

const compress = promisify(gzip);
/** What this writes, finished or not. */
const OWN = /^(entities-\d+\.ndjson(\.gz)?|manifest\.json)(\.new)?$/;

export class ExportWriter {
  readonly #directory: string;
  readonly #fileBytesMax: number;
  #manifest: ExportManifest;
  #file: OpenFile | undefined;

  private constructor(directory: string, manifest: ExportManifest, fileBytesMax: number) {
    this.#directory = directory;
    this.#manifest = manifest;
    this.#fileBytesMax = fileBytesMax;
  }

  /**
   * Begins an export in an empty directory, which it makes, or goes on with the same one that was begun there. Throws
   * EXPORT_UNUSABLE when the directory holds something else.
   */
  static async open(directory: string, target: ExportTarget, fileBytesMax: number = LIMITS.exportFileBytesMax): Promise<ExportWriter> {
    await mkdir(directory, { recursive: true });
    const known = await readManifest(directory);
    const names = await readdir(directory);
    if (!known && names.length > 0 && !names.every((name) => OWN.test(name)))
      throw new PlatformError('EXPORT_UNUSABLE', `${directory} is not empty and holds no export`);
    if (known && !isSame(known, target)) {
      throw new PlatformError(
        'EXPORT_UNUSABLE',
        `${directory} holds another export, of "${known.app}": name another directory for this one`,
      );
    }
    const manifest = known ?? newManifest(target);
    const whole = new Set(manifest.files.map(({ name }) => name));
    for (const name of names) if (name.startsWith('entities-') && !whole.has(name)) await rm(join(directory, name), { force: true });
    if (!known) await writeManifest(directory, manifest);
    return new ExportWriter(directory, manifest, fileBytesMax);
  }

  get manifest(): ExportManifest {
    return this.#manifest;
  }

  /** Of the last entity that was written, in this run or before it. */
  get lastKey(): JsonKey | undefined {
    return this.#file?.lastKey ?? this.#manifest.files.at(-1)?.lastKey;
  }

  /** The moment that the newest entities are of. */
  get readTime(): string | undefined {
    return this.#file?.readTimeLast ?? this.#manifest.files.at(-1)?.readTime?.last;
  }

  get entities(): number {
    return this.#manifest.entities + (this.#file?.entities ?? 0);
  }

  async write({ lines, lastKey, readTime }: PageOfLines): Promise<void> {
    const file = (this.#file ??= await this.#begin(lastKey, readTime));
    const text = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    const bytes = this.#manifest.compression === 'gzip' ? await compress(text) : text;
    await file.handle.writeFile(bytes);
    file.hash.update(bytes);
    file.bytes += bytes.length;
    file.lineBytes += text.length;
    file.entities += lines.length;
    file.lastKey = lastKey;
    file.readTimeLast = readTime;
    if (file.lineBytes >= this.#fileBytesMax) await this.#finish(file);
  }

  /** Nothing is missing any more. */
  async complete(): Promise<void> {
    if (this.#file) await this.#finish(this.#file);
    await this.#change({ complete: true });
  }

  /** Leaves what is unfinished; the next run writes it again. */
  async close(): Promise<void> {
    await this.#file?.handle.close();
    this.#file = undefined;
  }

  async #begin(lastKey: JsonKey, readTime: string): Promise<OpenFile> {
    const { files, compression } = this.#manifest;
    const name = `entities-${String(files.length + 1).padStart(5, '0')}.ndjson${compression === 'gzip' ? '.gz' : ''}`;
    const handle = await open(join(this.#directory, `${name}${UNFINISHED}`), 'w', 0o600);
    const hash = createHash('sha256');
    return { name, handle, hash, readTime, readTimeLast: readTime, lastKey, bytes: 0, lineBytes: 0, entities: 0 };
  }

  async #finish({ name, handle, hash, readTime, readTimeLast, ...file }: OpenFile): Promise<void> {
    await handle.sync();
    await handle.close();
    this.#file = undefined;
    await rename(join(this.#directory, `${name}${UNFINISHED}`), join(this.#directory, name));
    await syncDirectory(this.#directory);
    const { files, entities } = this.#manifest;
    const finished = { name, ...file, sha256: hash.digest('hex'), readTime: { first: readTime, last: readTimeLast } };
    await this.#change({ files: [...files, finished], entities: entities + file.entities });
  }

  async #change(change: Partial<ExportManifest>): Promise<void> {
    const manifest = { ...this.#manifest, ...change };
    const moments = new Set(manifest.files.flatMap(({ readTime }) => [readTime?.first, readTime?.last]));
    this.#manifest = { ...manifest, consistent: moments.size <= 1 };
    await writeManifest(this.#directory, this.#manifest);
  }
}

function isSame(known: ExportManifest, target: ExportTarget): boolean {
  const about = ({ app, filters, compression }: ExportTarget): string =>
    JSON.stringify([app, filters.kinds ?? [], filters.namespaces ?? null, filters.database ?? null, filters.since ?? null, compression]);
  return about(known) === about(target) && known.files.every(({ lastKey }) => lastKey !== undefined);
}
