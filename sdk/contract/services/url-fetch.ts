// The payloads of the service `urlfetch` on an instance's API socket (App Engine: urlfetch).

export const URL_FETCH_SERVICE = 'urlfetch';

export const URL_FETCH_METHODS = ['GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'PATCH'] as const;
export type UrlFetchMethod = (typeof URL_FETCH_METHODS)[number];

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
