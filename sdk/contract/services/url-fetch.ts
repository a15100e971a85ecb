// The payloads of the service `urlfetch` on an instance's API socket (App Engine: urlfetch).

export const URL_FETCH_SERVICE = 'urlfetch';

export const URL_FETCH_METHODS = ['GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'PATCH'] as const;
export type UrlFetchMethod = (typeof URL_FETCH_METHODS)[number];

/**
 * RFC 8586: every hop that fetches adds itself, so that who fetches itself can be told. The router passes it on, the
 * preload of a language gives it to the fetches that a request leads to. A function by this symbol tells the current one.
 */
export const LOOP_HEADER = 'CDN-Loop';
export const LOOP_SYMBOL = 'appengine.fetchLoop';

export interface UrlFetchCall {
  readonly url: string;
  readonly method: UrlFetchMethod;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly payload?: Uint8Array;
  readonly followRedirects: boolean;
  readonly deadlineMs: number;
  readonly validateCertificate: boolean;
  readonly allowTruncated: boolean;
}

export interface UrlFetchAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly content: Uint8Array;
  /** Where the answer came from; differs from `url` after redirects. */
  readonly finalUrl: string;
  /** `content` is the beginning of a larger answer. */
  readonly contentWasTruncated: boolean;
}
