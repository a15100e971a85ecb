// Security 72 and its neighbours: an instance that speaks the wire itself and sends memcache what no SDK would.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LruCache } from '../../runtime/backends/cache-lru.ts';
import { memcacheApi } from '../../runtime/services/memcache.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { systemClock } from '../../sdk/support/clock.ts';
import { ServiceSocket } from '../contract/service-socket.ts';

const MiB = 1024 * 1024;
let sockets: ServiceSocket;
let rpc: Rpc;
let other: Rpc;

beforeAll(async () => {
  const cache = new LruCache(systemClock, { appBytesMax: 4 * MiB, bytesMax: 6 * MiB });
  sockets = await ServiceSocket.open([memcacheApi(cache, systemClock)]);
  rpc = await sockets.connect('hostile');
  other = await sockets.connect('other');
});

afterAll(() => sockets.close());

const get = (...keys: unknown[]) => rpc.call('memcache', 'get', { namespace: '', keys });
const item = (fields: object): object => ({ key: 'k', value: Buffer.from('v'), flags: 0, expirationSeconds: 0, ...fields });
const store = (...items: object[]) => rpc.call('memcache', 'store', { namespace: '', policy: 'set', items });

test.each([
  ['nothing', ''],
  ['a line feed', 'a\nb'],
  ['a zero byte', 'a\0'],
  ['an escape', '\u001b[2J'],
  ['a delete character', 'a\u007f'],
  ['251 bytes', 'k'.repeat(251)],
  ['251 bytes of wide characters', 'ü'.repeat(126)],
])('72: a key of %s is CACHE_KEY_INVALID in every method', async (_, key) => {
  const invalid = { code: 'CACHE_KEY_INVALID' };
  await expect(get(key)).rejects.toMatchObject(invalid);
  await expect(store(item({}), item({ key }))).rejects.toMatchObject(invalid);
  await expect(rpc.call('memcache', 'delete', { namespace: '', keys: [key], lockSeconds: 0 })).rejects.toMatchObject(invalid);
  const items = [{ key, delta: 1n, isDecrement: false }];
  await expect(rpc.call('memcache', 'increment', { namespace: '', items })).rejects.toMatchObject(invalid);
});

test('72: a value that is too large is CACHE_VALUE_TOO_LARGE, and nothing of its batch is stored', async () => {
  await expect(store(item({ key: 'first' }), item({ value: Buffer.alloc(MiB) }))).rejects.toMatchObject({ code: 'CACHE_VALUE_TOO_LARGE' });
  const nine = Array.from({ length: 9 }, (_, index) => item({ key: `k${index}`, value: Buffer.alloc(1_000_000) }));
  await expect(store(...nine)).rejects.toMatchObject({ code: 'CACHE_VALUE_TOO_LARGE' });
  expect(await get('first', 'k0')).toEqual([null, null]);
});

test.each([
  ['a value that is no bytes', { value: 'text' }],
  ['a list for bytes', { value: [1, 2, 3] }],
  ['an object that claims a length', { value: { length: 5 } }],
  ['flags beyond 32 bits', { flags: 2 ** 32 }],
  ['a negative expiration', { expirationSeconds: -1 }],
  ['half a second', { expirationSeconds: 0.5 }],
  ['an expiration that is no number', { expirationSeconds: NaN }],
  ['a key that is no text', { key: 5 }],
  ['a field nobody knows', { isAdmin: true }],
])('%s is refused before anything reads it', async (_, fields) => {
  await expect(store(item(fields))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test('batches end at their limit', async () => {
  await expect(get(...Array<string>(LIMITS.cacheBatchItemsMax + 1).fill('k'))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await expect(store(...Array<object>(LIMITS.cacheBatchItemsMax + 1).fill(item({})))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  const lock = { namespace: '', keys: ['k'], lockSeconds: LIMITS.cacheLockSecondsMax + 1 };
  await expect(rpc.call('memcache', 'delete', lock)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test('deltas outside of 64 bits are refused', async () => {
  for (const delta of [-1n, 1, 1.5]) {
    const items = [{ key: 'n', delta, isDecrement: false }];
    await expect(rpc.call('memcache', 'increment', { namespace: '', items })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  }
});

test('an app that floods its cache pushes out its own items, never those of another', async () => {
  const kept = { namespace: '', policy: 'set', items: [item({ key: 'kept' })] };
  expect(await other.call('memcache', 'store', kept)).toEqual(['stored']);
  for (let round = 0; round < 20; round++) {
    await store(...Array.from({ length: 8 }, (_, index) => item({ key: `${round}-${index}`, value: Buffer.alloc(900_000) })));
  }
  expect(await other.call('memcache', 'get', { namespace: '', keys: ['kept'] })).toMatchObject([{ value: Buffer.from('v') }]);
  const { bytes, bytesMax } = (await rpc.call('memcache', 'statistics', {})) as { bytes: number; bytesMax: number };
  expect(bytes).toBeLessThanOrEqual(bytesMax);
});

test('asking for one large key a thousand times over does not make an answer that is too large', async () => {
  await store(item({ key: 'large', value: Buffer.alloc(1_000_000) }));
  const answer = (await get(...Array<string>(1_000).fill('large'))) as unknown[];
  expect(answer.length).toBe(8);
});
