// Static files, straight from the content-addressed store: the hash is both where the bytes lie and the ETag, so
// nothing an app does later can change what a path serves (security: hostile number 15). Which bytes: static-answer.ts.
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { type Writable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type ByteRange } from './byte-range.ts';
import { type BlobReader, type BlobRef } from './ports.ts';

/** Sends content; small files from memory. */
export class StaticFiles {
  readonly #blobs: BlobReader;
  readonly #small = new LRUCache<string, Buffer>({
    maxSize: LIMITS.staticCacheBytesMax,
    sizeCalculation: (bytes) => Math.max(1, bytes.length),
  });

  constructor(blobs: BlobReader) {
    this.#blobs = blobs;
  }

  /** The bytes when they are, or fit, in memory. Throws INTERNAL when the store does not hold the file as it should. */
  async small(file: BlobRef): Promise<Buffer | undefined> {
    if (file.bytes > LIMITS.staticCacheFileBytesMax) return undefined;
    const known = this.#small.get(file.sha256);
    if (known) return known;
    const bytes = await this.#withFile(file, async (handle) => handle.readFile());
    this.#small.set(file.sha256, bytes);
    return bytes;
  }

  /** Streams a range with back-pressure. Rejects when the reader goes away or the store fails. */
  async stream(file: BlobRef, range: ByteRange, into: Writable, onBytes: (count: number) => void): Promise<void> {
    await this.#withFile(file, async (handle) => {
      const source = handle.createReadStream({ start: range.start, end: range.end, autoClose: false });
      source.on('data', (chunk) => onBytes(chunk.length));
      await pipeline(source, into);
    });
  }

  async #withFile<T>(file: BlobRef, use: (handle: Awaited<ReturnType<typeof open>>) => Promise<T>): Promise<T> {
    const handle = await open(this.#blobs.pathOf(file.sha256), 'r').catch((error: unknown) => {
      throw new PlatformError('INTERNAL', 'a static file is missing from the store', { cause: error });
    });
    try {
      const { size } = await handle.stat();
      if (size !== file.bytes) throw new PlatformError('INTERNAL', 'a static file in the store has another length');
      return await use(handle);
    } finally {
      await handle.close();
    }
  }
}
