import { type Request } from 'express';

/**
 * Whether a page of the console's own origin sent this, as the browser itself says: `Sec-Fetch-Site`, which no script can
 * set, else `Origin`. Browsers send at least one of them with every request that changes something.
 */
export function isOwnPage(request: Request): 'yes' | 'no' | 'unknown' {
  const site = request.headers['sec-fetch-site'];
  const { origin } = request.headers;
  if (site !== undefined && site !== 'same-origin') return 'no';
  if (origin !== undefined && !isOwnOrigin(origin, request.headers.host)) return 'no';
  return site === undefined && origin === undefined ? 'unknown' : 'yes';
}

/** The scheme is left aside: behind a proxy that ends TLS it is not known here. Host and port must be those asked for. */
function isOwnOrigin(origin: string, host: string | undefined): boolean {
  return host !== undefined && /^https?:\/\/(.+)$/i.exec(origin)?.[1]?.toLowerCase() === host.toLowerCase();
}

/** Whether the browser reached the console by https, through a proxy in front. */
export function isHttps(request: Request): boolean {
  return request.get('x-forwarded-proto')?.split(',')[0]?.trim().toLowerCase() === 'https';
}
