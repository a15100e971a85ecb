// Which headers leave with an app's request and come back to it. Pure, on raw arrays: names and values in turn
// (security: 37, 38).
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { LOOP_HEADER } from '../../../sdk/contract/services/url-fetch.ts';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** CR, LF and NUL end a header; a header carries bytes, so nothing is beyond 255. */
const NOT_IN_A_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

const HOP_BY_HOP = ['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings'];
/** `expect` is answered by us; the others App Engine keeps apps from setting, because receivers trust them. */
const REQUEST_DROPPED = new Set([...HOP_BY_HOP, 'host', 'expect', 'via', 'x-forwarded-for', 'x-proxyuser-ip', 'proxy']);
const DROPPED_PREFIXES = ['proxy-', 'x-appengine-'];
const RESPONSE_DROPPED = new Set(HOP_BY_HOP);

/** One that this platform added to CDN-Loop. */
const OUR_HOP = /^\s*appengine(\s*;|\s*$)/;

export interface Sender {
  readonly appId: string;
  /** Whether the target may know the app by X-Appengine-Inbound-Appid: App Engine says it where redirects are not followed. */
  readonly namesApp: boolean;
}

/** Throws FETCH_INVALID for what is no header, or more than the limit; FETCH_LOOP when too many fetches led here (security: 39). */
export function outgoingHeaders(raw: readonly string[], { appId, namesApp }: Sender): string[] {
  const named = namedByConnection(raw);
  const headers: string[] = [];
  const agent = `AppEngine-Google; (+http://code.google.com/appengine; appid: s~${appId})`;
  let userAgent = agent;
  let loop = '';
  let bytes = 0;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const value = raw[index + 1] ?? '';
    if (!TOKEN.test(name)) throw new PlatformError('FETCH_INVALID', `${JSON.stringify(name.slice(0, 100))} is no name of a header`);
    if (NOT_IN_A_VALUE.test(value)) throw new PlatformError('FETCH_INVALID', `the header ${name.slice(0, 100)} holds a control character`);
    bytes += name.length + value.length + 4;
    const lower = name.toLowerCase();
    if (isDropped(lower, REQUEST_DROPPED) || named.has(lower)) continue;
    if (lower === 'cdn-loop') loop += `${value}, `;
    else if (lower === 'user-agent') userAgent = `${value} ${agent}`;
    else headers.push(name, value);
  }
  if (bytes > LIMITS.fetchRequestHeaderBytesMax) {
    throw new PlatformError('FETCH_INVALID', `the headers are larger than ${LIMITS.fetchRequestHeaderBytesMax} bytes`);
  }
  const hops = loop.split(',').filter((hop) => OUR_HOP.test(hop)).length;
  if (hops >= LIMITS.fetchDepthMax) throw new PlatformError('FETCH_LOOP', `${hops} fetches of apps led to this one`);
  headers.push('User-Agent', userAgent, LOOP_HEADER, `${loop}appengine; app=${appId}`);
  if (namesApp) headers.push('X-Appengine-Inbound-Appid', appId);
  return headers;
}

/** The target's headers as the app gets them. `also` names more that are dropped, in lower case. */
export function incomingHeaders(raw: readonly string[], also: readonly string[] = []): string[] {
  const named = namedByConnection(raw);
  const headers: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const lower = name.toLowerCase();
    if (!isDropped(lower, RESPONSE_DROPPED) && !named.has(lower) && !also.includes(lower)) headers.push(name, raw[index + 1] ?? '');
  }
  return headers;
}

/** Value of the first header by that name, in lower case. */
export function headerOf(raw: readonly string[], name: string): string | undefined {
  const index = raw.findIndex((each, at) => at % 2 === 0 && each.toLowerCase() === name);
  return index < 0 ? undefined : raw[index + 1];
}

/** The headers without those by `names`, in lower case. */
export function withoutHeaders(raw: readonly string[], names: readonly string[]): string[] {
  return raw.filter((_each, at) => !names.includes((raw[at - (at % 2)] ?? '').toLowerCase()));
}

function isDropped(lower: string, dropped: ReadonlySet<string>): boolean {
  return dropped.has(lower) || DROPPED_PREFIXES.some((prefix) => lower.startsWith(prefix));
}

/** Headers that Connection names go no further than this hop; the length of the body is not its to take away. */
function namedByConnection(raw: readonly string[]): ReadonlySet<string> {
  const named = new Set<string>();
  for (let index = 0; index + 1 < raw.length; index += 2) {
    if (raw[index]?.toLowerCase() !== 'connection') continue;
    for (const name of (raw[index + 1] ?? '').split(',')) named.add(name.trim().toLowerCase());
  }
  named.delete('content-length');
  return named;
}
