import { type Request, type Response } from 'express';
import { isHttps } from './own-page.ts';

const NAME = 'appengine-console';
const COOKIE_HEADER_BYTES_MAX = 8 * 1024;

/**
 * Bound to the one host (no Domain), out of reach of scripts, never sent along by other sites. By https its name starts
 * with `__Host-`, which browsers accept from that host alone. By http it ends in the port: cookies ignore ports, and two
 * platforms on one machine would sign each other out.
 */
export function sessionCookie(request: Request): { readonly name: string; readonly value: string | undefined } {
  const name = isHttps(request) ? `__Host-${NAME}` : `${NAME}-${/:(\d+)$/.exec(request.headers.host ?? '')?.[1] ?? '80'}`;
  const header = request.headers.cookie ?? '';
  if (header.length > COOKIE_HEADER_BYTES_MAX) return { name, value: undefined };
  const values = header
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part.startsWith(`${name}=`))
    .map((part) => part.slice(name.length + 1));
  // Twice the same name: one of them was planted, so neither counts.
  return { name, value: values.length === 1 ? values[0] : undefined };
}

export function setSessionCookie(request: Request, response: Response, token: string, lifeMs: number): void {
  response.append('Set-Cookie', `${sessionCookie(request).name}=${token}; Max-Age=${Math.floor(lifeMs / 1000)}${attributes(request)}`);
}

export function clearSessionCookie(request: Request, response: Response): void {
  response.append('Set-Cookie', `${sessionCookie(request).name}=; Max-Age=0${attributes(request)}`);
}

function attributes(request: Request): string {
  return `; Path=/; HttpOnly; SameSite=Strict${isHttps(request) ? '; Secure' : ''}`;
}
