// Compresses static files ahead of time, as small as can be: Brotli at 11 and gzip at 9 take seconds a megabyte, which is
// too long for a request and nothing for a deploy. One file at a time on the whole platform, on a thread of Node's pool,
// so that deploys never take more than one core from the apps.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { isCompressible, mimeTypeOf } from '../../router/mime-types.ts';
import { type BlobRef, type StaticFile, type Unsubscribe } from '../../router/ports.ts';
import { type ManifestHandler } from '../../sdk/contract/app-manifest/manifest.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type BlobStore } from './blob-store.ts';
import { type Encodings, type StaticEncodings } from './static-encodings.ts';

const brotli = promisify(brotliCompress);
const deflate = promisify(gzip);
/** A form that saves less is not worth its place in the store and in caches. */
const SIZE_SHARE_MAX = 0.9;

export interface CompressionOutcome {
  /** All that can be compressed, and those of them for which it was done now. */
  readonly files: number;
  readonly compressedNow: number;
  /** What a client that takes Brotli need not load. */
  readonly savedBytes: number;
}

/** Called with the files that are done and all that there are. */
export type CompressionProgress = (done: number, all: number) => void;

export class StaticCompressor {
  readonly #encodings: StaticEncodings;
  readonly #blobs: BlobStore;
  readonly #listeners = new Set<(deploymentId: string) => void>();
  #lastTurn: Promise<unknown> = Promise.resolve();

  constructor(encodings: StaticEncodings, blobs: BlobStore) {
    this.#encodings = encodings;
    this.#blobs = blobs;
  }

  /** Calls `onCompressed` with each deployment of which files have forms that they did not have before. */
  watch(onCompressed: (deploymentId: string) => void): Unsubscribe {
    this.#listeners.add(onCompressed);
    return () => {
      this.#listeners.delete(onCompressed);
    };
  }

  /** Compresses what was not compressed yet. What was done stays done when `signal` aborts. Throws its reason. */
  async compress(
    deploymentId: string,
    files: readonly StaticFile[],
    options: { readonly signal: AbortSignal; readonly onProgress?: CompressionProgress },
  ): Promise<CompressionOutcome> {
    let isNews = false;
    let compressedNow = 0;
    let savedBytes = 0;
    try {
      for (const [index, file] of files.entries()) {
        let encodings = await this.#encodings.get(file.sha256);
        if (!encodings) {
          encodings = await this.#inTurn(async () => {
            options.signal.throwIfAborted();
            // Another deploy of the same content may have been before this one in the queue.
            const made = await this.#encodings.get(file.sha256);
            if (made) return made;
            compressedNow++;
            return this.#compressFile(file);
          });
          isNews = true;
        }
        const best = encodings.br ?? encodings.gzip;
        if (best) savedBytes += file.bytes - best.bytes;
        options.onProgress?.(index + 1, files.length);
      }
    } finally {
      if (isNews) for (const listener of this.#listeners) listener(deploymentId);
    }
    return { files: files.length, compressedNow, savedBytes };
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(work);
    this.#lastTurn = turn.catch(() => undefined);
    return turn;
  }

  async #compressFile({ sha256, bytes }: StaticFile): Promise<Encodings> {
    const content = await readFile(this.#blobs.pathOf(sha256));
    const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: bytes };
    const br = await this.#keep(await brotli(content, { params }), bytes);
    const gz = await this.#keep(await deflate(content, { level: constants.Z_BEST_COMPRESSION }), bytes);
    const encodings = { ...(br ? { br } : {}), ...(gz ? { gzip: gz } : {}) };
    await this.#encodings.put(sha256, encodings);
    return encodings;
  }

  async #keep(form: Buffer, plainBytes: number): Promise<BlobRef | undefined> {
    if (form.length > plainBytes * SIZE_SHARE_MAX) return undefined;
    const sha256 = createHash('sha256').update(form).digest('hex');
    if (!(await this.#blobs.has(sha256))) await this.#blobs.put(sha256, form.length, chunksOf(form));
    return { sha256, bytes: form.length };
  }
}

/** Those that are worth compressing, each content once, in the order of their paths, up to staticCompressDeployBytesMax. */
export function compressibleFiles(files: Readonly<Record<string, StaticFile>>, handlers: readonly ManifestHandler[]): StaticFile[] {
  const types = handlers.map(({ mimeType }) => mimeType).filter((type) => type !== undefined);
  const isTyped = types.some(isCompressible);
  const found = new Map<string, StaticFile>();
  let left = LIMITS.staticCompressDeployBytesMax;
  for (const path of Object.keys(files).sort()) {
    const file = files[path];
    // A handler may say that a path without a known extension is text.
    const isText = isCompressible(mimeTypeOf(path)) || isTyped;
    const isSized = file && file.bytes >= LIMITS.staticCompressFileBytesMin && file.bytes <= LIMITS.staticCompressFileBytesMax;
    if (!isText || !isSized || found.has(file.sha256) || file.bytes > left) continue;
    found.set(file.sha256, file);
    left -= file.bytes;
  }
  return [...found.values()];
}

// eslint-disable-next-line @typescript-eslint/require-await -- a stream of one chunk has nothing to wait for
async function* chunksOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
