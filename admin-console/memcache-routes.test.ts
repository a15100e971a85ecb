import express from 'express';
import request from 'supertest';
import { beforeEach, expect, test } from 'vitest';
import { MemoryCache } from '../runtime/backends/cache-memory.ts';
import { MemcacheViewer } from '../runtime/services/memcache-viewer.ts';
import { encodeCacheValue } from '../sdk/client/memcache-value.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { VirtualTime } from '../sdk/support/virtual-time.ts';
import { errorAnswer, notFound } from './error-answer.ts';
import { memcacheRoutes } from './memcache-routes.ts';
import { type AppsApi } from './ports.ts';

const NOW_MS = 1_700_000_000_000;
const apps = {
  app: (id: string) => (id === 'shop' ? Promise.resolve({}) : Promise.reject(new PlatformError('APP_NOT_FOUND', id))),
} as unknown as AppsApi;

let cache: MemoryCache;
let server: express.Express;

beforeEach(() => {
  const time = new VirtualTime(NOW_MS);
  cache = new MemoryCache(time);
  server = express();
  server.set('query parser', 'simple');
  server.use(memcacheRoutes(apps, new MemcacheViewer(cache, time)), notFound, errorAnswer(new MemoryLog()));
});

const put = (body: object) => request(server).put('/apps/shop/memcache/entry').send(body);
const get = (query: object) => request(server).get('/apps/shop/memcache/entry').query(query);

test('text is put, shown with its end, and deleted', async () => {
  const written = await put({ namespace: 'eu', key: 'a b/ü', value: 'grüße', expirationSeconds: 60 });
  const view = { namespace: 'eu', key: 'a b/ü', value: 'grüße', encoding: 'text', bytes: 7, expiresAtMs: NOW_MS + 60_000 };
  expect(written.body).toEqual(view);
  expect((await get({ namespace: 'eu', key: 'a b/ü' })).body).toEqual(view);
  expect((await request(server).delete('/apps/shop/memcache/entry').query({ namespace: 'eu', key: 'a b/ü' })).body).toEqual({});
  const gone = await get({ namespace: 'eu', key: 'a b/ü' });
  expect([gone.status, gone.body.error.code]).toEqual([404, 'NOT_FOUND']);
});

test.each([
  [{ a: [1, null] }, '{"a":[1,null]}', 'json'],
  [5, '5', 'json'],
  [true, 'true', 'json'],
  [2n ** 64n, '18446744073709551616', 'json'],
  [Buffer.from([0, 255]), 'AP8=', 'base64'],
] as const)('a value that an app stored is shown: %#', async (value, text, encoding) => {
  await cache.store({ appId: 'shop', namespace: '' }, 'set', [{ key: 'k', ...encodeCacheValue(value), lifeMs: Infinity }]);
  expect((await get({ key: 'k' })).body).toMatchObject({ namespace: '', value: text, encoding });
});

test.each([99, 6, 4])('bytes that do not fit their flag %i are shown as bytes', async (flags) => {
  await cache.store({ appId: 'shop', namespace: '' }, 'set', [{ key: 'k', value: Buffer.from('{'), flags, lifeMs: Infinity }]);
  expect((await get({ key: 'k' })).body).toMatchObject({ value: 'ew==', encoding: 'base64' });
});

test('looking does not count, and flushing forgets everything', async () => {
  await put({ namespace: '', key: 'k', value: 'v', expirationSeconds: 0 });
  await get({ key: 'k' });
  expect((await request(server).get('/apps/shop/memcache')).body).toMatchObject({ hits: 0, misses: 0, items: 1, bytes: 1 });
  expect((await request(server).post('/apps/shop/memcache/flush')).status).toBe(200);
  expect((await request(server).get('/apps/shop/memcache')).body).toMatchObject({ items: 0 });
});

test('a key longer than keys may be is the one that the SDK makes of it', async () => {
  const key = 'k'.repeat(300);
  expect((await put({ namespace: '', key, value: 'v', expirationSeconds: 0 })).body).toMatchObject({ key, value: 'v' });
});

test.each([
  [{ key: 'a\nb' }, 'CACHE_KEY_INVALID'],
  [{ key: '' }, 'INVALID_ARGUMENT'],
  [{}, 'INVALID_ARGUMENT'],
  [{ key: 'k', namespace: 'a b' }, 'INVALID_ARGUMENT'],
])('%j is refused with %s', async (query, code) => {
  expect((await get(query)).body.error.code).toBe(code);
  const written = await put({ namespace: '', value: 'v', expirationSeconds: 0, ...query });
  expect(written.body.error.code).toBe(code);
});

test('a value that is too large is 413', async () => {
  const answer = await put({ namespace: '', key: 'k', value: 'v'.repeat(1024 * 1024), expirationSeconds: 0 });
  expect([answer.status, answer.body.error.code]).toEqual([413, 'CACHE_VALUE_TOO_LARGE']);
});

test.each([
  ['get', '/apps/nobody/memcache'],
  ['get', '/apps/nobody/memcache/entry?key=k'],
  ['put', '/apps/nobody/memcache/entry'],
  ['delete', '/apps/nobody/memcache/entry?key=k'],
  ['post', '/apps/nobody/memcache/flush'],
] as const)('%s %s of an app that is not there is 404', async (verb, path) => {
  const answer = await request(server)[verb](path);
  expect([answer.status, answer.body.error.code]).toEqual([404, 'APP_NOT_FOUND']);
});
