import { describe, expect, it } from 'vitest';
import { decodeEntity } from '../../sdk/contract/entity-proto.ts';
import { type Query } from '../../sdk/contract/query.ts';
import { pathBytes } from '../codec/row-key.ts';
import { and, APP, definitionsIn, key, openDatastore, query, where, write } from '../fixture.ts';
import { RecordingStore } from '../recording-store.ts';
import { IndexCatalog } from '../index/index-catalog.ts';
import { scanRange } from './index-scan.ts';
import { normalize } from './normal-query.ts';
import { planQuery } from './planner.ts';

const INDEXES = `- kind: Greeting
  properties:
  - name: author
  - name: date
    direction: desc
- kind: Greeting
  ancestor: yes
  properties:
  - name: date
- kind: Greeting
  properties:
  - name: rank
  - name: date`;

const after = new Date('2020-01-01T00:00:00Z');

/** What is asked, and the plan in words. */
const PLANS: readonly (readonly [string, Query, readonly string[]])[] = [
  ['a kind', query('Greeting'), ['kind Greeting, forward']],
  ['a kind backwards', query('Greeting', { orders: [{ property: '__key__', direction: 'desc' }] }), ['kind Greeting, backward']],
  [
    'everything below a key',
    query(undefined, { filter: where('__key__', 'has-ancestor', key('Book', 'main')) }),
    ['entities by key, forward: below Book:"main"'],
  ],
  [
    'a range of keys',
    query('Greeting', { filter: and(where('__key__', '>=', key('Greeting', 5n)), where('__key__', '<', key('Greeting', 'x'))) }),
    ['kind Greeting, forward: __key__ >= Greeting:5, __key__ < Greeting:"x"'],
  ],
  [
    'one key',
    query('Greeting', { filter: and(where('__key__', '=', key('Greeting', 5n)), where('rank', '>', 1n)) }),
    ['kind Greeting, forward: __key__ = Greeting:5', 'of these rows: rank > 1 by the entity'],
  ],
  ['one property', query('Greeting', { filter: where('author', '=', 'a') }), ['property Greeting.author, forward: author = "a"']],
  [
    'a range of times',
    query('Greeting', { filter: where('date', '>', after) }),
    ['property Greeting.date, forward: date > 2020-01-01T00:00:00Z'],
  ],
  ['an order downwards', query('Greeting', { orders: [{ property: 'rank', direction: 'desc' }] }), ['property Greeting.rank, runs']],
  [
    'two properties',
    query('Greeting', { filter: and(where('author', '=', 'a'), where('rank', '=', 2n)) }),
    ['merge join: property Greeting.author, forward: author = "a"', 'merge join: property Greeting.rank, forward: rank = 2'],
  ],
  [
    'a composite index',
    query('Greeting', {
      filter: and(where('author', '=', 'a'), where('date', '>', after)),
      orders: [{ property: 'date', direction: 'desc' }],
    }),
    ['index Greeting(author, date desc), forward: author = "a", date > 2020-01-01T00:00:00Z'],
  ],
  [
    'an ancestor',
    query('Greeting', { filter: and(where('__key__', 'has-ancestor', key('Book', 'main')), where('date', '<=', after)) }),
    ['index Greeting(ancestor, date), forward: below Book:"main", date <= 2020-01-01T00:00:00Z'],
  ],
  [
    'ranges of two properties',
    query('Greeting', { filter: and(where('rank', '>', 1n), where('date', '>', after)), orders: [{ property: 'rank', direction: 'asc' }] }),
    ['index Greeting(rank, date), forward: rank > 1', 'of these rows: date > 2020-01-01T00:00:00Z'],
  ],
  [
    'branches',
    query('Greeting', { filter: where('rank', '!=', 3n) }),
    ['branch 1: property Greeting.rank, forward: rank < 3', 'branch 2: property Greeting.rank, forward: rank > 3'],
  ],
  [
    'another element',
    query('Greeting', { filter: and(where('rank', '=', 1n), where('rank', '>', 4n)) }),
    ['property Greeting.rank, forward: rank = 1', 'of these rows: rank > 4 by the entity'],
  ],
  [
    'a metadata kind',
    query('__kind__', { filter: where('__key__', '>', key('__kind__', 'A')) }),
    ['__kind__, by seeks: __key__ > __kind__:"A"'],
  ],
];

describe('a plan', () => {
  it.each(PLANS)('says in words, and reads nothing else: %s', async (_, asked, words) => {
    const store = new RecordingStore();
    const { datastore } = await openDatastore({ store });
    await datastore.ensureIndexes(APP, definitionsIn(INDEXES));
    await datastore.indexesBuilt();
    const catalog = new IndexCatalog(store);
    await catalog.start();
    const entities = Array.from({ length: 120 }, (_, at) =>
      write(
        'upsert',
        at % 3 === 0 ? key('Book', at % 2 === 0 ? 'main' : 'other', 'Greeting', BigInt(at + 1)) : key('Greeting', BigInt(at + 1)),
        {
          author: ['a', 'b'][at % 2] ?? '',
          rank: at % 5 === 0 ? [1n, 5n] : BigInt(at % 7),
          date: new Date(after.getTime() + (at - 60) * 60_000),
        },
      ),
    );
    await datastore.commit(APP, entities);
    // Kinds on both sides, and an entity with a descendant of another kind.
    await datastore.commit(APP, [
      write('upsert', key('Greeting', 5n, 'Reply', 1n), {}),
      write('upsert', key('Zoo', 1n), {}),
      write('upsert', key('A', 1n), {}),
    ]);
    for (const projection of [undefined, ['__key__']]) {
      const one: Query = { ...asked, ...(projection ? { projection } : {}) };
      const plan = planQuery(normalize(one, APP.appId), catalog.list(APP.appId));
      await datastore.runQuery(APP, one);
      store.forget();
      const { results, plan: view } = await datastore.runQuery(APP, one, { explain: true });
      expect(view?.scans).toEqual(words);
      expect(results.length).toBeGreaterThan(0);
      // What the plan says was read is all that left the store.
      expect(store.scanned.length + store.got.length).toBe((view?.indexRowsRead ?? 0) + (view?.entitiesRead ?? 0));
      const ranges = plan.branches.flatMap(({ scans }) => scans.map((scan) => scanRange(scan)));
      const ofEntities = plan.query.partition.entities;
      const strays = store.scanned.filter((row) => {
        if (ranges.some(({ from, to }) => Buffer.compare(row, from) >= 0 && Buffer.compare(row, to) < 0)) return false;
        // Whole kinds may be read off the entities themselves, which then are results.
        return !results.some(({ entity }) => row.equals(Buffer.concat([ofEntities, pathOf(entity)])));
      });
      if (!words[0]?.startsWith('__kind__')) expect(strays.map((row) => row.toString('latin1'))).toEqual([]);
      const isResult = new Set(results.map(({ entity }) => Buffer.concat([ofEntities, pathOf(entity)]).toString('latin1')));
      if (!words.some((line) => line.includes('by the entity') || line.includes('branch'))) {
        expect(store.got.filter((row) => !isResult.has(row.toString('latin1')))).toEqual([]);
      }
    }
    await datastore.close();
  });
});

function pathOf(entity: Uint8Array): Buffer {
  return pathBytes(decodeEntity(entity).key.path);
}
