// What a request must be like before anything else looks at it. Node's parser refuses most malformed framing;
// this refuses what it lets pass and what it would pass on ambiguously (security: hostile numbers 40 to 55).
// Read next: request-target.ts, the path; server.ts, which answers what the parser itself refused.
import { type ServerOptions } from 'node:http';
import { PlatformError, type ErrorCode } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { overflowCode } from './head-overflow.ts';
import { readTarget } from './request-target.ts';

/** A request's head as Node's parser leaves it. */
export interface RawRequestHead {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersion: string;
  readonly rawHeaders: readonly string[];
}

export interface RequestHead {
  readonly method: string;
  /** As the client sent it, or the authority of an absolute target. */
  readonly host: string;
  /** Path and query for the app. */
  readonly target: string;
  /** Decoded, for handlers. */
  readonly path: string;
  readonly hasBody: boolean;
  /** Undefined for chunked bodies, 0 without body. */
  readonly contentLength: number | undefined;
}

export const ALLOWED_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/** Options that make Node's own server as strict as App Engine's front end. */
export const STRICT_SERVER: ServerOptions = {
  insecureHTTPParser: false,
  requireHostHeader: false,
  maxHeaderSize: LIMITS.requestHeaderBytesMax,
  headersTimeout: LIMITS.requestHeaderMs,
  requestTimeout: LIMITS.requestBodyMs,
  // The server sweeps idle connections itself: Node would set and clear a timer for each request.
  keepAliveTimeout: 0,
  connectionsCheckingInterval: 1_000,
  noDelay: true,
  highWaterMark: 64 * 1024,
};

/** Throws ROUTE_BAD_REQUEST, ROUTE_METHOD_NOT_ALLOWED, ROUTE_URL_TOO_LONG, ROUTE_HEADERS_TOO_LARGE or ROUTE_BODY_TOO_LARGE. */
export function guardRequest(request: RawRequestHead): RequestHead {
  const { method = '', url = '', rawHeaders } = request;
  if (method === 'TRACE' || method === 'CONNECT') throw new PlatformError('ROUTE_METHOD_NOT_ALLOWED');
  if (url.length > LIMITS.requestUrlBytesMax) throw new PlatformError('ROUTE_URL_TOO_LONG');
  if (rawHeaders.length > 2 * LIMITS.requestHeadersMax) throw new PlatformError('ROUTE_HEADERS_TOO_LARGE');

  let hostHeader: string | undefined;
  let length: string | undefined;
  let encoding: string | undefined;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    // Lengths first: comparing every name in lower case would cost more than all else here.
    switch (name.length) {
      case 4:
        if (name.toLowerCase() === 'host') hostHeader = once(hostHeader, rawHeaders[index + 1], 'Host');
        break;
      case 14:
        if (name.toLowerCase() === 'content-length') length = once(length, rawHeaders[index + 1], 'Content-Length');
        break;
      case 17:
        if (name.toLowerCase() === 'transfer-encoding') encoding = once(encoding, rawHeaders[index + 1], 'Transfer-Encoding');
        break;
    }
  }
  const { authority, target, path } = readTarget(url);
  const host = authority ?? hostHeader;
  if (hostHeader === undefined && request.httpVersion !== '1.0') refuse('there is no Host header');
  if (host === undefined || host === '') return refuse('the host is empty');

  const contentLength = bodyLength(length, encoding, request.httpVersion);
  if (contentLength !== undefined && contentLength > LIMITS.requestBodyBytesMax) throw new PlatformError('ROUTE_BODY_TOO_LARGE');
  return { method, host, target, path, hasBody: contentLength !== 0, contentLength };
}

/** What Node says of a request that its parser refuses. */
export interface ParserError extends Error {
  readonly code?: string;
  /** The newest bytes of the connection, and how many of them the parser had read. */
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
}

/** The code for an error that Node's parser or its timeouts report. */
export function parserErrorCode(error: ParserError): ErrorCode {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return error.rawPacket ? overflowCode(error.rawPacket, error.bytesParsed ?? 0) : 'ROUTE_HEADERS_TOO_LARGE';
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'ROUTE_REQUEST_TIMEOUT';
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return 'ROUTE_BODY_TOO_LARGE';
    default:
      return 'ROUTE_BAD_REQUEST';
  }
}

function bodyLength(length: string | undefined, encoding: string | undefined, httpVersion: string): number | undefined {
  if (encoding !== undefined) {
    if (length !== undefined) refuse('it has both Content-Length and Transfer-Encoding');
    if (encoding.toLowerCase() !== 'chunked') refuse('its Transfer-Encoding is not exactly chunked');
    if (httpVersion === '1.0') refuse('Transfer-Encoding needs HTTP/1.1');
    return undefined;
  }
  if (length === undefined) return 0;
  if (!/^\d{1,15}$/.test(length)) refuse('its Content-Length is not a number');
  return Number(length);
}

function once(before: string | undefined, value: string | undefined, name: string): string {
  if (before !== undefined) refuse(`there are two ${name} headers`);
  return value ?? '';
}

function refuse(reason: string): never {
  throw new PlatformError('ROUTE_BAD_REQUEST', reason);
}
