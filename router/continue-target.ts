// Where a log-in or log-out goes on to: only within the host that asks, or a log-in page would send its visitors to
// whoever wrote the link (security: hostile number 61).
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';

/** Line ends and tabs, which URL parsers drop before they read; and `\`, which browsers read as `/`. */
const UNSAFE = /[\u0000-\u0020\u007f\\]/;
/** Going on to these would end what has just begun. */
const SIGN_IN_PAGE = /^\/+_ah\/+log(?:in|out)(?:[/;?#]|$)/i;

/**
 * `text` as a path with its query on `host` (name and port, as the client sent it): `/` for nothing. Takes a path, or a
 * whole http or https URL of that very host. Throws LOGIN_REDIRECT_REFUSED.
 */
export function continueTarget(text: string | undefined, host: string): string {
  if (text === undefined || text === '') return '/';
  if (text.length > LIMITS.loginUrlCharactersMax) refuse(`it has more than ${LIMITS.loginUrlCharactersMax} characters`);
  if (UNSAFE.test(text)) refuse('it holds a space, a control character or a backslash');
  const isPath = text.startsWith('/') && !text.startsWith('//');
  if (!isPath && !/^https?:\/\//i.test(text)) refuse('it is neither a path nor an http address');
  const base = `http://${host}`;
  if (!URL.canParse(text, base) || !URL.canParse(base)) refuse('it is not an address');
  const url = new URL(text, base);
  const own = new URL(url.protocol === 'https:' ? `https://${host}` : base);
  if (url.host !== own.host || url.username !== '' || url.password !== '') refuse('it belongs to another host');
  const target = `${url.pathname}${url.search}${url.hash}`;
  // `/.//elsewhere` becomes `//elsewhere` when its dots are gone.
  if (target.startsWith('//')) refuse('it begins with two slashes');
  return SIGN_IN_PAGE.test(target) ? '/' : target;
}

function refuse(reason: string): never {
  throw new PlatformError('LOGIN_REDIRECT_REFUSED', reason);
}
