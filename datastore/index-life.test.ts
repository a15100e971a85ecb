// The life of composite indexes, seen through the facade.
import { afterEach, describe, expect, it } from 'vitest';
import { type IndexDefinition } from '../sdk/contract/index-definition.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Datastore } from './datastore.ts';
import { APP, key, namesOf, openDatastore, query, remove, where, write } from './fixture.ts';
import { FAMILY } from './codec/row-key.ts';
import { prefixRange } from './storage/key-bytes.ts';
import { MemoryStore } from './storage/memory-store.ts';
import { type Store } from './storage/port.ts';

const byCity: IndexDefinition = {
  kind: 'K',
  ancestor: false,
  properties: [
    { name: 'city', direction: 'asc' },
    { name: 'n', direction: 'desc' },
  ],
};
const newestOfCity = query('K', { filter: where('city', '=', 'Oslo'), orders: [{ property: 'n', direction: 'desc' }] });

let datastore: Datastore | undefined;
afterEach(() => datastore?.close());

async function open(store: Store = new MemoryStore()) {
  const opened = await openDatastore({ store });
  datastore = opened.datastore;
  return opened;
}

async function fill(to: Datastore, count: number): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    const numbers = Array.from({ length: Math.min(500, count - from) }, (_, at) => from + at);
    await to.commit(
      APP,
      numbers.map((number) => write('upsert', key('K', `k${number}`), { city: 'Oslo', n: BigInt(number) })),
    );
  }
}

async function compositeRows(store: Store): Promise<number> {
  const scan = store.scan(prefixRange(Buffer.from([FAMILY.composite])));
  let count = 0;
  for (let rows = await scan.next(1_000); rows.length > 0; rows = await scan.next(1_000)) count += rows.length;
  await scan.close();
  return count;
}

async function storedBytes(store: Store): Promise<number> {
  let bytes = 0;
  for (const family of [FAMILY.entity, FAMILY.kind, FAMILY.property, FAMILY.composite]) {
    const scan = store.scan(prefixRange(Buffer.from([family])));
    for (let rows = await scan.next(1_000); rows.length > 0; rows = await scan.next(1_000)) {
      for (const row of rows) bytes += row.key.length + row.value.length;
    }
    await scan.close();
  }
  return bytes;
}

const tags = (count: number): readonly string[] => Array.from({ length: count }, (_, at) => `t${at}`);
/** Of an entity with so many values in two list properties. */
const exploding: IndexDefinition = {
  kind: 'K',
  ancestor: false,
  properties: [
    { name: 'a', direction: 'asc' },
    { name: 'b', direction: 'asc' },
  ],
};

describe('building an index', () => {
  it('tells how far it is, counts its rows, and ends with all of them', async () => {
    const { datastore, store } = await open();
    await fill(datastore, 450);
    const [begun] = await datastore.ensureIndexes(APP, [byCity]);
    expect(begun).toEqual({ id: 1, definition: byCity, state: 'building', done: 0, estimate: 0 });
    await expect(datastore.runQuery(APP, newestOfCity)).rejects.toThrow(/is not ready/);
    const seen = new Set<string>();
    await expect
      .poll(
        () => {
          const [index] = datastore.listIndexes(APP);
          if (index && index.done > 0) seen.add(`${index.done}/${index.estimate}`);
          return index?.state;
        },
        { interval: 0 },
      )
      .toBe('serving');
    await datastore.indexesBuilt();
    expect(datastore.listIndexes(APP)).toEqual([{ id: 1, definition: byCity, state: 'serving', done: 450, estimate: 450 }]);
    expect([...seen].every((one) => one.endsWith('/450'))).toBe(true);
    expect(await compositeRows(store)).toBe(450);
    expect(datastore.storedBytes().get(APP.appId)).toBe(await storedBytes(store));
    expect((await datastore.runQuery(APP, newestOfCity)).results).toHaveLength(300);
  });

  it('goes on where it was after a crash, and counts every row once', async () => {
    const store = new MemoryStore();
    const first = await open(store);
    await fill(first.datastore, 1_000);
    await first.datastore.ensureIndexes(APP, [byCity]);
    await expect.poll(() => first.datastore.listIndexes(APP)[0]?.done ?? 0, { interval: 0 }).toBeGreaterThan(0);
    await store.close();
    await first.datastore.close().catch(() => undefined);
    const second = await open(store);
    const [resumed] = second.datastore.listIndexes(APP);
    expect(resumed?.done).toBeGreaterThan(0);
    expect(resumed?.estimate).toBe(1_000);
    await second.datastore.indexesBuilt();
    expect(second.datastore.listIndexes(APP)[0]).toMatchObject({ state: 'serving', done: 1_000 });
    expect(await compositeRows(store)).toBe(1_000);
    await expect.poll(() => second.datastore.storedBytes().get(APP.appId)).toBe(await storedBytes(store));
  });

  it('reaches many namespaces, also where most have nothing for it', async () => {
    const { datastore } = await open();
    for (let at = 0; at < 120; at++) {
      const place = { ...key(at % 40 === 7 ? 'K' : 'L', 'x'), namespace: `n${at}` };
      await datastore.commit(APP, [write('insert', place, { city: 'Oslo', n: 1n })]);
    }
    await datastore.ensureIndexes(APP, [byCity]);
    await datastore.indexesBuilt();
    expect(datastore.listIndexes(APP)[0]).toMatchObject({ state: 'serving', done: 3 });
    expect(namesOf(await datastore.runQuery(APP, { ...newestOfCity, namespace: 'n87' }))).toEqual(['x']);
  });

  it('fails with a reason at an entity that explodes, which can still be changed and deleted; creating it again tries anew', async () => {
    const { datastore, store, log } = await open();
    await fill(datastore, 10);
    await datastore.commit(APP, [write('insert', key('K', 'many'), { a: tags(142), b: tags(142) })]);
    await datastore.ensureIndexes(APP, [exploding]);
    await datastore.indexesBuilt();
    expect(datastore.listIndexes(APP)).toEqual([
      expect.objectContaining({
        id: 1,
        state: 'error',
        reason: expect.stringMatching(/K:"many".*at most 20000 index entries.*K\(a, b\)/) as string,
      }),
    ]);
    expect(log.lines.map(({ message }) => message)).toContain('An index could not be built');

    await datastore.commit(APP, [write('update', key('K', 'many'), { a: tags(143), b: tags(141), c: true })]);
    await datastore.ensureIndexes(APP, [exploding]);
    expect(datastore.listIndexes(APP).map(({ id, state }) => [id, state])).toEqual([
      [1, 'deleting'],
      [2, 'building'],
    ]);
    await datastore.indexesBuilt();
    expect(datastore.listIndexes(APP).map(({ id, state }) => [id, state])).toEqual([[2, 'error']]);

    await datastore.commit(APP, [remove(key('K', 'many'))]);
    await datastore.ensureIndexes(APP, [exploding]);
    await datastore.indexesBuilt();
    expect(datastore.listIndexes(APP).map(({ id, state }) => [id, state])).toEqual([[3, 'serving']]);
    expect(await compositeRows(store)).toBe(0);
    await expect(datastore.commit(APP, [write('insert', key('K', 'many'), { a: tags(142), b: tags(142) })])).rejects.toThrow(
      /at most 20000 index entries, this one 20448 with the index K\(a, b\)/,
    );
  });
});

