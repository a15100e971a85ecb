// The cache contract on each adapter, and what the LRU promises beyond it.
import { expect, it } from 'vitest';
import { LruCache } from '../../runtime/backends/cache-lru.ts';
import { MemoryCache } from '../../runtime/backends/cache-memory.ts';
import { type CacheWrite } from '../../runtime/services/cache.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { cacheContract } from './cache-contract.ts';

const MiB = 1024 * 1024;

cacheContract('memory', (time) => new MemoryCache(time));
cacheContract('LRU', (time) => new LruCache(time, { appBytesMax: MiB, bytesMax: 4 * MiB }));

const block = (key: string, bytes = 100_000): CacheWrite => ({ key, value: Buffer.alloc(bytes), flags: 0, lifeMs: Infinity });
const keysIn = async (cache: LruCache, appId: string, keys: readonly string[]): Promise<string[]> => {
  const found = await cache.get({ appId, namespace: '' }, keys, { peek: true });
  return keys.filter((_, index) => found[index]);
};

it('throws out what was used least recently, not what was stored first, and keeps within the share', async () => {
  const cache = new LruCache(new VirtualTime(), { appBytesMax: 350_000, bytesMax: MiB });
  const scope = { appId: 'shop', namespace: '' };
  await cache.store(scope, 'set', [block('a'), block('b'), block('c')]);
  await cache.get(scope, ['a']);
  await cache.get(scope, ['b'], { peek: true });
  await cache.store(scope, 'set', [block('d')]);
  expect(await keysIn(cache, 'shop', ['a', 'b', 'c', 'd'])).toEqual(['a', 'c', 'd']);
  const { bytes, bytesMax, items } = await cache.statistics('shop');
  expect(bytes).toBeLessThanOrEqual(bytesMax);
  expect(items).toBe(3);
});

it('counts small items with what keeping them takes, so that millions of them are not free', async () => {
  const cache = new LruCache(new VirtualTime(), { appBytesMax: 100_000, bytesMax: MiB });
  const items = Array.from({ length: 1_000 }, (_, index) => block(`key-${index}`, 0));
  await cache.store({ appId: 'shop', namespace: '' }, 'set', items);
  expect((await cache.statistics('shop')).items).toBeLessThan(300);
});

it('holds locks to the share as well', async () => {
  const cache = new LruCache(new VirtualTime(), { appBytesMax: 100_000, bytesMax: MiB });
  const keys = Array.from({ length: 1_000 }, (_, index) => `key-${index}`);
  await cache.delete({ appId: 'shop', namespace: '' }, keys, { lockMs: 1_000 });
  expect(await cache.statistics('shop')).toMatchObject({ items: 0 });
  expect((await cache.statistics('shop')).bytes).toBeLessThanOrEqual(100_000);
});

it('makes the app that holds most give way when all together hold too much', async () => {
  const cache = new LruCache(new VirtualTime(), { appBytesMax: 900_000, bytesMax: 1_000_000 });
  await cache.store({ appId: 'small', namespace: '' }, 'set', [block('s')]);
  await cache.store(
    { appId: 'large', namespace: '' },
    'set',
    'abcdefgh'.split('').map((key) => block(key)),
  );
  await cache.store({ appId: 'third', namespace: '' }, 'set', [block('t'), block('u')]);
  expect(await keysIn(cache, 'small', ['s'])).toEqual(['s']);
  expect(await keysIn(cache, 'third', ['t', 'u'])).toEqual(['t', 'u']);
  expect(await keysIn(cache, 'large', 'abcdefgh'.split(''))).toEqual('cdefgh'.split(''));
});

it('gives back its room when items go: the sum of all apps does not drift', async () => {
  const time = new VirtualTime();
  const cache = new LruCache(time, { appBytesMax: 500_000, bytesMax: 1_000_000 });
  const scope = { appId: 'shop', namespace: '' };
  for (let round = 0; round < 50; round++) {
    await cache.store(scope, 'set', [block('a'), block('a', 50_000), { ...block('b'), lifeMs: 10 }]);
    await cache.delete(scope, ['a'], { lockMs: 5 });
    time.advance(20);
    await cache.get(scope, ['a', 'b']);
    await cache.flush('shop');
  }
  await cache.store({ appId: 'other', namespace: '' }, 'set', [block('x'), block('y')]);
  expect(await keysIn(cache, 'other', ['x', 'y'])).toEqual(['x', 'y']);
});

it('does not keep what is larger than the share, and drops what was there before', async () => {
  const cache = new LruCache(new VirtualTime(), { appBytesMax: 200_000, bytesMax: MiB });
  const scope = { appId: 'shop', namespace: '' };
  await cache.store(scope, 'set', [block('a', 10), block('b', 10)]);
  await cache.store(scope, 'set', [block('a', 300_000)]);
  expect(await keysIn(cache, 'shop', ['a', 'b'])).toEqual(['b']);
});

it('never uses a cas id again, not even after a restart', async () => {
  const time = new VirtualTime(1_700_000_000_000);
  const scope = { appId: 'shop', namespace: '' };
  const casIdOf = async (cache: LruCache): Promise<number> => {
    await cache.store(scope, 'set', [block('k', 1)]);
    return (await cache.get(scope, ['k']))[0]?.casId ?? NaN;
  };
  const before = await casIdOf(new LruCache(time, { appBytesMax: MiB, bytesMax: MiB }));
  time.advance(5);
  const after = await casIdOf(new LruCache(time, { appBytesMax: MiB, bytesMax: MiB }));
  expect(after).toBeGreaterThan(before);
});
