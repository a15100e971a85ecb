import { type RequestHandler } from 'express';
import helmet from 'helmet';

/**
 * What a page of the console may load: its own files, nothing else, and no script in its text. With a nonce it may make
 * styles that bear it.
 */
export function contentSecurityPolicy(nonce?: string): string {
  const directives = [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self'${nonce === undefined ? '' : ` 'nonce-${nonce}'`}`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "frame-src 'self' blob:",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ];
  return directives.join('; ');
}

const PERMISSIONS_POLICY = ['camera', 'microphone', 'geolocation', 'payment', 'usb', 'browsing-topics']
  .map((name) => `${name}=()`)
  .join(', ');

/** On every answer. Some by hand: the library's default policy upgrades to https, which breaks a console that is served over plain http. */
export function securityHeaders(): RequestHandler[] {
  const policy = contentSecurityPolicy();
  return [
    helmet({
      contentSecurityPolicy: false,
      strictTransportSecurity: false,
      referrerPolicy: { policy: 'no-referrer' },
      xFrameOptions: { action: 'deny' },
    }),
    (_request, response, next) => {
      response.set({ 'Content-Security-Policy': policy, 'Permissions-Policy': PERMISSIONS_POLICY });
      next();
    },
  ];
}
