// What a redirect asks for, by the Fetch standard's rules. Pure.
import { type FetchTarget, parseFetchTarget } from './fetch-target.ts';
import { withoutHeaders } from './fetch-headers.ts';

export interface Hop {
  readonly target: FetchTarget;
  readonly method: string;
  /** Names and values in turn, as the app gave them. */
  readonly headers: string[];
  readonly body: Uint8Array | null;
}

const REDIRECTS = [301, 302, 303, 307, 308];
const ABOUT_THE_BODY = ['content-type', 'content-length', 'content-encoding', 'content-language', 'content-location'];
/** What was meant for one site is not for another. */
const SECRETS = ['authorization', 'cookie'];

/** Undefined when the answer is no redirect. Throws FETCH_INVALID when it leads to what is not an http or https URL. */
export function nextHop({ target, method, headers, body }: Hop, status: number, location: string | undefined): Hop | undefined {
  if (!REDIRECTS.includes(status) || location === undefined) return undefined;
  const next = parseFetchTarget(resolved(location, target.href));
  const kept = next.origin === target.origin ? headers : withoutHeaders(headers, SECRETS);
  const becomesGet = (status === 303 && method !== 'HEAD' && method !== 'GET') || (status <= 302 && method === 'POST');
  if (!becomesGet) return { target: next, method, headers: [...kept], body };
  return { target: next, method: 'GET', headers: withoutHeaders(kept, ABOUT_THE_BODY), body: null };
}

/** An unreadable address stays as it is, for parseFetchTarget to refuse. */
function resolved(location: string, base: string): string {
  try {
    const url = new URL(location, base);
    url.hash = '';
    return url.href;
  } catch {
    return location;
  }
}
