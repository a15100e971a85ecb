// Paging with cursors while others write: an entity that is there all the time, and fits all the time, comes exactly once.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Query } from '../../sdk/contract/query.ts';
import { and, APP, key, namesOf, openDatastore, query, remove, where, withIndexes, write } from '../fixture.ts';

const asc = { property: 'n', direction: 'asc' } as const;
const desc = { property: 'n', direction: 'desc' } as const;
const SHAPES: readonly Query[] = [
  query('K'),
  query('K', { orders: [{ property: '__key__', direction: 'desc' }] }),
  query('K', { orders: [asc] }),
  query('K', { orders: [desc] }),
  query('K', { filter: where('n', 'in', [1n, 2n, 3n, 4n, 5n]), orders: [desc] }),
  query('K', { filter: where('n', '!=', 9n) }),
  query('K', { filter: and(where('t', '=', 'x'), where('u', '=', 'x')) }),
  query('K', { filter: where('t', '=', 'x'), orders: [desc] }),
  query('K', { filter: where('__key__', '>', key('K', 'a')), projection: ['__key__'] }),
  query(undefined),
];

const name = fc.integer({ min: 97, max: 122 }).map((code) => String.fromCharCode(code));
const ranked = fc.record({ name, n: fc.bigInt({ min: 1n, max: 5n }) });
/** Between two pages: entities that come or change, and some that go. */
const disturbance = fc.record({ put: fc.array(ranked, { maxLength: 3 }), gone: fc.array(name, { maxLength: 3 }) });

describe('paging with cursors under writes', () => {
  it.each(SHAPES.map((shape, at) => ({ shape, at })))('neither repeats nor skips what stays: shape $at', async ({ shape }) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(ranked, { minLength: 1, maxLength: 12 }),
        fc.array(disturbance, { maxLength: 12 }),
        fc.integer({ min: 1, max: 3 }),
        async (staying, disturbances, batch) => {
          const { datastore } = await openDatastore();
          const entity = (one: string, n: bigint) => write('upsert', key('K', one), { n, t: ['x', 'y'], u: 'x' });
          // Those that stay have names of their own, between the others.
          const stay = new Map(staying.map(({ name: one, n }) => [`${one}-stays`, n]));
          for (const [one, n] of stay) await datastore.commit(APP, [entity(one, n)]);
          await withIndexes(datastore, () => datastore.runQuery(APP, shape));
          const seen: string[] = [];
          let next: Query = { ...shape, limit: batch };
          for (let page = 0; page < 1_000; page++) {
            const answer = await datastore.runQuery(APP, next);
            seen.push(...namesOf(answer));
            if (answer.more === 'no-more') break;
            next = { ...next, startCursor: answer.endCursor };
            const { put, gone } = disturbances[page] ?? { put: [], gone: [] };
            for (const { name: one, n } of put) await datastore.commit(APP, [entity(one, n)]);
            for (const one of gone) await datastore.commit(APP, [remove(key('K', one))]);
          }
          expect(seen.filter((one) => stay.has(one)).sort()).toEqual([...stay.keys()].sort());
          await datastore.close();
        },
      ),
      { numRuns: 40 },
    );
  });
});
