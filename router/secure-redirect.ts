// Redirects between HTTP and HTTPS, which `secure:` of app.yaml asks for.
import { type RequestHead } from './request-guard.ts';

/** Ports of this router's own, known once it listens; absent: the scheme's usual one, in front of this router. */
export interface PublicPorts {
  http?: number;
  https?: number;
}

const USUAL = { http: 80, https: 443 };

/** Redirects to HTTPS keep the query; App Engine's to HTTP drop it. */
export function redirectHeaders(head: RequestHead, scheme: 'http' | 'https', ports: PublicPorts): string[] {
  const host = head.host.replace(/:\d+$/, '');
  const target = scheme === 'https' ? head.target : (head.target.split('?', 1)[0] ?? '/');
  const port = ports[scheme] ?? USUAL[scheme];
  const suffix = port === USUAL[scheme] ? '' : `:${port}`;
  return ['Location', `${scheme}://${host}${suffix}${target}`, 'Content-Length', '0', 'Cache-Control', 'no-cache'];
}
