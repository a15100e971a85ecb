// What is known of a request before anything is decided: who asks, how it came, and its id.
import { type Clock, type Random } from '../sdk/support/clock.ts';
import { type RequestClient } from './client-connection.ts';
import { type ClientRequest } from './client-exchange.ts';
import { type Load, type LoadCaps } from './load-caps.ts';
import { platformAddress } from './platform-call.ts';
import { RequestIds } from './request-ids.ts';
import { type PublicPorts } from './secure-redirect.ts';
import { clientTrace, type TraceContext } from './trace-context.ts';

export interface RequestStart {
  readonly requestId: string;
  /** Wall clock. */
  readonly startedAtMs: number;
  /** Monotonic. */
  readonly startedMs: number;
  /** The client's, as far as it is known: a trusted proxy in front names it. */
  readonly clientAddress: string;
  /** What that client holds of this router. */
  readonly load: Load;
  readonly isHttps: boolean;
  /** What `secure:` of app.yaml goes by; undefined: redirects would lead nowhere, so it is ignored. */
  readonly isSecure: boolean | undefined;
  /** Whether the platform itself asks (a task, a cron job): trusted headers stay, and `login: admin` lets it in. */
  readonly isPlatformCall: boolean;
  /** The client's; absent: the request begins its own, named as itself. */
  readonly trace: TraceContext | undefined;
}

export interface FrontOptions {
  /** Addresses of proxies in front whose X-Forwarded-For and X-Forwarded-Proto are believed. */
  readonly trustedProxies: ReadonlySet<string>;
  /** Whether `secure:` redirects even where nothing tells how the client came. */
  readonly secureRedirects: boolean;
  /** What this router listens on. */
  readonly publicPorts: PublicPorts;
}

export class RequestStarts {
  readonly #clock: Clock;
  readonly #ids: RequestIds;
  readonly #caps: LoadCaps;
  readonly #options: FrontOptions;

  constructor(clock: Clock, random: Random, caps: LoadCaps, options: FrontOptions) {
    this.#clock = clock;
    this.#ids = new RequestIds(random);
    this.#caps = caps;
    this.#options = options;
  }

  newRequestId(): string {
    return this.#ids.next();
  }

  of(request: ClientRequest, client: RequestClient): RequestStart {
    const { headers } = request;
    const { isPlatform, address, isTls } = client;
    const isBehindProxy = this.#options.trustedProxies.has(address);
    const forwardedFor = isBehindProxy ? lastOf(headers['x-forwarded-for']) : undefined;
    const scheme = isBehindProxy ? lastOf(headers['x-forwarded-proto'])?.toLowerCase() : undefined;
    const named = forwardedFor === undefined || forwardedFor === '' ? undefined : forwardedFor;
    const isHttps = scheme === undefined ? isTls : scheme === 'https';
    return {
      requestId: this.#ids.next(),
      startedAtMs: this.#clock.nowMs(),
      startedMs: this.#clock.monotonicMs(),
      clientAddress: isPlatform ? platformAddress(headers) : (named ?? address),
      load: named === undefined ? client.load : this.#caps.loadOf(named),
      isHttps,
      isSecure: isPlatform ? undefined : this.#isSecure(isHttps, scheme !== undefined),
      isPlatformCall: isPlatform,
      trace: clientTrace(oneOf(headers['traceparent']), oneOf(headers['x-cloud-trace-context'])),
    };
  }

  #isSecure(isHttps: boolean, isTold: boolean): boolean | undefined {
    const { secureRedirects, publicPorts } = this.#options;
    const servesBoth = publicPorts.http !== undefined && publicPorts.https !== undefined;
    return isTold || secureRedirects || servesBoth ? isHttps : undefined;
  }
}

function lastOf(header: string | readonly string[] | undefined): string | undefined {
  const text = typeof header === 'string' ? header : header?.join(',');
  return text?.split(',').at(-1)?.trim();
}

function oneOf(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}
