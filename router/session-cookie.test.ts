import { expect, it } from 'vitest';
import { cookieValues, SESSION_COOKIE, setCookie, withoutOurCookies } from './session-cookie.ts';

it.each([
  [undefined, false, []],
  ['a=1; b=2', false, []],
  ['appengine-session=t', false, ['t']],
  ['a=1;appengine-session=t; b=2', false, ['t']],
  ['appengine-session=t', true, []],
  ['__Host-appengine-session=t', false, []],
  ['__Host-appengine-session=t', true, ['t']],
  ['x=appengine-session=t', false, []],
  ['Appengine-Session=t', false, []],
  ['appengine-session=1; appengine-session=2; appengine-session=3; appengine-session=4', false, ['1', '2', '3']],
] as const)('in %j, https %s, finds %j', (header, isHttps, values) => {
  expect(cookieValues(header, SESSION_COOKIE, isHttps)).toEqual(values);
});

it.each([
  ['a=1; b=2', 'a=1; b=2'],
  ['appengine-session=t', undefined],
  ['a=1; appengine-session=t; b=2', 'a=1; b=2'],
  ['appengine-session=t; a=1', 'a=1'],
  ['__Host-appengine-session=t; appengine-form=n; a=appengine-session', 'a=appengine-session'],
  ['appengine-theme=dark', 'appengine-theme=dark'],
])('of %j leaves the app %j', (header, left) => {
  expect(withoutOurCookies(header)).toBe(left);
});

it('is host-only, out of reach of scripts and of other sites', () => {
  expect(setCookie(SESSION_COOKIE, 't', false, 60)).toBe('appengine-session=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax');
  expect(setCookie(SESSION_COOKIE, 't', true, 60)).toBe('__Host-appengine-session=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure');
});