describe('the entries of one entity', () => {
  it.each([
    // 141 × 141 + 141 + 141 = 20,163; 140 × 140 + 280 = 19,880
    ['20,000 in all', { a: tags(141), b: tags(141) }, { a: tags(140), b: tags(140) }, /at most 20000 index entries, this one 20163/],
    // 40 × 40 × 1,400 bytes, twice over; 25 × 25 × 1,400 × 2
    [
      '2 MiB of keys in composite indexes',
      { a: tags(40).map((tag) => tag.padEnd(1_400)), b: tags(40) },
      { a: tags(36).map((tag) => tag.padEnd(1_400)), b: tags(40) },
      /at most 2097152 bytes, of this one 2\d{6} with the index K\(a, b\)/,
    ],
  ])('may be %s', async (_, tooMuch, fits, reason) => {
    const { datastore } = await open();
    await datastore.ensureIndexes(APP, [exploding]);
    await datastore.indexesBuilt();
    await expect(datastore.commit(APP, [write('insert', key('K', 'x'), tooMuch)])).rejects.toThrow(reason);
    await datastore.commit(APP, [write('insert', key('K', 'x'), fits)]);
    await datastore.commit(APP, [remove(key('K', 'x'))]);
    expect(datastore.storedBytes().get(APP.appId)).toBe(0);
  });

  it('are counted with ancestors, and once for a value that a list holds twice', async () => {
    const { datastore, store } = await open();
    await datastore.ensureIndexes(APP, [{ ...exploding, ancestor: true }]);
    await datastore.indexesBuilt();
    const twice = [...tags(10), ...tags(10)];
    await datastore.commit(APP, [write('insert', key('P', 1n, 'Q', 2n, 'K', 'x'), { a: twice, b: tags(7) })]);
    expect(await compositeRows(store)).toBe(10 * 7 * 3);
    await expect(datastore.commit(APP, [write('insert', key('P', 1n, 'Q', 2n, 'K', 'y'), { a: tags(90), b: tags(75) })])).rejects.toThrow(
      `this one ${90 * 75 * 3 + 90 + 75} with the index K(ancestor, a, b)`,
    );
    expect(LIMITS.indexEntriesPerEntityMax).toBe(20_000);
  });
});

