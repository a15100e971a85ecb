// How a static file is answered, decided from the headers alone: which form of it, whether the client has it already,
// which part of it (RFC 9110, sections 8, 12 to 14). static-files.ts sends the bytes.
import { type IncomingHttpHeaders } from 'node:http';
import { PlatformError } from '../sdk/contract/errors.ts';
import { parseRange, type ByteRange } from './byte-range.ts';
import { chooseCoding } from './content-coding.ts';
import { isCompressible, mimeTypeOf } from './mime-types.ts';
import { type BlobRef, type StaticFile, type StaticOptions } from './ports.ts';
import { splitCookie } from './traffic-split.ts';

export interface StaticRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** Wall clock, for Expires. */
  readonly nowMs: number;
  /** When the file was deployed. */
  readonly deployedAtMs?: number | undefined;
  /** Whether only some may have the file: then no cache keeps it without asking again. */
  readonly isPrivate?: boolean;
  /** The bucket of traffic to give to this client. */
  readonly newBucket?: number | undefined;
}

export interface StaticAnswer {
  readonly status: 200 | 206 | 304 | 412 | 416;
  /** Names and values in turn. */
  readonly headers: string[];
  /** What to send, and of which blob; undefined: nothing. */
  readonly part: { readonly blob: BlobRef; readonly range: ByteRange } | undefined;
}

const LONG_AGO = 'Fri, 01 Jan 1990 00:00:00 GMT';

/** Throws ROUTE_METHOD_NOT_ALLOWED. */
export function decideStatic(request: StaticRequest, path: string, file: StaticFile, options: StaticOptions): StaticAnswer {
  const { method, headers } = request;
  if (method !== 'GET' && method !== 'HEAD') {
    throw new PlatformError('ROUTE_METHOD_NOT_ALLOWED', undefined, { details: { allow: 'GET, HEAD' } });
  }
  const type = options.mimeType ?? mimeTypeOf(path);
  const isCoded = isCompressible(type);
  const coding = isCoded && file.encodings ? chooseCoding(headers['accept-encoding'], file.encodings) : undefined;
  const blob = (coding && file.encodings?.[coding]) ?? file;
  const validators: Validators = { etag: `"${blob.sha256}"`, lastModified: httpDate(request.deployedAtMs) };
  const common = commonHeaders(validators, isCoded, options, request);
  const condition = precondition(headers, validators);
  if (condition === 412) return { status: 412, headers: ['Content-Length', '0'], part: undefined };
  if (condition === 304) return { status: 304, headers: withOwn(common, options, request), part: undefined };

  const asked = method === 'GET' && isSameContent(headers['if-range'], validators) ? parseRange(headers.range, blob.bytes) : undefined;
  if (asked === 'unsatisfiable') {
    return { status: 416, headers: ['Content-Range', `bytes */${blob.bytes}`, 'Content-Length', '0'], part: undefined };
  }
  const range = asked ?? { start: 0, end: blob.bytes - 1 };
  const length = range.end - range.start + 1;
  common.push('Content-Type', type, 'Content-Length', String(length), 'Accept-Ranges', 'bytes');
  if (coding) common.push('Content-Encoding', coding);
  if (asked) common.push('Content-Range', `bytes ${range.start}-${range.end}/${blob.bytes}`);
  return {
    status: asked ? 206 : 200,
    headers: withOwn(common, options, request),
    part: method === 'HEAD' || length === 0 ? undefined : { blob, range },
  };
}

interface Validators {
  /** Strong: each form of a file has its own. */
  readonly etag: string;
  readonly lastModified: string | undefined;
}

/** RFC 9110, section 13.2.2: the order in which conditions are asked. */
function precondition(headers: IncomingHttpHeaders, { etag, lastModified }: Validators): 304 | 412 | undefined {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = headers;
  if (ifMatch !== undefined) {
    if (!listsEtag(ifMatch, etag)) return 412;
  } else if (lastModified !== undefined) {
    const since = Date.parse(headers['if-unmodified-since'] ?? '');
    if (since < Date.parse(lastModified)) return 412;
  }
  if (ifNoneMatch !== undefined) return listsEtag(ifNoneMatch.replaceAll('W/', ''), etag) ? 304 : undefined;
  // Exactly, and not "since": after a rollback the file that serves is older than what the client has.
  const since = headers['if-modified-since'];
  return lastModified !== undefined && since === lastModified ? 304 : undefined;
}

/** Whether If-Range lets a range be served: a strong comparison, so `W/` never does, nor a date, which all forms share. */
function isSameContent(ifRange: string | readonly string[] | undefined, { etag }: Validators): boolean {
  return ifRange === undefined || ifRange === etag;
}

function listsEtag(header: string, etag: string): boolean {
  return header.trim() === '*' || header.split(',').some((candidate) => candidate.trim() === etag);
}

function httpDate(atMs: number | undefined): string | undefined {
  return atMs === undefined ? undefined : new Date(atMs).toUTCString();
}

function commonHeaders({ etag, lastModified }: Validators, isCoded: boolean, options: StaticOptions, request: StaticRequest): string[] {
  const headers = ['ETag', etag, ...caching(options.expirationSeconds, request)];
  if (lastModified !== undefined) headers.push('Last-Modified', lastModified);
  // A cache must keep the forms apart as soon as there is a compressed one, and there may be one any moment.
  if (isCoded) headers.push('Vary', 'Accept-Encoding');
  return headers;
}

function caching(seconds: number, { nowMs, isPrivate = false, newBucket }: StaticRequest): readonly string[] {
  if (isPrivate) return ['Cache-Control', 'private, no-cache', 'Expires', LONG_AGO];
  // App Engine's own words for a file that does not last.
  if (seconds <= 0) return ['Cache-Control', 'no-cache, must-revalidate', 'Expires', LONG_AGO];
  const who = newBucket === undefined ? 'public' : 'private';
  return ['Cache-Control', `${who}, max-age=${seconds}`, 'Expires', new Date(nowMs + seconds * 1_000).toUTCString()];
}

/** Headers that say how the bytes are framed or which they are: the app's cannot be right. */
const FRAMING: ReadonlySet<string> = new Set([
  ...['content-length', 'content-range', 'content-encoding', 'transfer-encoding', 'connection', 'etag', 'accept-ranges', 'last-modified'],
]);

/** The app's own headers win over ours of the same name, except for those above; `Vary` names what both vary by. */
function withOwn(headers: readonly string[], { httpHeaders }: StaticOptions, { newBucket }: StaticRequest): string[] {
  const kept: string[] = [];
  const own = Object.entries(httpHeaders ?? {}).filter(([name]) => {
    const lower = name.toLowerCase();
    // One client's bucket must not reach another through a cache.
    return !FRAMING.has(lower) && (newBucket === undefined || lower !== 'cache-control');
  });
  const names = new Set(own.map(([name]) => name.toLowerCase()));
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? '';
    if (name === 'Vary' || !names.has(name.toLowerCase())) kept.push(name, headers[index + 1] ?? '');
  }
  kept.push(...own.flat());
  if (newBucket !== undefined) kept.push('Set-Cookie', splitCookie(newBucket));
  return kept;
}
