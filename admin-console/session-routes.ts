import { Router } from 'express';
import { z } from 'zod';
import { type SignInRequest } from '../sdk/contract/admin/session.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { bearerOnly, callerOf } from './authentication.ts';
import { type ConsoleAccess } from './console-access.ts';
import { bodyOf, jsonBody } from './json-body.ts';
import { isHttps, isOwnPage } from './own-page.ts';
import { clearSessionCookie, setSessionCookie } from './session-cookie.ts';

const SIGN_IN_BODY_BYTES_MAX = 1024;

const signInRequest: z.ZodType<SignInRequest> = z.strictObject({ code: z.string().max(200) });

/** The one call that needs no authentication, because it gives one. */
export function signInRoutes(access: ConsoleAccess): Router {
  const router = Router();
  router.post('/sign-in', (request, _response, next) => {
    // Another page must not sign its reader in: what they do then would be seen by whoever made the code.
    if (isOwnPage(request) === 'no') throw new PlatformError('CSRF_REFUSED', 'it was sent by another page');
    next();
  });
  router.post('/sign-in', jsonBody(SIGN_IN_BODY_BYTES_MAX));
  router.post('/sign-in', async (request, response) => {
    const { code } = bodyOf(signInRequest, request);
    const { token, view } = await access.signIn(code, request.socket.remoteAddress ?? '');
    setSessionCookie(request, response, token, LIMITS.consoleSessionMs);
    response.set('Cache-Control', 'no-store').json(view);
  });
  return router;
}

export function sessionRoutes(access: ConsoleAccess): Router {
  const router = Router();
  router.post('/sign-in-links', bearerOnly, async (request, response) => {
    const { code, expiresAtMs } = await access.makeCode();
    const origin = `${isHttps(request) ? 'https' : 'http'}://${request.headers.host ?? ''}`;
    response.json({ url: signInUrl(origin, code), expiresAtMs });
  });
  router.get('/session', (request, response) => {
    const caller = callerOf(request);
    if (caller.kind !== 'session') throw new PlatformError('UNAUTHENTICATED', 'there is no session');
    response.json(caller.view);
  });
  router.delete('/session', async (request, response) => {
    const caller = callerOf(request);
    if (caller.kind !== 'session') throw new PlatformError('UNAUTHENTICATED', 'there is no session');
    await access.signOut(caller.token);
    clearSessionCookie(request, response);
    response.json({});
  });
  return router;
}

/** The code stands behind the `#`, so it reaches no server's log. */
function signInUrl(origin: string, code: string): string {
  return `${origin}/sign-in#code=${code}`;
}
