import { expect, it } from 'vitest';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { systemTimers } from '../../sdk/support/clock.ts';
import { UsersClient } from '../../sdk/client/users.ts';
import { usersApi } from './users.ts';

const caller = { id: 'i1', appId: 'shop', service: 'default', version: 'v1' };
const service = usersApi({ domain: 'example.com', port: 8080 }).serviceOf(caller);
const users = new UsersClient(new InProcessRpc([service], systemTimers));

it.each([
  ['/', '/_ah/login?continue=%2F'],
  ['/cart?item=1&x=y', '/_ah/login?continue=%2Fcart%3Fitem%3D1%26x%3Dy'],
  ['http://shop.example.com:8080/cart', 'http://shop.example.com:8080/_ah/login?continue=%2Fcart'],
  ['https://SHOP.example.com/cart', 'https://shop.example.com/_ah/login?continue=%2Fcart'],
  ['http://api-dot-shop.example.com/x', 'http://api-dot-shop.example.com/_ah/login?continue=%2Fx'],
])('sends people who want %s to %s', async (destination, url) => {
  expect(await users.loginUrl(destination)).toBe(url);
  expect(await users.logoutUrl(destination)).toBe(url.replace('login', 'logout'));
});

it.each([
  '//evil.example/',
  'http://evil.example/',
  'http://blog.example.com/',
  'http://shop.example.com.evil.example/',
  'http://shop.example.com:9090/',
  'http://shop.example.com@evil.example/',
  'http://example.com/',
  'javascript:alert(1)',
  '/\\evil.example',
  '/x\r\ny',
  `/${'x'.repeat(LIMITS.loginUrlCharactersMax)}`,
  `/${'ü'.repeat(1_000)}`,
])('refuses %j', async (destination) => {
  await expect(users.loginUrl(destination)).rejects.toMatchObject({ code: 'LOGIN_REDIRECT_REFUSED' });
});

it('refuses what is no text', async () => {
  await expect(users.loginUrl(5 as unknown as string)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});
