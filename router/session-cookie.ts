// The cookies of signing in. Host-only, so that no other app is sent them; over HTTPS with the prefix that keeps
// everybody but this very host from setting them.

export const SESSION_COOKIE = 'appengine-session';
/** Ties a log-in form to the browser that loaded it. */
export const FORM_COOKIE = 'appengine-form';

const SECURE_PREFIX = '__Host-';
/** Cookies of one name that are looked at: a path's own cookie may stand before the host's. */
const SAME_NAME_MAX = 3;
const OURS = /^(?:__Host-)?appengine-(?:session|form)$/;

/** Values of the cookie in a Cookie header, as they come. */
export function cookieValues(header: string | undefined, name: string, isHttps: boolean): readonly string[] {
  // Nearly every request ends here.
  if (header === undefined || !header.includes(name)) return [];
  const wanted = cookieName(name, isHttps);
  const values: string[] = [];
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals > 0 && pair.slice(0, equals).trim() === wanted && values.push(pair.slice(equals + 1).trim()) === SAME_NAME_MAX) break;
  }
  return values;
}

/** The header's value without the platform's own cookies, which apps have no use for; undefined when nothing is left. */
export function withoutOurCookies(header: string): string | undefined {
  if (!header.includes('appengine-')) return header;
  const kept = header.split(';').filter((pair) => !OURS.test((pair.split('=', 1)[0] ?? '').trim()));
  return kept.length === 0 ? undefined : kept.join(';').trim();
}

/** A Set-Cookie value; a lifetime of 0 seconds removes the cookie. */
export function setCookie(name: string, value: string, isHttps: boolean, seconds: number): string {
  return `${cookieName(name, isHttps)}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${isHttps ? '; Secure' : ''}`;
}

function cookieName(name: string, isHttps: boolean): string {
  return isHttps ? SECURE_PREFIX + name : name;
}
