// Ids after crashes: the store keeps what was durable and forgets the rest, at random moments.
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../sdk/support/virtual-time.ts';
import { MemoryStore } from '../storage/memory-store.ts';
import { IdAllocator } from './id-allocator.ts';

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
