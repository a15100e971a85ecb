// Who asks: the bearer of the owner token, or a browser with a session's cookie.
import { createHash, timingSafeEqual } from 'node:crypto';
import { type Request, type RequestHandler, type Response } from 'express';
import { type SessionView } from '../sdk/contract/admin/session.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { type ConsoleAccess, isCsrfToken } from './console-access.ts';
import { isOwnPage } from './own-page.ts';
import { sessionCookie } from './session-cookie.ts';

export type Caller = { readonly kind: 'bearer' } | { readonly kind: 'session'; readonly token: string; readonly view: SessionView };

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const callers = new WeakMap<Request, Caller>();

/**
 * Lets a request pass whose `Authorization` bears the token, or whose cookie is that of a live session; what changes
 * something by cookie must come from the console's own page and carry the session's token. Throws UNAUTHENTICATED, CSRF_REFUSED.
 */
export function authentication(ownerToken: string, access: ConsoleAccess | undefined): RequestHandler {
  const wanted = digest(ownerToken);
  return (request, response, next) => {
    // Who sends a token means it: a wrong one is not made good by a cookie beside it.
    const caller = request.headers.authorization === undefined ? bySession(request, access) : byBearer(request, wanted);
    if (!caller) {
      response.set('WWW-Authenticate', 'Bearer');
      next(new PlatformError('UNAUTHENTICATED'));
      return;
    }
    if (caller.kind === 'session' && !SAFE_METHODS.has(request.method)) checkCsrf(request, caller.view);
    callers.set(request, caller);
    next();
  };
}

/** Who made a request that `authentication` let pass. */
export function callerOf(request: Request): Caller {
  const caller = callers.get(request);
  if (!caller) throw new PlatformError('UNAUTHENTICATED');
  return caller;
}

/** Only for the command line: a page in a browser must not make new ways in. */
export function bearerOnly(request: Request, _response: Response, next: () => void): void {
  if (callerOf(request).kind !== 'bearer') throw new PlatformError('UNAUTHENTICATED', 'this call wants the owner token');
  next();
}

function byBearer(request: Request, wanted: Buffer): Caller | undefined {
  const given = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(request.headers.authorization ?? '')?.[1];
  // Digests have one length, so comparing them takes one time whatever was given.
  return given !== undefined && timingSafeEqual(digest(given), wanted) ? { kind: 'bearer' } : undefined;
}

function bySession(request: Request, access: ConsoleAccess | undefined): Caller | undefined {
  const token = sessionCookie(request).value;
  const view = token === undefined ? undefined : access?.sessionOf(token);
  return token !== undefined && view ? { kind: 'session', token, view } : undefined;
}

function checkCsrf(request: Request, view: SessionView): void {
  const given = request.get('x-csrf-token');
  if (isOwnPage(request) !== 'yes') throw new PlatformError('CSRF_REFUSED', 'it was sent by another page');
  if (!isCsrfToken(view, given)) throw new PlatformError('CSRF_REFUSED', 'X-Csrf-Token is missing or wrong');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