describe('deleting an index', () => {
  it('ends its use at once and takes its rows away, and its id never comes again', async () => {
    const store = new MemoryStore();
    const { datastore } = await open(store);
    await fill(datastore, 2_500);
    await datastore.ensureIndexes(APP, [byCity]);
    await datastore.indexesBuilt();
    await datastore.deleteIndex(APP, 1);
    await expect(datastore.runQuery(APP, newestOfCity)).rejects.toThrow(/recommended index is:\n- kind: K/);
    await datastore.commit(APP, [write('insert', key('K', 'new'), { city: 'Oslo', n: 1n })]);
    // A second deletion changes nothing; the same definition begins anew beside it.
    await datastore.deleteIndex(APP, 1);
    await datastore.ensureIndexes(APP, [byCity]);
    expect(datastore.listIndexes(APP).map(({ id, state }) => [id, state])).toEqual([
      [1, 'deleting'],
      [2, 'building'],
    ]);
    await datastore.indexesBuilt();
    expect(datastore.listIndexes(APP)).toEqual([expect.objectContaining({ id: 2, state: 'serving', done: 2_501 })]);
    expect(await compositeRows(store)).toBe(2_501);

    await datastore.deleteIndex(APP, 2);
    await datastore.indexesBuilt();
    expect(datastore.listIndexes(APP)).toEqual([]);
    expect(await compositeRows(store)).toBe(0);
    expect(datastore.storedBytes().get(APP.appId)).toBe(await storedBytes(store));
    await expect(datastore.deleteIndex(APP, 2)).rejects.toEqual(expect.objectContaining({ code: 'DS_INDEX_NOT_FOUND' }));

    await datastore.close();
    const again = await open(store);
    expect((await again.datastore.ensureIndexes(APP, [byCity])).map(({ id }) => id)).toEqual([3]);
  });

  it('goes on after a crash where it was', async () => {
    const store = new MemoryStore();
    const { datastore } = await open(store);
    await fill(datastore, 3_500);
    await datastore.ensureIndexes(APP, [byCity]);
    await datastore.indexesBuilt();
    await datastore.deleteIndex(APP, 1);
    await expect.poll(() => datastore.listIndexes(APP)[0]?.done ?? 0, { interval: 0 }).toBeGreaterThan(0);
    await store.close();
    await datastore.close().catch(() => undefined);
    const again = await open(store);
    const [index] = again.datastore.listIndexes(APP);
    expect(index?.state).toBe('deleting');
    expect(index?.done).toBeGreaterThan(0);
    await again.datastore.indexesBuilt();
    expect(again.datastore.listIndexes(APP)).toEqual([]);
    expect(await compositeRows(store)).toBe(0);
    await expect.poll(() => again.datastore.storedBytes().get(APP.appId)).toBe(await storedBytes(store));
  });

  it('stops a build under way', async () => {
    const { datastore, store } = await open();
    await fill(datastore, 2_000);
    await datastore.ensureIndexes(APP, [byCity]);
    await expect.poll(() => datastore.listIndexes(APP)[0]?.done ?? 0, { interval: 0 }).toBeGreaterThan(0);
    await datastore.deleteIndex(APP, 1);
    await datastore.indexesBuilt();
    expect(datastore.listIndexes(APP)).toEqual([]);
    expect(await compositeRows(store)).toBe(0);
  });
});

describe('under development', () => {
  const record = async (isAuto: boolean) => {
    const recorded: (readonly IndexDefinition[])[] = [];
    const opened = await openDatastore({
      recordIndexes: (_app, definitions) => {
        recorded.push(definitions);
        return Promise.resolve(isAuto);
      },
    });
    datastore = opened.datastore;
    await fill(opened.datastore, 10);
    return { datastore: opened.datastore, recorded };
  };

  it('a query waits for the index that is made for it, and others do not ask again', async () => {
    const { datastore, recorded } = await record(true);
    const answers = await Promise.all([datastore.runQuery(APP, newestOfCity), datastore.runQuery(APP, newestOfCity)]);
    expect(answers.map(({ results }) => results.length)).toEqual([10, 10]);
    const total = await datastore.runAggregation(APP, { nested: newestOfCity, aggregations: [{ kind: 'count', alias: 'n' }] });
    expect(total.values[0]?.value).toEqual({ kind: 'integer', value: 10n });
    expect(recorded).toEqual([[byCity], [byCity]]);
    await datastore.runQuery(APP, query('K', { filter: where('city', '=', 'Oslo') }));
    expect(recorded).toHaveLength(2);
  });

  it('a transaction is told to run again, on a state that has the index', async () => {
    const { datastore } = await record(true);
    const transaction = await datastore.beginTransaction(APP, { readOnly: true });
    await expect(datastore.runQuery(APP, newestOfCity, { transaction })).rejects.toEqual(
      expect.objectContaining({ code: 'DS_TX_CONFLICT' }),
    );
    const again = await datastore.beginTransaction(APP, { readOnly: true });
    expect((await datastore.runQuery(APP, newestOfCity, { transaction: again })).results).toHaveLength(10);
  });

  it('a query gets the lines, as App Engine words them, where index.yaml is managed by hand', async () => {
    const { datastore } = await record(false);
    const refused = await datastore.runQuery(APP, newestOfCity).catch((error: unknown) => (error as Error).message);
    expect(refused).toBe(
      'no matching index found. recommended index is:\n- kind: K\n  properties:\n  - name: city\n  - name: n\n    direction: desc\n',
    );
    expect(datastore.listIndexes(APP)).toEqual([]);
  });
});
