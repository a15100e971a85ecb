// Ids after crashes: the store keeps what was durable and forgets the rest, at random moments.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../sdk/support/virtual-time.ts';
import { MemoryStore } from '../storage/memory-store.ts';
import { counterOf, IdAllocator, scatteredId } from './id-allocator.ts';

const seeds = process.env['SEED'] === undefined ? [1, 2, 3, 4, 5] : [Number(process.env['SEED'])];
const PLACES = [
  ['one', ''],
  ['one', 'second'],
  ['two', ''],
] as const;

describe('allocated ids', () => {
  it.each(seeds)('never come twice, whenever the process dies (SEED=%i)', async (seed) => {
    const random = new SeededRandom(seed);
    const store = new MemoryStore();
    const given = new Map<string, Set<bigint>>(PLACES.map((place) => [place.join('/'), new Set()]));
    const twice: bigint[] = [];
    for (let life = 0; life < 12; life++) {
      await store.start();
      const ids = new IdAllocator(store);
      let isDead = false;
      const asking = PLACES.flatMap((place) =>
        Array.from({ length: 3 }, async () => {
          while (!isDead) {
            // What is given out after the store is gone comes from a block that is on disk.
            const some = await ids.allocate(place[0], place[1], 1 + Math.floor(random.fraction() * 300)).catch(() => []);
            const known = given.get(place.join('/'));
            for (const id of some) {
              if (known?.has(id)) twice.push(id);
              known?.add(id);
            }
            await new Promise<void>((resolve) => setImmediate(resolve));
          }
        }),
      );
      for (let turn = Math.floor(random.fraction() * 20); turn >= 0; turn--) await new Promise<void>((resolve) => setImmediate(resolve));
      await store.close();
      isDead = true;
      await Promise.all(asking);
    }
    expect(twice).toEqual([]);
    for (const known of given.values()) expect(known.size).toBeGreaterThan(1_000);
  });
});

describe('the counter value of an id', () => {
  it.each<[bigint, number | undefined]>([
    [scatteredId(1), 1],
    [scatteredId(2 ** 51 - 1), 2 ** 51 - 1],
    [2n ** 52n, 0],
    [2n ** 52n + 1n, 2 ** 50],
    [2n ** 52n - 1n, undefined],
    [2n ** 52n + 2n ** 51n, undefined],
    [2n ** 53n + 1n, undefined],
    [2n ** 63n - 1n, undefined],
    [1n, undefined],
    [-(2n ** 52n), undefined],
  ])('%s: %s', (id, counter) => {
    expect(counterOf(id)).toBe(counter);
  });

  it('is the one that the id was made of', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 51 - 1 }), (counter) => {
        expect(counterOf(scatteredId(counter))).toBe(counter);
      }),
    );
  });
});

describe('reserved ids', () => {
  type Step =
    | { readonly kind: 'allocate'; readonly count: number }
    | { readonly kind: 'reserve'; readonly counters: readonly number[] }
    | { readonly kind: 'both'; readonly count: number; readonly counters: readonly number[] }
    | { readonly kind: 'restart' };

  const near = fc.oneof(fc.integer({ min: 0, max: 4_000 }), fc.integer({ min: 0, max: 2 ** 51 - 1 }));
  const counters = fc.oneof(
    fc.array(near, { maxLength: 20 }),
    // A stretch longer than a block.
    near.map((start) => Array.from({ length: 1_200 }, (_, at) => Math.min(start + at, 2 ** 51 - 1))),
  );
  const count = fc.integer({ min: 1, max: 700 });
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ kind: fc.constant('allocate' as const), count }),
    fc.record({ kind: fc.constant('reserve' as const), counters }),
    fc.record({ kind: fc.constant('both' as const), count, counters }),
    fc.constant({ kind: 'restart' as const }),
  );

  it('are not given out afterwards, whatever comes in between', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const store = new MemoryStore();
        await store.start();
        let ids = new IdAllocator(store);
        const taken = new Set<bigint>();
        const allocate = async (wanted: number, reserved: ReadonlySet<bigint>): Promise<void> => {
          const some = await ids.allocate('app', '', wanted);
          expect(some.filter((id) => taken.has(id) || reserved.has(id))).toEqual([]);
          expect(new Set(some).size).toBe(wanted);
          for (const id of some) taken.add(id);
        };
        for (const one of steps) {
          const reserved = 'counters' in one ? one.counters.map(scatteredId) : [];
          // What is given out while it is being reserved may be either.
          if (one.kind === 'allocate') await allocate(one.count, new Set());
          if (one.kind === 'reserve') await ids.reserve('app', '', reserved);
          if (one.kind === 'both') await Promise.all([ids.reserve('app', '', reserved), allocate(one.count, new Set())]);
          if (one.kind === 'restart') ids = new IdAllocator(store);
          for (const id of reserved) taken.add(id);
        }
        await allocate(3_000, taken);
        await store.close();
      }),
      { numRuns: 60 },
    );
  });

  it('are those of one app and database', async () => {
    const store = new MemoryStore();
    await store.start();
    const ids = new IdAllocator(store);
    await ids.reserve('app', '', [scatteredId(1), scatteredId(3)]);
    expect(await ids.allocate('app', '', 2)).toEqual([scatteredId(2), scatteredId(4)]);
    expect(await ids.allocate('app', 'other', 1)).toEqual([scatteredId(1)]);
    expect(await ids.allocate('other', '', 1)).toEqual([scatteredId(1)]);
    await store.close();
  });

  it('are limited in number, until the allocator has passed them', async () => {
    const store = new MemoryStore();
    await store.start();
    const reserve = (ids: IdAllocator, ...some: number[]): Promise<void> => ids.reserve('app', '', some.map(scatteredId));
    const first = new IdAllocator(store, { reservedMax: 3 });
    await reserve(first, 1, 2, 2, 5_000);
    await reserve(first, 1, 5_000);
    await expect(reserve(first, 3, 4)).rejects.toMatchObject({ code: 'DS_LIMIT' });
    const ids = new IdAllocator(store, { reservedMax: 3 });
    await expect(reserve(ids, 6_000)).rejects.toMatchObject({ code: 'DS_LIMIT' });
    expect(await ids.allocate('app', '', 1)).toEqual([scatteredId(3)]);
    await reserve(ids, 6_000, 7_000, 100);
    await expect(reserve(ids, 8_000)).rejects.toMatchObject({ code: 'DS_LIMIT' });
    expect(await ids.allocate('app', '', 97)).toHaveLength(97);
    expect(await ids.allocate('app', '', 1)).toEqual([scatteredId(102)]);
    await store.close();
  });
});
