// Where a request goes, read from the app's text without changing a byte of its path (security: 31, 34, 37).
import { isIP } from 'node:net';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';

export interface FetchTarget {
  readonly isHttps: boolean;
  /** A name, or an IP address without brackets, in the one form that WHATWG's URL gives it: 2130706433 is 127.0.0.1 here. */
  readonly hostname: string;
  readonly port: number;
  /** `http://host:port`, without a default port. */
  readonly origin: string;
  /** Path and query as they go out. */
  readonly path: string;
  readonly href: string;
}

/** What would end a line or a word of the request, or is not ASCII: a URL carries those percent-encoded. */
const NOT_IN_A_URL = /[^\x21-\x7e]/;
const ABSOLUTE = /^(https?):\/\/([^/?#\\]+)([^#]*)/i;

/** Throws FETCH_INVALID unless it is an absolute http or https URL without user information. */
export function parseFetchTarget(text: string): FetchTarget {
  if (text.length > LIMITS.fetchUrlBytesMax) throw refused(`the URL is longer than ${LIMITS.fetchUrlBytesMax} bytes`);
  if (NOT_IN_A_URL.test(text)) throw refused('the URL holds a control character, a space, or one that must be percent-encoded');
  const match = ABSOLUTE.exec(text);
  if (!match) throw refused('only absolute http:// and https:// URLs can be fetched');
  const [, scheme = '', authority = '', rest = ''] = match;
  if (authority.includes('@')) throw refused('the URL holds a user name or password; send an Authorization header');
  let url: URL;
  try {
    url = new URL(`${scheme}://${authority}/`);
  } catch {
    throw refused('the host name or the port of the URL is malformed');
  }
  const isHttps = url.protocol === 'https:';
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  // A name that ends with a dot is the same name, and certificates are without it.
  const name = isIP(hostname) === 0 ? hostname.replace(/\.$/, '') : hostname;
  if (name === '') throw refused('the URL has no host name');
  const path = rest.startsWith('/') ? rest : `/${rest}`;
  const port = url.port === '' ? (isHttps ? 443 : 80) : Number(url.port);
  return { isHttps, hostname: name, port, origin: url.origin, path, href: `${url.origin}${path}` };
}

/** Where a tunnel leads: `host:port` of a CONNECT. Throws FETCH_INVALID for anything else. */
export function parseTunnelTarget(text: string): FetchTarget {
  if (!/:\d{1,5}$/.test(text) || /[/?#]/.test(text)) throw refused('CONNECT takes host:port');
  return parseFetchTarget(`https://${text}`);
}

function refused(reason: string): PlatformError {
  return new PlatformError('FETCH_INVALID', reason);
}
