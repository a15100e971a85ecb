import { describe, expect, it } from 'vitest';
import { type AggregationQuery, type Order, type Query } from '../../sdk/contract/query.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { and, APP, definitionsIn, key, openDatastore, query, where, write } from '../fixture.ts';
import { RecordingStore } from '../recording-store.ts';
import { type StoreSnapshot } from '../storage/port.ts';

const INDEXES = `- kind: Character
  ancestor: yes
  properties:
  - name: appearances
- kind: Character
  properties:
  - name: family
  - name: appearances
    direction: desc
- kind: Character
  properties:
  - name: __key__
  - name: appearances`;

const asc = (property: string): Order => ({ property, direction: 'asc' });
const desc = (property: string): Order => ({ property, direction: 'desc' });
const below = where('__key__', 'has-ancestor', key('Book', 'GoT'));
const ALL = 'Collection group';
const BELOW = 'Includes ancestors';

/** What is asked, and the indexes that it reads. */
const USED: readonly (readonly [string, Query, readonly (readonly [string, string])[]])[] = [
  ['a kind', query('Character'), [[ALL, '(__name__ ASC)']]],
  ['a kind backwards', query('Character', { orders: [desc('__key__')] }), [[ALL, '(__name__ ASC)']]],
  ['a kind below a key', query('Character', { filter: below }), [[BELOW, '(__name__ ASC)']]],
  ['everything below a key', query(undefined, { filter: below }), [[BELOW, '(__name__ ASC)']]],
  ['an equality', query('Character', { filter: where('family', '=', 'Stark') }), [[ALL, '(family ASC, __name__ ASC)']]],
  [
    'an equality below a key',
    query('Character', { filter: and(below, where('family', '=', 'Stark')) }),
    [[BELOW, '(family ASC, __name__ ASC)']],
  ],
  ['an order', query('Character', { orders: [asc('appearances')] }), [[ALL, '(appearances ASC, __name__ ASC)']]],
  ['an order downwards', query('Character', { orders: [desc('appearances')] }), [[ALL, '(appearances DESC, __name__ ASC)']]],
  [
    'an order downwards, of the keys too',
    query('Character', { orders: [desc('appearances'), desc('__key__')] }),
    [[ALL, '(appearances ASC, __name__ ASC)']],
  ],
  [
    'two equalities',
    query('Character', { filter: and(where('family', '=', 'Stark'), where('alive', '=', true)) }),
    [
      [ALL, '(family ASC, __name__ ASC)'],
      [ALL, '(alive ASC, __name__ ASC)'],
    ],
  ],
  [
    'branches of one index',
    query('Character', { filter: where('family', 'in', ['Stark', 'Tully']) }),
    [[ALL, '(family ASC, __name__ ASC)']],
  ],
  [
    'a composite index',
    query('Character', { filter: where('family', '=', 'Stark'), orders: [desc('appearances')] }),
    [[ALL, '(family ASC, appearances DESC, __name__ ASC)']],
  ],
  [
    'an index that the key is a column of',
    query('Character', { filter: where('appearances', '>', 1n), orders: [asc('__key__')] }),
    [[ALL, '(__name__ ASC, appearances ASC)']],
  ],
];

const SUM: AggregationQuery = {
  nested: query('Character', { filter: below }),
  aggregations: [{ kind: 'sum', property: 'appearances', alias: 'sum' }],
};

async function withCharacters(): Promise<Awaited<ReturnType<typeof openDatastore>> & { readonly store: RecordingStore }> {
  const store = new RecordingStore();
  const open = await openDatastore({ store });
  await open.datastore.ensureIndexes(APP, definitionsIn(INDEXES));
  await open.datastore.indexesBuilt();
  await open.datastore.commit(
    APP,
    Array.from({ length: 8 }, (_, at) =>
      write('insert', key('Book', 'GoT', 'Character', `c${at}`), { family: at < 5 ? 'Stark' : 'Tully', appearances: BigInt(at) }),
    ),
  );
  store.forget();
  return { ...open, store };
}

describe('the plan alone', () => {
  it.each(USED)('names the indexes of %s', async (_, asked, used) => {
    const { datastore } = await withCharacters();
    const { plan } = await datastore.runQuery(APP, asked, { explain: 'plan-only' });
    expect(plan?.indexesUsed).toEqual(used.map(([scope, properties]) => ({ scope, properties })));
  });

  it('reads nothing', async () => {
    const { datastore, store } = await withCharacters();
    const answer = await datastore.runQuery(APP, query('Character', { offset: 1 }), { explain: 'plan-only' });
    expect(answer).toMatchObject({ results: [], skipped: 0, plan: { indexRowsRead: 0, entitiesRead: 0 } });
    const sum = await datastore.runAggregation(APP, SUM, { explain: 'plan-only' });
    expect(sum).toMatchObject({
      values: [],
      plan: { indexesUsed: [{ scope: BELOW, properties: '(appearances ASC, __name__ ASC)' }], indexRowsRead: 0, entitiesRead: 0 },
    });
    expect([store.scanned, store.got]).toEqual([[], []]);
  });

  it('is refused as the query would be', async () => {
    const { datastore } = await withCharacters();
    const explained = (asked: Query, rest: object = {}): Promise<unknown> =>
      datastore.runQuery(APP, asked, { explain: 'plan-only', ...rest });
    const other = query('Other', { filter: where('a', '=', 1n), orders: [asc('b')] });
    await expect(explained(other)).rejects.toMatchObject({ code: 'DS_NEED_INDEX' });
    await expect(explained(query('Character', { limit: -1 }))).rejects.toMatchObject({ code: 'DS_INVALID' });
    const transaction = Buffer.alloc(16);
    await expect(explained(query('Character'), { transaction })).rejects.toMatchObject({ code: 'DS_TX_INVALID' });
    const own = await datastore.beginTransaction(APP);
    await expect(explained(query('Character'), { transaction: own, readTime: 1n })).rejects.toMatchObject({ code: 'DS_INVALID' });
  });
});

describe('a plan beside its results', () => {
  it('counts the index entries and entities that were read', async () => {
    const { datastore } = await withCharacters();
    const starks = await datastore.runQuery(APP, query('Character', { filter: where('family', '=', 'Stark') }), { explain: true });
    expect(starks.results).toHaveLength(5);
    expect(starks.plan).toMatchObject({ indexRowsRead: 5, entitiesRead: 5 });
    const keys = await datastore.runQuery(APP, query('Character', { projection: ['__key__'] }), { explain: true });
    expect(keys.plan).toMatchObject({ indexRowsRead: 8, entitiesRead: 0 });
    const sum = await datastore.runAggregation(APP, SUM, { explain: true });
    expect(sum).toMatchObject({ values: [{ value: { value: 28n } }], plan: { indexRowsRead: 8, entitiesRead: 0 } });
  });

  it('says how long that took', async () => {
    const time = new VirtualTime(1_700_000_000_000);
    class SlowStore extends RecordingStore {
      override snapshot(): StoreSnapshot {
        time.advance(7);
        return super.snapshot();
      }
    }
    const { datastore } = await openDatastore({ store: new SlowStore(), time });
    expect((await datastore.runQuery(APP, query('K'), { explain: true })).plan?.durationMs).toBe(7);
    const count: AggregationQuery = { nested: query('K'), aggregations: [{ kind: 'count', alias: 'c' }] };
    expect((await datastore.runAggregation(APP, count, { explain: true })).plan?.durationMs).toBe(7);
  });
});
