// Which fields may come after a body, in either direction. Pure. A trailer is read when the decisions that headers are
// for have been made, and some programs merge trailers into headers all the same: so whatever frames, routes,
// authenticates or describes a message is dropped (RFC 9110, section 6.5.1), and all that the platform vouches for.
import { LIMITS } from '../sdk/contract/limits.ts';

const FORBIDDEN = new Set([
  // Framing and connections.
  ...['connection', 'content-length', 'http2-settings', 'keep-alive', 'te', 'trailer', 'trailers', 'transfer-encoding', 'upgrade'],
  // Routing, and what changes how a request is treated.
  ...['host', 'forwarded', 'via', 'cache-control', 'expect', 'max-forwards', 'pragma', 'range'],
  ...['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range'],
  // Who asks.
  ...['authorization', 'cookie', 'cookie2', 'origin', 'referer', 'set-cookie', 'set-cookie2', 'www-authenticate'],
  // How to read the body, and what the answer is.
  ...['content-encoding', 'content-type', 'content-range', 'content-disposition', 'date', 'server'],
  ...['age', 'expires', 'location', 'retry-after', 'vary', 'warning', 'strict-transport-security'],
  // The trace was told in the head.
  ...['traceparent', 'tracestate', 'x-cloud-trace-context'],
]);
const FORBIDDEN_PREFIXES = ['access-control-', 'proxy-', 'sec-', 'x-appengine-', 'x-forwarded-', 'x-google-'];
const NAME = /^[!#$%&'*+.^`|~0-9a-z-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

export type Trailers = readonly [name: string, value: string][];

/** `raw`: names and values in turn. Names in lower case; `_` counts as `-`, as it does for programs behind WSGI and CGI. */
export function passedTrailers(raw: readonly (string | Buffer)[] | null | undefined): Trailers {
  const passed: [string, string][] = [];
  if (!raw) return passed;
  for (let index = 0; index + 1 < raw.length && passed.length < LIMITS.trailersMax; index += 2) {
    const name = textOf(raw[index]).toLowerCase();
    const value = textOf(raw[index + 1]);
    if (isTrailer(name) && VALUE.test(value)) passed.push([name, value]);
  }
  return passed;
}

/** The names of a `Trailer` header that may pass, as its value; undefined when none is left. */
export function passedAnnouncement(header: string | undefined): string | undefined {
  const names = header
    ?.split(',')
    .map((name) => name.trim().toLowerCase())
    .filter(isTrailer)
    .slice(0, LIMITS.trailersMax);
  return names && names.length > 0 ? names.join(', ') : undefined;
}

/** Whether a `TE` header says that its sender reads trailers. */
export function acceptsTrailers(te: string | readonly string[] | undefined): boolean {
  if (te === undefined) return false;
  const text = typeof te === 'string' ? te : te.join(',');
  return text.split(',').some((coding) => coding.split(';', 1)[0]?.trim().toLowerCase() === 'trailers');
}

function isTrailer(name: string): boolean {
  const plain = name.replaceAll('_', '-');
  return NAME.test(plain) && !FORBIDDEN.has(plain) && !FORBIDDEN_PREFIXES.some((prefix) => plain.startsWith(prefix));
}

function textOf(part: string | Buffer | undefined): string {
  return typeof part === 'string' ? part : (part?.toString('latin1') ?? '');
}
