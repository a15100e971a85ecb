// Static files, straight from the content-addressed store: the hash is both where the bytes lie and the ETag, so
// nothing an app does later can change what a path serves (security: hostile number 15).
import { open } from 'node:fs/promises';
import { type IncomingHttpHeaders } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { type Writable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { parseRange, type ByteRange } from './byte-range.ts';
import { isCompressible, mimeTypeOf } from './mime-types.ts';
import { type BlobReader, type StaticFile, type StaticOptions } from './ports.ts';

export interface StaticRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** Wall clock, for Expires. */
  readonly nowMs: number;
  /** Whether only some may have the file: then no cache keeps it without asking again. */
  readonly isPrivate?: boolean;
}

export interface StaticAnswer {
  readonly status: 200 | 206 | 304 | 416;
  /** Names and values in turn. */
  readonly headers: string[];
  /** What of the file to send; undefined: nothing. */
  readonly range: ByteRange | undefined;
}

/** What to answer, decided from the headers alone. Throws ROUTE_METHOD_NOT_ALLOWED. */
export function decideStatic(request: StaticRequest, path: string, file: StaticFile, options: StaticOptions): StaticAnswer {
  const { method, headers } = request;
  if (method !== 'GET' && method !== 'HEAD') {
    throw new PlatformError('ROUTE_METHOD_NOT_ALLOWED', undefined, { details: { allow: 'GET, HEAD' } });
  }
  const etag = `"${file.sha256}"`;
  const type = options.mimeType ?? mimeTypeOf(path);
  const common = commonHeaders(etag, type, options, request);
  if (matchesEtag(headers['if-none-match'], etag)) return { status: 304, headers: replaced(common, options.httpHeaders), range: undefined };

  const ifRange = headers['if-range'];
  const asked = method === 'GET' && (ifRange === undefined || ifRange === etag) ? parseRange(headers.range, file.bytes) : undefined;
  if (asked === 'unsatisfiable') {
    return { status: 416, headers: ['Content-Range', `bytes */${file.bytes}`, 'Content-Length', '0'], range: undefined };
  }
  const range = asked ?? { start: 0, end: file.bytes - 1 };
  const length = range.end - range.start + 1;
  common.push('Content-Type', type, 'Content-Length', String(length), 'Accept-Ranges', 'bytes');
  if (asked) common.push('Content-Range', `bytes ${range.start}-${range.end}/${file.bytes}`);
  return {
    status: asked ? 206 : 200,
    headers: replaced(common, options.httpHeaders),
    range: method === 'HEAD' || length === 0 ? undefined : range,
  };
}

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
  async small(file: StaticFile): Promise<Buffer | undefined> {
    if (file.bytes > LIMITS.staticCacheFileBytesMax) return undefined;
    const known = this.#small.get(file.sha256);
    if (known) return known;
    const bytes = await this.#withFile(file, async (handle) => handle.readFile());
    this.#small.set(file.sha256, bytes);
    return bytes;
  }

  /** Streams a range with back-pressure. Rejects when the reader goes away or the store fails. */
  async stream(file: StaticFile, range: ByteRange, into: Writable, onBytes: (count: number) => void): Promise<void> {
    await this.#withFile(file, async (handle) => {
      const source = handle.createReadStream({ start: range.start, end: range.end, autoClose: false });
      source.on('data', (chunk) => onBytes(chunk.length));
      await pipeline(source, into);
    });
  }

  async #withFile<T>(file: StaticFile, use: (handle: Awaited<ReturnType<typeof open>>) => Promise<T>): Promise<T> {
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

function commonHeaders(etag: string, type: string, options: StaticOptions, { nowMs, isPrivate = false }: StaticRequest): string[] {
  const seconds = options.expirationSeconds;
  const caching = isPrivate
    ? ['Cache-Control', 'private, no-cache', 'Expires', 'Fri, 01 Jan 1990 00:00:00 GMT']
    : seconds > 0
      ? ['Cache-Control', `public, max-age=${seconds}`, 'Expires', new Date(nowMs + seconds * 1000).toUTCString()]
      : // App Engine's own words for a file that does not last.
        ['Cache-Control', 'no-cache, must-revalidate', 'Expires', 'Fri, 01 Jan 1990 00:00:00 GMT'];
  const headers = ['ETag', etag, ...caching];
  // A cache must keep the forms apart as soon as there is a compressed one.
  if (isCompressible(type)) headers.push('Vary', 'Accept-Encoding');
  return headers;
}

/** The app's own headers win over ours of the same name, except those that say how the bytes are framed. */
function replaced(headers: readonly string[], own: Readonly<Record<string, string>> | undefined): string[] {
  if (!own) return [...headers];
  const framing = new Set(['content-length', 'content-range', 'transfer-encoding', 'connection', 'etag', 'accept-ranges']);
  const added = Object.entries(own).filter(([name]) => !framing.has(name.toLowerCase()));
  const names = new Set(added.map(([name]) => name.toLowerCase()));
  const kept: string[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? '';
    if (!names.has(name.toLowerCase())) kept.push(name, headers[index + 1] ?? '');
  }
  return [...kept, ...added.flat()];
}

function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return header.split(',').some((candidate) => candidate.trim().replace(/^W\//, '') === etag);
}
