import { describe, expect, it } from 'vitest';
import { ERRORS, type ErrorCode } from '../sdk/contract/errors.ts';
import { AppErrorPages } from './app-error-pages.ts';
import { errorAnswer } from './error-page.ts';
import { type ErrorPageSpec } from './ports.ts';

const page = (cause: ErrorPageSpec['cause'], text: string): ErrorPageSpec => ({ cause, mimeType: 'text/html', content: Buffer.from(text) });
const shown = (pages: AppErrorPages, code: ErrorCode): string | undefined => pages.pageFor(code)?.body.toString();

describe('AppErrorPages', () => {
  const all = new AppErrorPages([page('default', 'sorry'), page('over_quota', 'sold out'), page('timeout', 'too slow')]);

  it.each([
    ['QUOTA_EXCEEDED', 'sold out'],
    ['ROUTE_DEADLINE', 'too slow'],
    ['ROUTE_PENDING_TIMEOUT', 'sorry'],
    ['ROUTE_QUEUE_FULL', 'sorry'],
    ['ROUTE_START_FAILED', 'sorry'],
    ['ROUTE_INSTANCE_FAILED', 'sorry'],
    ['ROUTE_BAD_RESPONSE', 'sorry'],
    ['INSTANCE_EXITED', 'sorry'],
    ['INTERNAL', 'sorry'],
  ] as const)('for %s are %s', (code, text) => expect(shown(all, code)).toBe(text));

  it.each([
    'ROUTE_STATIC_NOT_FOUND',
    'ROUTE_BODY_TOO_LARGE',
    'ROUTE_BAD_REQUEST',
    'LOGIN_REQUIRED',
    'ADMIN_REQUIRED',
    'ROUTE_PATH_RESERVED',
  ] as const)('are not for %s, which is the visitor\u2019s own', (code) => expect(shown(all, code)).toBeUndefined());

  it('fall back to the default page, and to the platform\u2019s', () => {
    const some = new AppErrorPages([page('default', 'sorry')]);
    expect(shown(some, 'QUOTA_EXCEEDED')).toBe('sorry');
    expect(shown(new AppErrorPages([page('timeout', 'too slow')]), 'QUOTA_EXCEEDED')).toBeUndefined();
  });

  it('go out with the error\u2019s status, their own type, and no rule for what they load', () => {
    const answer = errorAnswer('QUOTA_EXCEEDED', 'r1', 'text/html', { retryAfterSeconds: 60 }, all);
    expect(answer.status).toBe(ERRORS.QUOTA_EXCEEDED.httpStatus);
    expect(answer.body.toString()).toBe('sold out');
    expect(answer.headers).toEqual([
      ...['Content-Type', 'text/html', 'Content-Length', '8', 'Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff'],
      ...['Retry-After', '60'],
    ]);
  });
});
