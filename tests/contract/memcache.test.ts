// The memcache service as an app meets it: SDK client, real socket, service table, LRU.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LruCache } from '../../runtime/backends/cache-lru.ts';
import { memcacheApi } from '../../runtime/services/memcache.ts';
import { Memcache } from '../../sdk/client/memcache.ts';
import { type CacheValue } from '../../sdk/client/memcache-value.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { ServiceSocket } from './service-socket.ts';

const MiB = 1024 * 1024;
const NOW_MS = 1_700_000_000_000;

let time: VirtualTime;
let sockets: ServiceSocket;
let rpc: Rpc;
let memcache: Memcache;

beforeEach(async () => {
  time = new VirtualTime(NOW_MS);
  const cache = new LruCache(time, { appBytesMax: LIMITS.cacheAppBytesMax, bytesMax: LIMITS.cacheBytesMax });
  sockets = await ServiceSocket.open([memcacheApi(cache, time)]);
  rpc = await sockets.connect('shop');
  memcache = new Memcache(rpc);
});

afterEach(() => sockets.close());

describe('one key', () => {
  it('holds whatever an app caches', async () => {
    const values: Record<string, CacheValue> = {
      text: 'grüße 🎈',
      empty: '',
      one: 1,
      minus: -5,
      half: 0.5,
      huge: 1e300,
      infinite: -Infinity,
      big: 2n ** 100n,
      yes: true,
      no: false,
      nothing: null,
      list: [1, 'two', { three: 3 }],
      object: { a: { b: [null] } },
      bytes: Buffer.from([0, 255, 1]),
    };
    for (const [key, value] of Object.entries(values)) expect(await memcache.set(key, value)).toBe(true);
    for (const [key, value] of Object.entries(values)) expect(await memcache.get(key), key).toEqual(value);
    expect(await memcache.getMulti([...Object.keys(values), 'missing'])).toEqual(new Map(Object.entries(values)));
  });

  it('is added once, replaced only when it is there, deleted, and locked', async () => {
    expect(await memcache.get('k')).toBeUndefined();
    expect(await memcache.replace('k', 0)).toBe(false);
    expect(await memcache.add('k', 1)).toBe(true);
    expect(await memcache.add('k', 2)).toBe(false);
    expect(await memcache.replace('k', 3)).toBe(true);
    expect(await memcache.delete('k', { lockSeconds: 0.5 })).toBe(true);
    expect(await memcache.delete('k')).toBe(false);
    expect(await memcache.add('k', 4)).toBe(false);
    time.advance(500);
    expect(await memcache.add('k', 4)).toBe(true);
  });

  it('ends after its seconds, or at a time beyond 30 days; a time that is over stores nothing', async () => {
    const nowSeconds = NOW_MS / 1_000;
    await memcache.set('soon', 1, { expirationSeconds: 59.5 });
    await memcache.set('month', 1, { expirationSeconds: 2_592_000 });
    await memcache.set('at', 1, { expirationSeconds: nowSeconds + 100 });
    await memcache.set('past', 1, { expirationSeconds: nowSeconds - 1 });
    await memcache.set('ever', 1);
    const present = async () => [...(await memcache.getMulti(['soon', 'month', 'at', 'past', 'ever'])).keys()];
    expect(await present()).toEqual(['soon', 'month', 'at', 'ever']);
    time.advance(60_000);
    expect(await present()).toEqual(['month', 'at', 'ever']);
    time.advance(40_000);
    expect(await present()).toEqual(['month', 'ever']);
    time.advance(2_592_000_000);
    expect(await present()).toEqual(['ever']);
  });

  it('lets one of two writers win with gets and cas', async () => {
    await memcache.set('k', { seats: 2 });
    const one = (await memcache.gets('k'))!;
    const two = (await memcache.gets('k'))!;
    expect(one.value).toEqual({ seats: 2 });
    expect(await memcache.cas('k', { seats: 1 }, one.casId)).toBe(true);
    expect(await memcache.cas('k', { seats: 1 }, two.casId)).toBe(false);
    expect(await memcache.gets('missing')).toBeUndefined();
  });

  it('counts, beyond 2^53 as a bigint, and around at 2^64', async () => {
    expect(await memcache.incr('n')).toBeUndefined();
    expect(await memcache.incr('n', 2, { initial: 10 })).toBe(12);
    expect(await memcache.decr('n', 20)).toBe(0);
    expect(await memcache.incr('n', 2n ** 60n)).toBe(2n ** 60n);
    expect(await memcache.get('n')).toBe(2n ** 60n);
    expect(await memcache.incr('n', 2n ** 64n - 2n ** 60n)).toBe(0);
    await memcache.set('text', '41');
    expect(await memcache.incr('text')).toBe(42);
    expect(await memcache.get('text')).toBe('42');
    await memcache.set('float', 1.5);
    await expect(memcache.incr('float')).rejects.toMatchObject({ code: 'CACHE_NOT_A_NUMBER', message: expect.stringContaining('"float"') });
    for (const delta of [2n ** 64n, 1.5, NaN]) {
      await expect(memcache.incr('n', delta)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      await expect(memcache.decr('n', delta)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    await expect(memcache.incr('n', 1, { initial: -1 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('may be of any length, and the same in all calls', async () => {
    const long = 'ü'.repeat(200);
    await memcache.set(long, 1);
    await memcache.set(`${long}x`, 5);
    expect(await memcache.incr(long)).toBe(2);
    expect(await memcache.getMulti([long, `${long}x`])).toEqual(
      new Map([
        [long, 2],
        [`${long}x`, 5],
      ]),
    );
    const { casId } = (await memcache.gets(long))!;
    expect(await memcache.cas(long, 3, casId)).toBe(true);
    expect(await memcache.delete(long)).toBe(true);
    expect(await memcache.get(long)).toBeUndefined();
    expect(await memcache.peek(`${long}x`)).toBe(5);
  });

  it('belongs to a namespace, and to one app alone', async () => {
    await memcache.set('k', 'default');
    await memcache.set('k', 'eu', { namespace: 'eu' });
    expect(await memcache.get('k')).toBe('default');
    expect(await memcache.get('k', { namespace: 'eu' })).toBe('eu');
    expect(await new Memcache(await sockets.connect('blog')).get('k')).toBeUndefined();
    await expect(memcache.get('k', { namespace: 'a b' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(memcache.get('k', { namespace: 'a'.repeat(101) })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('many keys', () => {
  it('are stored, compared, deleted and counted in one call each', async () => {
    expect(await memcache.setMulti({ a: 1, b: 2 })).toEqual(new Map(Object.entries({ a: true, b: true })));
    expect(await memcache.addMulti({ a: 9, c: 3 })).toEqual(new Map(Object.entries({ a: false, c: true })));
    expect(await memcache.replaceMulti({ c: 4, d: 4 })).toEqual(new Map(Object.entries({ c: true, d: false })));
    const snapshots = await memcache.getsMulti(['a', 'b', 'd']);
    await memcache.set('b', 'other');
    const next = Object.fromEntries([...snapshots].map(([key, { casId }]) => [key, { value: 'new', casId }]));
    expect(await memcache.casMulti(next)).toEqual(new Map(Object.entries({ a: true, b: false })));
    await memcache.setMulti({ n: 5, m: 5, bad: 'x' });
    expect(await memcache.incrMulti({ n: 1, m: -9, none: 1 })).toEqual(new Map(Object.entries({ n: 6, m: 0, none: undefined })));
    await expect(memcache.incrMulti({ n: 1, bad: 1 })).rejects.toMatchObject({ code: 'CACHE_NOT_A_NUMBER', details: { keys: ['bad'] } });
    expect(await memcache.get('n')).toBe(7);
    expect(await memcache.deleteMulti(['a', 'a', 'missing'])).toEqual(new Map(Object.entries({ a: true, missing: false })));
    expect(sockets.meter.totals.get('shop')?.memcacheCalls).toBe(11);
  });

  it('go in parts where one call cannot carry them, there and back', async () => {
    const values = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`block-${index}`, Buffer.alloc(900_000, index)]));
    expect([...(await memcache.setMulti(values)).values()]).toEqual(Array(20).fill(true));
    const found = await memcache.getMulti(Object.keys(values));
    expect(found.size).toBe(20);
    for (const [key, value] of Object.entries(values)) expect((found.get(key) as Buffer).equals(value), key).toBe(true);
    const many = Object.fromEntries(Array.from({ length: 2_500 }, (_, index) => [`n-${index}`, index]));
    await memcache.setMulti(many);
    expect((await memcache.getMulti(Object.keys(many))).size).toBe(2_500);
    expect((await memcache.incrMulti(many)).get('n-2499')).toBe(4_998);
    expect((await memcache.deleteMulti(Object.keys(many))).get('n-0')).toBe(true);
  });

  it('are all forgotten by flushAll, which the statistics tell', async () => {
    await memcache.setMulti({ a: 'abc', b: 2 });
    await memcache.get('a');
    await memcache.get('missing');
    time.advance(1_500);
    const statistics = await memcache.statistics();
    expect(statistics).toMatchObject({
      hits: 1,
      misses: 1,
      byteHits: 3,
      items: 2,
      bytesMax: LIMITS.cacheAppBytesMax,
      oldestItemAgeMs: 1_500,
    });
    await memcache.flushAll();
    expect(await memcache.getMulti(['a', 'b'])).toEqual(new Map());
    expect(await memcache.statistics()).toMatchObject({ hits: 0, misses: 2, items: 0, bytes: 0 });
  });
});

describe('a platform that cannot be reached', () => {
  const gone = (code: 'RPC_UNAVAILABLE' | 'QUOTA_EXCEEDED') => new Memcache({ call: () => Promise.reject(new PlatformError(code)) });

  it('is an empty cache to reads and a full one to writes, and an error where silence would leave an old value', async () => {
    const lost = gone('RPC_UNAVAILABLE');
    expect(await lost.get('k')).toBeUndefined();
    expect(await lost.getMulti(['k', 'l'])).toEqual(new Map());
    expect(await lost.set('k', 1)).toBe(false);
    expect(await lost.setMulti({ k: 1 })).toEqual(new Map([['k', false]]));
    await expect(lost.delete('k')).rejects.toMatchObject({ code: 'RPC_UNAVAILABLE' });
    await expect(lost.cas('k', 1, 1)).rejects.toMatchObject({ code: 'RPC_UNAVAILABLE' });
    await expect(lost.incr('k')).rejects.toMatchObject({ code: 'RPC_UNAVAILABLE' });
    await expect(lost.flushAll()).rejects.toMatchObject({ code: 'RPC_UNAVAILABLE' });
  });

  it('does not hide other errors', async () => {
    await expect(gone('QUOTA_EXCEEDED').get('k')).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    await expect(gone('QUOTA_EXCEEDED').set('k', 1)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
  });
});

it('takes values up to 1 MiB with key and overhead, and not a byte more', async () => {
  const most = MiB - 73 - 'k'.length;
  expect(await memcache.set('k', Buffer.alloc(most))).toBe(true);
  await expect(memcache.set('k', Buffer.alloc(most + 1))).rejects.toMatchObject({ code: 'CACHE_VALUE_TOO_LARGE' });
  await expect(memcache.set('k', Buffer.alloc(20 * MiB))).rejects.toMatchObject({ code: 'CACHE_VALUE_TOO_LARGE' });
  expect(((await memcache.get('k')) as Buffer).length).toBe(most);
});
