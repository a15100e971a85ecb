import { expect, it } from 'vitest';
import { LIMITS } from '../sdk/contract/limits.ts';
import { continueTarget } from './continue-target.ts';

const HOST = 'shop.localhost:8080';

it.each([
  [undefined, '/'],
  ['', '/'],
  ['/', '/'],
  ['/cart?item=1&next=//evil.example#top', '/cart?item=1&next=//evil.example#top'],
  ['/gr%C3%BC%C3%9Fe/grüße', '/gr%C3%BC%C3%9Fe/gr%C3%BC%C3%9Fe'],
  ['http://shop.localhost:8080/cart', '/cart'],
  ['HTTP://SHOP.localhost:8080', '/'],
  ['https://shop.localhost:8080/cart', '/cart'],
  ['/_ah/login?continue=/x', '/'],
  ['/_ah/logout', '/'],
  ['/_AH//logout;x', '/'],
  ['/_ah/logins', '/_ah/logins'],
])('goes on from %j to %j', (text, target) => {
  expect(continueTarget(text, HOST)).toBe(target);
});

it.each([
  '//evil.example',
  '///evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  '/.//evil.example',
  '/a/..//evil.example',
  '/%2e//evil.example',
  '/\t/evil.example',
  '/\n/evil.example',
  ' //evil.example',
  'javascript:alert(1)',
  'JavaScript://shop.localhost:8080/%0aalert(1)',
  'data:text/html,x',
  'http:evil.example',
  'http:/evil.example',
  'http://evil.example/',
  'http://evil.example:8080/',
  'http://shop.localhost:8080@evil.example/',
  'http://user@shop.localhost:8080/',
  'http://shop.localhost:8080.evil.example/',
  'http://shop.localhost:9090/',
  'http://shop.localhost/',
  'http://blog.localhost:8080/',
  'http://[/',
  'cart',
  '/x\r\nSet-Cookie: a=b',
  '/x\u0000',
  `/${'x'.repeat(LIMITS.loginUrlCharactersMax)}`,
])('refuses %j', (text) => {
  expect(() => continueTarget(text, HOST)).toThrow(expect.objectContaining({ code: 'LOGIN_REDIRECT_REFUSED' }));
});

it('knows the default port of https', () => {
  expect(continueTarget('https://shop.example.com/x', 'shop.example.com')).toBe('/x');
  expect(continueTarget('https://shop.example.com:443/x', 'shop.example.com')).toBe('/x');
});
