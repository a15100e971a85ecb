import { createHash, timingSafeEqual } from 'node:crypto';
import { type RequestHandler } from 'express';
import { PlatformError } from '../sdk/contract/errors.ts';

/** Lets a request pass whose `Authorization` bears `token`; any other is UNAUTHENTICATED. */
export function bearerToken(token: string): RequestHandler {
  const wanted = digest(token);
  return (request, response, next) => {
    const given = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(request.headers.authorization ?? '')?.[1];
    // Digests have one length, so comparing them takes one time whatever was given.
    if (given !== undefined && timingSafeEqual(digest(given), wanted)) {
      next();
      return;
    }
    response.set('WWW-Authenticate', 'Bearer');
    next(new PlatformError('UNAUTHENTICATED'));
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
