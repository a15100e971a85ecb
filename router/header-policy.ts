// Which headers cross the router, in either direction. Pure, on raw arrays: names and values in turn, as they came.
// Everything that apps trust (X-Appengine-*, X-Forwarded-*) is removed first and added afterwards (security: 38, 46, 56).
import { PlatformError } from '../sdk/contract/errors.ts';
import { type Visitor } from './access-rule.ts';
import { PLATFORM_CALL_HEADERS } from './platform-call.ts';
import { withoutOurCookies } from './session-cookie.ts';
import { ownCloudTraceContext, ownTraceparent, type TraceContext } from './trace-context.ts';
import { SPLIT_COOKIE, splitCookie } from './traffic-split.ts';
import { passedAnnouncement } from './trailer-policy.ts';

/** What the router says about a request. */
export interface RequestFacts {
  readonly requestId: string;
  /** Host as the app shall see it. */
  readonly host: string;
  /** Without port. */
  readonly clientAddress: string;
  /** The other end of the connection: the client, or a proxy in front. */
  readonly peerAddress: string;
  readonly isHttps: boolean;
  /** The client's; undefined: the request begins its own. */
  readonly trace?: TraceContext | undefined;
  /** Whether the client reads trailers of the answer. */
  readonly readsTrailers?: boolean;
  /** Trailers of the request that will follow its body, as a Trailer header names them. */
  readonly trailers?: string | undefined;
  readonly defaultHostname: string;
  /** How long the app may take to answer, from the request's start. */
  readonly deadlineMs: number;
  /** Whether the platform itself asks: then what tasks and cron jobs say of themselves stays. */
  readonly isPlatformCall: boolean;
  /** Undefined: nobody has signed in. */
  readonly visitor?: Visitor | undefined;
}

export interface ResponseHead {
  /** Names and values in turn. */
  readonly headers: string[];
  /** Undefined when the app did not say. */
  readonly contentLength: number | undefined;
  /** Names of trailers that may follow, as a Trailer header lists them; not among the headers. */
  readonly trailers: string | undefined;
}

type RequestVerdict = 'keep' | 'platform' | 'drop' | 'connection' | 'cookie' | 'forwarded-for' | 'trace-state';
type ResponseVerdict = 'keep' | 'drop' | 'connection' | 'cookie' | 'length' | 'cache-control' | 'trailer';

/** How many different spellings of names are remembered; clients choose them, so there must be an end. */
const NAMES_REMEMBERED_MAX = 2_000;

const HOP_BY_HOP = ['connection', 'keep-alive', 'te', 'trailer', 'trailers', 'transfer-encoding', 'upgrade', 'http2-settings'];
/** `host` is written anew; `expect` was answered by the router; `forwarded` would contradict X-Forwarded-For. */
const REQUEST_DROPPED = new Set([...HOP_BY_HOP, 'proxy', 'host', 'expect', 'forwarded', 'traceparent', 'x-cloud-trace-context']);
const REQUEST_DROPPED_PREFIXES = ['x-appengine-', 'x-google-', 'x-forwarded-', 'proxy-'];
/** Names that another spelling must not imitate: WSGI and CGI read `_` and `-` as the same. */
const NOT_IMITATED = new Set(['content-length', 'content-type', 'authorization', 'cookie']);
/** App Engine's front end writes its own Date and Server. */
const RESPONSE_DROPPED = new Set([...HOP_BY_HOP, 'date', 'server']);
const RESPONSE_DROPPED_PREFIXES = ['x-appengine-', 'proxy-'];

const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** What would begin another header. Node's parsers let none of it through; behind this nothing looks again. */
const NOT_IN_VALUES = /[\0\r\n]/;

const PLAIN_CONNECTION = /^(?:keep-alive|close|upgrade|keep-alive, *upgrade)$/i;

export class HeaderPolicy {
  readonly #domain: string;
  readonly #nobodyHeaders: readonly string[];
  readonly #requestVerdicts = new Map<string, RequestVerdict>();
  readonly #responseVerdicts = new Map<string, ResponseVerdict>();

  /** `domain` is shared by all apps. */
  constructor(domain: string) {
    this.#domain = domain.toLowerCase();
    this.#nobodyHeaders = this.#userHeaders({ userId: '', email: '', isAdmin: false });
  }

