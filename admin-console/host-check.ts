import { isIP } from 'node:net';
import { type RequestHandler } from 'express';
import { PlatformError } from '../sdk/contract/errors.ts';

/**
 * Refuses requests whose Host names another site: a page elsewhere that makes its own name resolve to this machine would
 * otherwise reach the console as if it were of its origin (DNS rebinding). Addresses need no name and cannot be rebound.
 */
export function hostCheck(hostNames: readonly string[]): RequestHandler {
  const allowed = new Set(['localhost', ...hostNames.map((name) => name.toLowerCase())]);
  return (request, _response, next) => {
    const name = hostName(request.headers.host);
    if (name !== undefined && (allowed.has(name) || isIP(name) !== 0)) next();
    else next(new PlatformError('HOST_REFUSED', JSON.stringify((request.headers.host ?? '').slice(0, 100))));
  };
}

/** Lower case, without port and brackets; undefined when it is no host. */
function hostName(host: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::\d{1,5})?$/i.exec(host ?? '');
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}
