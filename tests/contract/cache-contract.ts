// What every cache keeps to, whatever technology it stands on.
import { beforeEach, describe, expect, it } from 'vitest';
import { type Cache, type CacheWrite } from '../../runtime/services/cache.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';

const shop = { appId: 'shop', namespace: '' };
const write = (key: string, text: string, options: Partial<CacheWrite> = {}): CacheWrite => ({
  ...{ key, value: Buffer.from(text), flags: 1, lifeMs: Infinity },
  ...options,
});

export function cacheContract(name: string, make: (time: VirtualTime) => Cache): void {
  describe(`${name} cache`, () => {
    let time: VirtualTime;
    let cache: Cache;

    beforeEach(() => {
      time = new VirtualTime(1_700_000_000_000);
      cache = make(time);
    });

    const texts = async (keys: readonly string[], scope = shop): Promise<(string | undefined)[]> =>
      (await cache.get(scope, keys)).map((item) => (item ? Buffer.from(item.value).toString() : undefined));
    const set = (...items: CacheWrite[]) => cache.store(shop, 'set', items);

    it('gives back what was stored, in the order of the keys, and nothing for what was not', async () => {
      expect(await set(write('a', '1', { flags: 7 }), write('b', ''))).toEqual(['stored', 'stored']);
      expect(await texts(['b', 'x', 'a'])).toEqual(['', undefined, '1']);
      expect((await cache.get(shop, ['a']))[0]).toMatchObject({ flags: 7, expiresAtMonotonicMs: Infinity });
    });

    it('keeps a copy of the bytes', async () => {
      const value = Buffer.from('before');
      await set({ ...write('a', ''), value });
      value.write('after!');
      expect(await texts(['a'])).toEqual(['before']);
    });

    it('keeps apps and namespaces apart', async () => {
      await set(write('k', 'shop'));
      await cache.store({ appId: 'shop', namespace: 'eu' }, 'set', [write('k', 'shop/eu')]);
      await cache.store({ appId: 'blog', namespace: '' }, 'set', [write('k', 'blog')]);
      expect(await texts(['k'])).toEqual(['shop']);
      expect(await texts(['k'], { appId: 'shop', namespace: 'eu' })).toEqual(['shop/eu']);
      expect(await texts(['k'], { appId: 'blog', namespace: '' })).toEqual(['blog']);
      await cache.flush('shop');
      expect(await texts(['k'], { appId: 'shop', namespace: 'eu' })).toEqual([undefined]);
      expect(await texts(['k'], { appId: 'blog', namespace: '' })).toEqual(['blog']);
    });

    it('adds only what is not there, and replaces only what is', async () => {
      await set(write('there', 'old'));
      expect(await cache.store(shop, 'add', [write('there', 'new'), write('gone', 'new')])).toEqual(['not-stored', 'stored']);
      expect(await cache.store(shop, 'replace', [write('there', 'newer'), write('nowhere', 'new')])).toEqual(['stored', 'not-stored']);
      expect(await texts(['there', 'gone', 'nowhere'])).toEqual(['newer', 'new', undefined]);
    });

    it('compares and sets: the first of two wins, and what is gone is not stored', async () => {
      await set(write('k', '1'));
      const casId = (await cache.get(shop, ['k']))[0]?.casId ?? 0;
      expect(await cache.store(shop, 'cas', [write('k', '2', { casId })])).toEqual(['stored']);
      expect(await cache.store(shop, 'cas', [write('k', '3', { casId })])).toEqual(['exists']);
      expect(await cache.store(shop, 'cas', [write('nowhere', '3', { casId })])).toEqual(['not-stored']);
      expect(await texts(['k'])).toEqual(['2']);
    });

    it('gives every write another cas id, also after the key was deleted or the app flushed', async () => {
      const seen = new Set<number>();
      const see = async () => seen.add((await cache.get(shop, ['k']))[0]?.casId ?? NaN);
      await set(write('k', '1'));
      await see();
      await set(write('k', '1'));
      await see();
      await cache.increment(shop, [{ key: 'k', delta: 0n, isDecrement: false }]);
      await see();
      await cache.delete(shop, ['k'], { lockMs: 0 });
      await set(write('k', '1'));
      await see();
      await cache.flush('shop');
      await set(write('k', '1'));
      await see();
      expect(seen.size).toBe(5);
      expect([...seen].every(Number.isSafeInteger)).toBe(true);
    });

    it('forgets what has expired, and takes what expired before it came as a deletion', async () => {
      await set(write('short', 'x', { lifeMs: 1_000 }), write('long', 'y', { lifeMs: 2_000 }));
      time.advance(999);
      expect(await texts(['short', 'long'])).toEqual(['x', 'y']);
      time.advance(1);
      expect(await texts(['short', 'long'])).toEqual([undefined, 'y']);
      expect(await cache.store(shop, 'add', [write('short', 'again')])).toEqual(['stored']);
      expect(await cache.store(shop, 'set', [write('long', 'past', { lifeMs: 0 })])).toEqual(['stored']);
      expect(await texts(['short', 'long'])).toEqual(['again', undefined]);
    });

    it('deletes, and locks the key against add for as long as was asked', async () => {
      await set(write('k', '1'));
      expect(await cache.delete(shop, ['k', 'nowhere'], { lockMs: 5_000 })).toEqual([true, false]);
      expect(await cache.store(shop, 'add', [write('k', '2'), write('nowhere', '2')])).toEqual(['not-stored', 'not-stored']);
      expect(await cache.store(shop, 'replace', [write('k', '2')])).toEqual(['not-stored']);
      expect(await texts(['k'])).toEqual([undefined]);
      expect(await cache.delete(shop, ['k'], { lockMs: 0 })).toEqual([false]);
      time.advance(5_000);
      expect(await cache.store(shop, 'add', [write('k', '3')])).toEqual(['stored']);
    });

    it('ends a lock when the key is set', async () => {
      await cache.delete(shop, ['k'], { lockMs: 5_000 });
      await set(write('k', '1'));
      await cache.delete(shop, ['k'], { lockMs: 0 });
      expect(await cache.store(shop, 'add', [write('k', '2')])).toEqual(['stored']);
    });

    it('counts up and down, wraps at 2^64, stops at 0, keeps flags and end', async () => {
      const change = async (key: string, delta: bigint, isDecrement = false) =>
        (await cache.increment(shop, [{ key, delta, isDecrement }]))[0];
      await set(write('n', '10', { flags: 3, lifeMs: 1_000 }), write('max', '18446744073709551615'));
      expect(await change('n', 5n)).toBe(15n);
      expect(await change('n', 20n, true)).toBe(0n);
      expect(await change('max', 2n)).toBe(1n);
      expect(await change('nowhere', 1n)).toBeNull();
      expect((await cache.get(shop, ['n']))[0]).toMatchObject({ value: Buffer.from('0'), flags: 3 });
      time.advance(1_000);
      expect(await change('n', 1n)).toBeNull();
    });

    it('begins to count at the initial value', async () => {
      const initial = { value: 7n, flags: 3 };
      expect(await cache.increment(shop, [{ key: 'n', delta: 1n, isDecrement: false, initial }])).toEqual([8n]);
      expect(await cache.increment(shop, [{ key: 'n', delta: 1n, isDecrement: true, initial }])).toEqual([7n]);
      expect((await cache.get(shop, ['n']))[0]?.flags).toBe(3);
    });

    it.each(['', 'five', '-1', '1.5', ' 1', '18446744073709551616', '000000000000000000001', '٣'])('does not count "%s"', async (text) => {
      await set(write('k', text), write('good', '1'));
      const items = ['k', 'good'].map((key) => ({ key, delta: 1n, isDecrement: false }));
      expect(await cache.increment(shop, items)).toEqual(['not-a-number', 2n]);
      expect(await texts(['k'])).toEqual([text]);
    });

    it('counts hits, misses and bytes; peeking counts nothing; flushing begins anew', async () => {
      await set(write('a', '123'), write('b', '4'));
      await cache.get(shop, ['a', 'x', 'a']);
      await cache.get(shop, ['a', 'x'], { peek: true });
      expect(await cache.statistics('shop')).toMatchObject({ hits: 2, misses: 1, byteHits: 6, items: 2 });
      expect((await cache.statistics('shop')).bytes).toBeGreaterThanOrEqual(4);
      expect(await cache.statistics('blog')).toMatchObject({ hits: 0, misses: 0, byteHits: 0, items: 0, bytes: 0, oldestItemAgeMs: 0 });
      await cache.flush('shop');
      expect(await cache.statistics('shop')).toMatchObject({ hits: 0, misses: 0, byteHits: 0, items: 0, bytes: 0 });
    });

    it('knows how long its least used item lies there; peeking is no use of it', async () => {
      await set(write('old', '1'), write('new', '2'));
      time.advance(3_000);
      await cache.get(shop, ['old']);
      await cache.get(shop, ['new'], { peek: true });
      time.advance(1_000);
      expect((await cache.statistics('shop')).oldestItemAgeMs).toBe(4_000);
    });

    it('does not count a lock as an item', async () => {
      await cache.delete(shop, ['a', 'b'], { lockMs: 5_000 });
      await cache.delete(shop, ['a'], { lockMs: 5_000 });
      expect((await cache.statistics('shop')).items).toBe(0);
      await set(write('a', '1'));
      expect((await cache.statistics('shop')).items).toBe(1);
    });
  });
}