  /** Headers for the instance: the client's own that may pass, then ours. */
  forInstance(raw: readonly string[], facts: RequestFacts): string[] {
    const { clientAddress, host, isHttps, requestId, trace } = facts;
    const headers: string[] = ['host', host];
    let named: Set<string> | undefined;
    let forwardedFor = '';
    for (let index = 0; index + 1 < raw.length; index += 2) {
      const name = raw[index] ?? '';
      const value = raw[index + 1] ?? '';
      if (NOT_IN_VALUES.test(value)) continue;
      switch (this.#requestVerdict(name)) {
        case 'keep':
          headers.push(name, value);
          break;
        case 'platform':
          if (facts.isPlatformCall) headers.push(name, value);
          break;
        case 'connection':
          if (value !== 'keep-alive' && !PLAIN_CONNECTION.test(value)) named = addNames(named, value);
          break;
        case 'cookie': {
          const left = withoutOurCookies(value);
          if (left !== undefined) headers.push(name, left);
          break;
        }
        case 'forwarded-for':
          forwardedFor += `${value}, `;
          break;
        case 'trace-state':
          if (facts.trace?.keepsState) headers.push(name, value);
          break;
        case 'drop':
          break;
      }
    }
    const kept = named ? without(headers, named, 2) : headers;
    // X-Appengine-* as documented by App Engine; the place is never known here, which its values have words for.
    kept.push(
      'x-forwarded-for',
      forwardedFor + facts.peerAddress,
      'x-forwarded-proto',
      isHttps ? 'https' : 'http',
      'x-forwarded-host',
      host,
      'x-cloud-trace-context',
      trace ? trace.cloudTraceContext : ownCloudTraceContext(requestId),
      'traceparent',
      trace ? trace.traceparent : ownTraceparent(requestId),
      'x-appengine-user-ip',
      clientAddress,
      'x-appengine-https',
      isHttps ? 'on' : 'off',
      'x-appengine-default-version-hostname',
      facts.defaultHostname,
      'x-appengine-request-log-id',
      requestId,
      'x-appengine-api-ticket',
      requestId,
      'x-appengine-timeout-ms',
      String(facts.deadlineMs),
      'x-appengine-country',
      'ZZ',
      'x-appengine-region',
      '?',
      'x-appengine-city',
      '?',
      'x-appengine-citylatlong',
      '0.000000,0.000000',
    );
    if (facts.readsTrailers) kept.push('te', 'trailers');
    if (facts.trailers !== undefined) kept.push('trailer', facts.trailers);
    const { visitor } = facts;
    kept.push(...(visitor ? this.#userHeaders(visitor) : this.#nobodyHeaders));
    return kept;
  }

  /**
   * Headers for the client. `newBucket` becomes the traffic split's cookie unless the app sets its own.
   * Throws ROUTE_BAD_RESPONSE when a header cannot be passed on.
   */
  forClient(raw: readonly string[], newBucket?: number): ResponseHead {
    const headers: string[] = [];
    let named: Set<string> | undefined;
    let contentLength: number | undefined;
    let trailers: string | undefined;
    let setsBucket = false;
    let setsCacheControl = false;
    for (let index = 0; index + 1 < raw.length; index += 2) {
      const name = raw[index] ?? '';
      const verdict = this.#responseVerdict(name);
      if (verdict === 'drop') continue;
      const value = raw[index + 1] ?? '';
      switch (verdict) {
        case 'connection':
          if (value !== 'keep-alive' && !PLAIN_CONNECTION.test(value)) named = addNames(named, value);
          continue;
        case 'trailer':
          trailers = passedAnnouncement(trailers === undefined ? value : `${trailers}, ${value}`);
          continue;
        case 'length': {
          const before = contentLength;
          contentLength = lengthOf(value, before);
          if (before !== undefined) continue;
          break;
        }
        case 'cookie':
          headers.push(name, withoutSharedDomain(value, this.#domain));
          setsBucket ||= value.startsWith(`${SPLIT_COOKIE}=`);
          continue;
        case 'cache-control':
          setsCacheControl = true;
          break;
        case 'keep':
          break;
      }
      headers.push(name, value);
    }
    const kept = named ? without(headers, named, 0) : headers;
    if (newBucket !== undefined && !setsBucket) {
      kept.push('Set-Cookie', splitCookie(newBucket));
      // One client's bucket must not reach another through a cache.
      if (!setsCacheControl) kept.push('Cache-Control', 'private');
    }
    return { headers: kept, contentLength, trailers };
  }

  /** Empty for nobody, as App Engine's are. */
  #userHeaders({ email, userId, isAdmin }: Visitor): readonly string[] {
    if (NOT_IN_VALUES.test(email) || NOT_IN_VALUES.test(userId)) return this.#nobodyHeaders;
    const at = email.lastIndexOf('@');
    // App Engine: the name alone for addresses of the platform's own domain.
    const nickname = email.slice(at + 1).toLowerCase() === this.#domain ? email.slice(0, at) : email;
    return [
      'x-appengine-user-email',
      email,
      'x-appengine-user-id',
      userId,
      'x-appengine-user-nickname',
      nickname,
      'x-appengine-user-organization',
      '',
      'x-appengine-auth-domain',
      this.#domain,
      'x-appengine-user-is-admin',
      isAdmin ? '1' : '0',
    ];
  }

  #requestVerdict(name: string): RequestVerdict {
    const known = this.#requestVerdicts.get(name);
    if (known) return known;
    const verdict = judgeRequestHeader(name);
    if (this.#requestVerdicts.size < NAMES_REMEMBERED_MAX) this.#requestVerdicts.set(name, verdict);
    return verdict;
  }

  #responseVerdict(name: string): ResponseVerdict {
    const known = this.#responseVerdicts.get(name);
    if (known) return known;
    const verdict = judgeResponseHeader(name);
    if (this.#responseVerdicts.size < NAMES_REMEMBERED_MAX) this.#responseVerdicts.set(name, verdict);
    return verdict;
  }
}

function judgeRequestHeader(name: string): RequestVerdict {
  const exact = name.toLowerCase();
  const plain = exact.replaceAll('_', '-');
  if (!NAME.test(exact)) return 'drop';
  if (exact === 'connection') return 'connection';
  if (exact === 'cookie') return 'cookie';
  if (exact === 'x-forwarded-for') return 'forwarded-for';
  if (exact === 'tracestate') return 'trace-state';
  if (PLATFORM_CALL_HEADERS.has(exact)) return 'platform';
  if (REQUEST_DROPPED.has(plain) || REQUEST_DROPPED_PREFIXES.some((prefix) => plain.startsWith(prefix))) return 'drop';
  return exact !== plain && NOT_IMITATED.has(plain) ? 'drop' : 'keep';
}

function judgeResponseHeader(name: string): ResponseVerdict {
  const exact = name.toLowerCase();
  switch (exact) {
    case 'connection':
      return 'connection';
    case 'set-cookie':
      return 'cookie';
    case 'content-length':
      return 'length';
    case 'trailer':
      return 'trailer';
    case 'cache-control':
      return 'cache-control';
    default:
      return RESPONSE_DROPPED.has(exact) || RESPONSE_DROPPED_PREFIXES.some((prefix) => exact.startsWith(prefix)) ? 'drop' : 'keep';
  }
}

/** A cookie whose Domain is the shared domain or one above it would reach every app: it loses that attribute. */
export function withoutSharedDomain(cookie: string, domain: string): string {
  if (!/;\s*domain/i.test(cookie)) return cookie;
  const attributes = cookie.split(';');
  const kept = attributes.filter((attribute, index) => {
    const equals = attribute.indexOf('=');
    if (index === 0 || equals < 0 || attribute.slice(0, equals).trim().toLowerCase() !== 'domain') return true;
    const value = attribute
      .slice(equals + 1)
      .trim()
      .replaceAll(/^["'.]+|["'.]+$/g, '')
      .toLowerCase();
    return value !== domain && !domain.endsWith(`.${value}`);
  });
  return kept.join(';');
}

function lengthOf(value: string, before: number | undefined): number {
  const length = /^\d{1,15}$/.test(value) ? Number(value) : NaN;
  if (Number.isNaN(length) || (before !== undefined && before !== length)) {
    throw new PlatformError('ROUTE_BAD_RESPONSE', 'its Content-Length is not one number');
  }
  return length;
}

function addNames(names: Set<string> | undefined, connection: string): Set<string> {
  const added = names ?? new Set<string>();
  for (const name of connection.split(',')) added.add(name.trim().toLowerCase());
  return added;
}

/** Pairs from `from` on whose name is not in `names`; what stands before is kept. */
function without(headers: readonly string[], names: ReadonlySet<string>, from: number): string[] {
  const kept = headers.slice(0, from);
  for (let index = from; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? '';
    if (!names.has(name.toLowerCase())) kept.push(name, headers[index + 1] ?? '');
  }
  return kept;
}
