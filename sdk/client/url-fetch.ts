import {
  LOOP_HEADER,
  LOOP_SYMBOL,
  URL_FETCH_SERVICE,
  type UrlFetchAnswer,
  type UrlFetchCall,
  type UrlFetchMethod,
} from '../contract/services/url-fetch.ts';
import { LIMITS } from '../contract/limits.ts';
import { type Rpc } from '../contract/wire/client.ts';

export interface UrlFetchOptions {
  /** Default GET. */
  readonly method?: UrlFetchMethod;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly payload?: string | Uint8Array;
  /** Five hops at most. Default true. */
  readonly followRedirects?: boolean;
  /** Default 10 s, at most 60 s. */
  readonly deadlineMs?: number;
  /** False takes any certificate, forged ones too. Default true. */
  readonly validateCertificate?: boolean;
  /** An answer over the limit is cut instead of refused. Default false. */
  readonly allowTruncated?: boolean;
}

export interface UrlFetchResult {
  readonly status: number;
  /** By name in lower case; a header that came several times is joined by a comma and a space, but `set-cookie`, see `setCookies`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly setCookies: readonly string[];
  readonly content: Uint8Array;
  readonly finalUrl: string;
  readonly contentWasTruncated: boolean;
}

/** The deadline is the platform's to keep; the wait for its word about it is a little longer. */
const SLACK_MS = 5_000;

/** App Engine's urlfetch. An app may as well use `fetch` or `http`: they reach the outside the same way. */
export class UrlFetchClient {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  /** Resolves with any answer of the target, 404 and 500 too. Throws FETCH_*. */
  async fetch(url: string | URL, options: UrlFetchOptions = {}): Promise<UrlFetchResult> {
    const { payload, deadlineMs = LIMITS.fetchDeadlineMs } = options;
    const call: UrlFetchCall = {
      url: String(url),
      method: options.method ?? 'GET',
      headers: Object.entries({ ...loopHeader(), ...options.headers }).flatMap(([name, value]) =>
        typeof value === 'string' ? [[name, value] as const] : value.map((each) => [name, each] as const),
      ),
      ...(payload === undefined ? {} : { payload: typeof payload === 'string' ? new TextEncoder().encode(payload) : payload }),
      followRedirects: options.followRedirects ?? true,
      deadlineMs,
      validateCertificate: options.validateCertificate ?? true,
      allowTruncated: options.allowTruncated ?? false,
    };
    const answer = (await this.#rpc.call(URL_FETCH_SERVICE, 'fetch', call, { deadlineMs: deadlineMs + SLACK_MS })) as UrlFetchAnswer;
    const { status, content, finalUrl, contentWasTruncated } = answer;
    return { status, ...headersOf(answer), content, finalUrl, contentWasTruncated };
  }
}

function headersOf(answer: UrlFetchAnswer): Pick<UrlFetchResult, 'headers' | 'setCookies'> {
  const headers = new Map<string, string>();
  const setCookies: string[] = [];
  for (const [spelled, value] of answer.headers) {
    const name = spelled.toLowerCase();
    if (name === 'set-cookie') {
      setCookies.push(value);
      continue;
    }
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return { headers: Object.fromEntries(headers), setCookies };
}

/** What the request that this fetch serves has come through, where the platform's preload knows it. */
function loopHeader(): Readonly<Record<string, string>> {
  const current = (globalThis as { readonly [key: symbol]: (() => string | undefined) | undefined })[Symbol.for(LOOP_SYMBOL)]?.();
  return current === undefined ? {} : { [LOOP_HEADER]: current };
}
