// The head of an HTTP/2 request in the form of HTTP/1.1, so that one guard and one policy hold for both. Pure.
// nghttp2 refuses most of what RFC 9113, sections 8.2 and 8.3, calls malformed before this is asked; what it lets pass, or
// might one day, is refused here.
import { LIMITS } from '../sdk/contract/limits.ts';

export interface Http1Head {
  readonly method: string;
  /** Empty for CONNECT. */
  readonly url: string;
  /** Names and values in turn: Host first, cookies in one line, Transfer-Encoding where the body has no length. */
  readonly rawHeaders: string[];
}

/** `malformed` ends the stream; `too-large` is 431. */
export type HeadProblem = 'malformed' | 'too-large';

const PSEUDO = new Set([':method', ':scheme', ':path', ':authority']);
const CONNECTION_SPECIFIC = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings']);
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const NOT_IN_VALUES = /[\0\r\n]|^[ \t]|[ \t]$/;

/** `raw`: names and values in turn as they came; `hasBody`: whether the head does not end the stream. */
export function http1Head(raw: readonly string[], hasBody: boolean): Http1Head | HeadProblem {
  const pseudo = new Map<string, string>();
  const fields: string[] = [];
  let host: string | undefined;
  let cookie: string | undefined;
  let hasLength = false;
  let bytes = 0;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const value = raw[index + 1] ?? '';
    bytes += name.length + value.length + 4;
    if (name.startsWith(':')) {
      // Each once, none that is unknown, none after an ordinary field.
      if (!PSEUDO.has(name) || pseudo.has(name) || fields.length > 0 || host !== undefined || cookie !== undefined) return 'malformed';
      if (NOT_IN_VALUES.test(value)) return 'malformed';
      pseudo.set(name, value);
      continue;
    }
    if (CONNECTION_SPECIFIC.has(name) || !NAME.test(name) || NOT_IN_VALUES.test(value)) return 'malformed';
    switch (name) {
      case 'te':
        if (value !== 'trailers') return 'malformed';
        fields.push(name, value);
        break;
      case 'host':
        if (host !== undefined) return 'malformed';
        host = value;
        break;
      case 'cookie':
        // In crumbs for the sake of compression (RFC 9113, section 8.2.3).
        cookie = cookie === undefined ? value : `${cookie}; ${value}`;
        break;
      case 'content-length':
        hasLength = true;
        fields.push(name, value);
        break;
      default:
        fields.push(name, value);
    }
  }
  const method = pseudo.get(':method') ?? '';
  const path = pseudo.get(':path');
  // A path that is too long by itself is the guard's to refuse, with a page.
  const isPathTooLong = path !== undefined && path.length > LIMITS.requestUrlBytesMax;
  if (bytes > LIMITS.requestHeaderBytesMax && !isPathTooLong) return 'too-large';
  const authority = pseudo.get(':authority');
  if (method === '' || (authority !== undefined && host !== undefined && authority !== host)) return 'malformed';
  // An absolute target would be another way to name a host.
  if (method !== 'CONNECT' && (path === undefined || !/^(?:\/|\*$)/.test(path))) return 'malformed';
  const name = authority ?? host;
  const rawHeaders = name === undefined ? fields : ['host', name, ...fields];
  if (cookie !== undefined) rawHeaders.push('cookie', cookie);
  if (hasBody && !hasLength) rawHeaders.push('transfer-encoding', 'chunked');
  return { method, url: path ?? '', rawHeaders };
}
