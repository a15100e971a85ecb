// A reset, against what a datastore that was never written to would answer.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeKey, encodeKey } from '../sdk/contract/entity-proto.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { VirtualTime } from '../sdk/support/virtual-time.ts';
import { type Datastore } from './datastore.ts';
import { APP, get, key, namesOf, openDatastore, type OpenDatastore, query, remove, where, write } from './fixture.ts';
import { MemoryStore } from './storage/memory-store.ts';
import { type BeginOptions, type KeyRange, type Row, type Store, type StoreTransaction } from './storage/port.ts';

const KEPT = { appId: 'kept' };
const OTHER = { appId: 'other' };
const ALL: KeyRange = { from: Buffer.alloc(0), to: Buffer.from([0xff]) };
const DEFINITION = {
  kind: 'K',
  ancestor: false,
  properties: [
    { name: 'a', direction: 'asc' as const },
    { name: 'b', direction: 'desc' as const },
  ],
};
const keepsOne = (appId: string): boolean => appId === KEPT.appId;
const keepsNone = (): boolean => false;

let open: OpenDatastore;
let datastore: Datastore;

beforeEach(async () => {
  open = await openDatastore();
  datastore = open.datastore;
});

afterEach(() => datastore.close());

async function rowsOf(store: Store): Promise<readonly Row[]> {
  const scan = store.scan(ALL);
  const all: Row[] = [];
  for (let rows = await scan.next(1_000); rows.length > 0; rows = await scan.next(1_000)) all.push(...rows);
  await scan.close();
  return all;
}

/** Entities in two databases and namespaces, history of them, a built index, settings and a policy. */
async function fill(scope: { readonly appId: string }, to: Datastore = datastore, entities = 20): Promise<void> {
  await to.ensureIndexes(scope, [DEFINITION]);
  await to.indexesBuilt();
  for (let at = 0; at < entities; at++)
    await to.commit(scope, [write('upsert', key('K', `n${at}`), { a: BigInt(at), b: ['x', `y${at}`] })]);
  await to.commit(scope, [
    write('upsert', key('K', 'n0'), { a: 100n, b: 'z' }),
    write('upsert', { ...key('Other', 1n), namespace: 'ns', databaseId: 'db' }, { a: 1n }),
    write('upsert', { ...key('K', 'there'), namespace: 'ns' }, { a: 1n, b: 2n }),
    remove(key('K', 'n1')),
  ]);
  await to.settings.change(scope.appId, (settings) => ({ ...settings, concurrency: 'optimistic' }));
  await to.ttl.set(scope.appId, { kind: 'K', property: 'until' });
}

const composite = query('K', {
  filter: where('a', '>=', 0n),
  orders: [
    { property: 'a', direction: 'asc' },
    { property: 'b', direction: 'desc' },
  ],
});

async function codeOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'ok',
    (error: unknown) => (error instanceof PlatformError ? error.code : error),
  );
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Everything that can be asked about an app. */
async function observe(scope: { readonly appId: string }, of: Datastore = datastore): Promise<unknown> {
  const lookups = await of.lookup(
    scope,
    ['n0', 'n1', 'n5'].map((name) => encodeKey(key('K', name))),
  );
  const names = async (one: Parameters<Datastore['runQuery']>[1]): Promise<readonly string[]> => namesOf(await of.runQuery(scope, one));
  return {
    found: lookups.found.map(({ entity }) => entity),
    missing: lookups.missing.map((bytes) => decodeKey(bytes).path),
    byKind: await names(query('K')),
    byProperty: await names(query('K', { filter: where('a', '>', 3n) })),
    elsewhere: await names(query('Other', { namespace: 'ns', databaseId: 'db' })),
    kindless: await names(query(undefined)),
    composite: await codeOf(of.runQuery(scope, composite)),
    properties: await names(query('__property__')),
    count: (await of.runAggregation(scope, { nested: query('K'), aggregations: [{ kind: 'count', alias: 'n' }] })).values,
    kinds: await of.listKinds(scope, { databaseId: '', namespace: '' }),
    namespaces: await of.listNamespaces(scope, { databaseId: '' }),
    indexes: of.listIndexes(scope).map(({ definition, state }) => ({ definition, state })),
    settings: of.settings.of(scope.appId),
    ttl: of.ttl.list(scope.appId),
    bytes: of.storedBytes().get(scope.appId) ?? 0,
  };
}

async function observeFresh(): Promise<unknown> {
  const fresh = await openDatastore();
  try {
    return await observe(APP, fresh.datastore);
  } finally {
    await fresh.datastore.close();
  }
}

/** Whether statistics say what is there, and whether everything fits together. */
async function expectSound(of: OpenDatastore): Promise<void> {
  const counted = (await rowsOf(of.store)).filter(({ key }) => 'CEHKP'.includes(String.fromCharCode(key[0] ?? 0)));
  const tablets = of.datastore.tabletServer.list();
  expect(tablets.reduce((sum, { rows }) => sum + rows, 0)).toBe(counted.length);
  expect(tablets.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(
    counted.reduce((sum, { key, value }) => sum + key.length + value.length, 0),
  );
  let step = await of.datastore.checker.step({});
  while (step.next !== undefined) {
    expect(step.findings).toEqual([]);
    step = await of.datastore.checker.step({}, { from: step.next });
  }
  expect(step.findings).toEqual([]);
}

describe('a reset', () => {
  it('leaves of an app what a datastore without it would answer, and everything of those that are kept', async () => {
    await fill(APP);
    await fill(KEPT);
    const before = await observe(KEPT);
    await datastore.reset(keepsOne);
    expect(await observe(APP)).toEqual(await observeFresh());
    expect(await observe(KEPT)).toEqual(before);
    await expectSound(open);
    const left = (await rowsOf(open.store)).filter(({ key }) => key.includes(APP.appId));
    const families = new Set(left.map(({ key }) => key.subarray(0, 2).toString('latin1')));
    expect([...families].filter((family) => !['Ag', 'S\x02', 'S\x04', 'S\x05'].includes(family))).toEqual([]);
  });

  it('is the same after a restart', async () => {
    await fill(APP);
    await fill(KEPT);
    const before = await observe(KEPT);
    await datastore.reset(keepsOne);
    await datastore.close();
    open = await openDatastore({ store: open.store });
    datastore = open.datastore;
    expect(await observe(APP)).toEqual(await observeFresh());
    expect(await observe(KEPT)).toEqual(before);
    await expectSound(open);
  });

  it('can be followed by everything that came before, with an index anew', async () => {
    await fill(APP);
    const before = await observe(APP);
    await datastore.reset(keepsNone);
    await fill(APP);
    expect(await observe(APP)).toEqual(before);
    expect(await codeOf(datastore.runQuery(APP, composite))).toBe('ok');
    await expectSound(open);
  });

  it('gives no id and no version again, at once and after a restart with the clock set back', async () => {
    const time = new VirtualTime(1_700_000_000_000);
    const ids = async (of: Datastore): Promise<readonly bigint[]> =>
      (
        await of.allocateIds(
          APP,
          Array.from({ length: 300 }, () => encodeKey(key('K'))),
        )
      ).keys.map((one) => decodeKey(one).path[0]?.id ?? 0n);
    await fill(APP);
    const given = [...(await ids(datastore))];
    const version = async (of: Datastore): Promise<bigint> => (await of.commit(APP, [write('upsert', key('V', 'v'), {})])).commitTimeMicros;
    const versions = [await version(datastore)];
    const indexes = [datastore.listIndexes(APP)[0]?.id ?? 0];
    for (const isRestarted of [false, true]) {
      await datastore.reset(keepsNone);
      if (isRestarted) {
        await datastore.close();
        open = await openDatastore({ store: open.store, time });
        datastore = open.datastore;
      }
      given.push(...(await ids(datastore)));
      versions.push(await version(datastore));
      indexes.push((await datastore.ensureIndexes(APP, [DEFINITION]))[0]?.id ?? 0);
    }
    expect(new Set(given).size).toBe(900);
    expect(versions).toEqual([...versions].sort((one, other) => (one < other ? -1 : 1)));
    expect(new Set(versions).size).toBe(3);
    expect(indexes).toEqual([1, 2, 3]);
  });

  it('ends transactions of what it wipes, and those alone', async () => {
    await datastore.commit(APP, [write('upsert', key('K', 'a'), { n: 1n })]);
    await datastore.commit(KEPT, [write('upsert', key('K', 'a'), { n: 1n })]);
    const ids = [
      await datastore.beginTransaction(APP),
      await datastore.beginTransaction(APP),
      await datastore.beginTransaction(APP, { readOnly: true }),
    ];
    const kept = await datastore.beginTransaction(KEPT);
    await datastore.lookup(KEPT, [encodeKey(key('K', 'a'))], { transaction: kept });
    await get(datastore, key('K', 'a'), ids[0]);
    // Waits for the lock of the first one.
    const waiting = codeOf(datastore.commit(APP, [write('update', key('K', 'a'), { n: 2n })], ids[1] ? { transaction: ids[1] } : {}));
    const outside = codeOf(datastore.commit(APP, [write('update', key('K', 'a'), { n: 3n })]));
    const upsert = codeOf(datastore.commit(APP, [write('upsert', key('K', 'a'), { n: 4n })]));
    await turns(5);
    await datastore.reset(keepsOne);
    expect(await waiting).toBe('DS_TX_INVALID');
    expect(await outside).toBe('DS_NOT_FOUND');
    expect(await upsert).toBe('ok');
    for (const id of ids) {
      expect(await codeOf(get(datastore, key('K', 'a'), id))).toBe('DS_TX_INVALID');
      expect(await codeOf(datastore.commit(APP, [write('upsert', key('K', 'late'), {})], { transaction: id }))).toBe('DS_TX_INVALID');
      expect(await codeOf(datastore.rollback(APP, id))).toBe('DS_TX_INVALID');
    }
    await datastore.commit(KEPT, [write('update', key('K', 'a'), { n: 2n })], { transaction: kept });
    expect(await get(datastore, key('K', 'late'))).toBeUndefined();
    expect(await get(datastore, key('K', 'a'))).toMatchObject({ properties: { n: { value: 4n } } });
    await expectSound(open);
  });

  it('is the end of reads at an earlier time', async () => {
    const { commitTimeMicros: readTime } = await datastore.commit(APP, [write('upsert', key('K', 'a'), {})]);
    open.time.advance(1_000);
    await datastore.reset(keepsNone);
    expect(await codeOf(datastore.lookup(APP, [encodeKey(key('K', 'a'))], { readTime }))).toBe('DS_TOO_OLD');
    open.time.advance(1_000);
    const later = BigInt(open.time.nowMs()) * 1_000n;
    expect((await datastore.lookup(APP, [encodeKey(key('K', 'a'))], { readTime: later })).missing).toHaveLength(1);
  });

  it('takes an index away while it is being built', async () => {
    for (let at = 0; at < 450; at += 50) {
      await datastore.commit(
        APP,
        Array.from({ length: 50 }, (_, more) => write('upsert', key('K', `n${at + more}`), { a: 1n, b: BigInt(at + more) })),
      );
    }
    await datastore.ensureIndexes(APP, [DEFINITION]);
    await datastore.reset(keepsNone);
    await datastore.indexesBuilt();
    expect(await observe(APP)).toEqual(await observeFresh());
    await expectSound(open);
  });

  it('spares the definitions of indexes and the settings if asked to, and empties those', async () => {
    await fill(APP);
    const { indexes, settings, ttl } = (await observe(APP)) as Record<string, unknown>;
    await datastore.reset(keepsNone, { sparesDefinitions: true });
    expect(await observe(APP)).toEqual({ ...((await observeFresh()) as object), indexes, settings, ttl, composite: 'ok' });
    await datastore.commit(APP, [write('upsert', key('K', 'new'), { a: 1n, b: 2n })]);
    expect(namesOf(await datastore.runQuery(APP, composite))).toEqual(['new']);
    await expectSound(open);
  });

  it('lets no expired entity of before keep those of afterwards from being deleted', async () => {
    const hour = 3_600_000;
    const until = (ms: number): Date => new Date(open.time.nowMs() + ms);
    await datastore.ttl.set(APP.appId, { kind: 'K', property: 'until' });
    // Does not expire, so what lies before it is passed over from then on.
    await datastore.commit(APP, [write('upsert', key('K', 'list'), { until: [until(-hour)] })]);
    await open.time.advanceAsync(20_000);
    await datastore.reset(keepsNone);
    await datastore.ttl.set(APP.appId, { kind: 'K', property: 'until' });
    await datastore.commit(APP, [write('upsert', key('K', 'old'), { until: until(-2 * hour) })]);
    for (let round = 0; round < 50 && (await get(datastore, key('K', 'old'))); round++) {
      await open.time.advanceAsync(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await get(datastore, key('K', 'old'))).toBeUndefined();
  });
});

/** Its `heldAt`th commit that deletes rows waits for `release`, or fails for `fail`. */
class HeldStore extends MemoryStore {
  heldAt = Infinity;
  /** What reads of one row wait for. */
  reading: Promise<void> = Promise.resolve();
  #deleting = 0;
  #hold: { readonly release: () => void; readonly fail: () => void } | undefined;
  #onHeld: () => void = () => undefined;

  override begin(options?: BeginOptions): StoreTransaction {
    const transaction = super.begin(options);
    let deletes = 0;
    const commit = transaction.commit.bind(transaction);
    const remove = transaction.delete.bind(transaction);
    transaction.delete = (key) => {
      deletes++;
      remove(key);
    };
    transaction.commit = async () => {
      if (deletes > 0 && ++this.#deleting === this.heldAt) {
        await new Promise<void>((release, reject) => {
          this.#hold = {
            release,
            fail: () => {
              reject(new PlatformError('DS_LIMIT', 'for the test'));
            },
          };
          this.#onHeld();
        });
      }
      return commit();
    };
    return transaction;
  }

  override async get(at: Buffer): Promise<Buffer | undefined> {
    await this.reading;
    return super.get(at);
  }

  /** From now on. */
  async held(at: number, action: () => void): Promise<{ readonly release: () => void; readonly fail: () => void }> {
    this.#deleting = 0;
    this.heldAt = at;
    const reached = new Promise<void>((resolve) => (this.#onHeld = resolve));
    action();
    await reached;
    if (!this.#hold) throw new Error('it is held');
    return this.#hold;
  }
}

describe('a reset of many rows', () => {
  let store: HeldStore;
  const read = (): Promise<unknown>[] => [
    codeOf(
      datastore.lookup(APP, [encodeKey(key('K', 'n5'))]).then(({ missing }) => missing.length === 1 || Promise.reject(new Error('half'))),
    ),
    codeOf(datastore.runQuery(APP, query('K')).then(({ results }) => results.length === 0 || Promise.reject(new Error('half')))),
    codeOf(
      datastore.listKinds(APP, { databaseId: '', namespace: '' }).then((kinds) => kinds.length === 0 || Promise.reject(new Error('half'))),
    ),
    codeOf(datastore.commit(APP, [write('insert', key('K', 'n5'), { n: 1n })])),
    codeOf(datastore.beginTransaction(APP)),
  ];

  beforeEach(async () => {
    await datastore.close();
    store = new HeldStore();
    open = await openDatastore({ store, eraserRowsMax: 7 });
    datastore = open.datastore;
    await fill(APP);
    await fill(KEPT);
  });

  it('lets nobody see a half of it: calls wait, and see the state after it', async () => {
    let resetting: Promise<void> | undefined;
    const held = await store.held(3, () => {
      resetting = datastore.reset(keepsOne);
    });
    let over = 0;
    const calls = read();
    for (const call of calls) void call.then(() => over++);
    expect((await get(datastore, key('K', 'n5'), undefined, KEPT))?.key.path).toEqual(key('K', 'n5').path);
    await datastore.commit(KEPT, [write('upsert', key('K', 'meanwhile'), {})]);
    await turns(20);
    expect(over).toBe(0);
    held.release();
    await resetting;
    expect(await Promise.all(calls)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok']);
    await expectSound(open);
  });

  it('keeps out a commit that waited for a transaction which it has ended', async () => {
    const transaction = await datastore.beginTransaction(OTHER);
    await datastore.runQuery(OTHER, query('K'), { transaction });
    let over = 0;
    // Into the range that the transaction has read.
    const call = codeOf(datastore.commit(OTHER, [write('upsert', key('K', 'new'), { a: 1n })])).finally(() => over++);
    await turns(5);
    let resetting: Promise<void> | undefined;
    const held = await store.held(3, () => {
      resetting = datastore.reset(keepsOne);
    });
    await turns(20);
    expect(over).toBe(0);
    held.release();
    await resetting;
    expect(await call).toBe('ok');
    expect(await get(datastore, key('K', 'new'), undefined, OTHER)).toBeDefined();
    await expectSound(open);
  });

  it('ends a transaction in the midst of its commit, unless that is under way to the disk', async () => {
    const transaction = await datastore.beginTransaction(APP);
    let letRead = (): void => undefined;
    store.reading = new Promise((resolve) => (letRead = resolve));
    const committing = codeOf(datastore.commit(APP, [write('upsert', key('New', 'x'), {})], { transaction }));
    await turns(5);
    const resetting = datastore.reset(keepsOne);
    await turns(5);
    letRead();
    await resetting;
    expect(await committing).toBe('DS_TX_INVALID');
    expect(await get(datastore, key('New', 'x'))).toBeUndefined();
  });

  it('refuses calls after it has failed halfway, until another one is through', async () => {
    let resetting: Promise<unknown> | undefined;
    const held = await store.held(3, () => {
      resetting = codeOf(datastore.reset(keepsOne));
    });
    const waiting = read();
    held.fail();
    expect(await resetting).toBe('DS_LIMIT');
    expect(new Set(await Promise.all([...waiting, ...read()]))).toEqual(new Set(['DS_CLOSED']));
    expect(await get(datastore, key('K', 'n5'), undefined, KEPT)).toBeDefined();
    // Whom it keeps does not matter: what was half gone goes.
    await datastore.reset(() => true);
    expect(await observe(APP)).toEqual(await observeFresh());
    await expectSound(open);
  });

  it.each([false, true])('is finished by the next start after a crash halfway (definitions spared: %s)', async (sparesDefinitions) => {
    const { indexes, settings, ttl } = (await observe(APP)) as Record<string, unknown>;
    const before = await observe(KEPT);
    let resetting: Promise<unknown> | undefined;
    const held = await store.held(3, () => {
      resetting = codeOf(datastore.reset(keepsOne, { sparesDefinitions }));
    });
    const rows = await rowsOf(store);
    expect((await datastore.checker.step({})).findings.filter(({ problem }) => problem === 'unreadable')).toEqual([]);
    expect(rows.filter(({ key: row }) => row.toString('latin1').startsWith('S\x06'))).toHaveLength(1);
    held.fail();
    await resetting;
    // What a crash at that moment would have left.
    const copy = new MemoryStore();
    await copy.start();
    const transaction = copy.begin();
    for (const row of rows) transaction.put(row.key, row.value);
    await transaction.commit();
    await copy.close();
    const again = await openDatastore({ store: copy });
    await again.datastore.tabletServer.maintain();
    const fresh = (await observeFresh()) as object;
    expect(await observe(APP, again.datastore)).toEqual(sparesDefinitions ? { ...fresh, indexes, settings, ttl, composite: 'ok' } : fresh);
    expect(await observe(KEPT, again.datastore)).toEqual(before);
    await expectSound(again);
    expect((await rowsOf(copy)).filter(({ key: row }) => row.toString('latin1').startsWith('S\x06'))).toEqual([]);
    await again.datastore.close();
  });

  it('may come again and again among writers, and everything still fits together', async () => {
    const allowed = new Set(['ok', 'DS_TX_INVALID', 'DS_TX_CONFLICT', 'DS_NOT_FOUND', 'DS_ALREADY_EXISTS']);
    const seen = new Set<unknown>();
    let isOver = false;
    const writer = async (scope: { readonly appId: string }, name: string): Promise<void> => {
      for (let at = 0; !isOver; at++) {
        const one = key('K', `${name}${at % 7}`);
        const mutation = at % 5 === 4 ? remove(one) : write(at % 2 === 0 ? 'upsert' : 'update', one, { a: BigInt(at), b: name });
        seen.add(
          await codeOf(
            (async () => {
              if (at % 3 > 0) return datastore.commit(scope, [mutation]);
              const transaction = await datastore.beginTransaction(scope);
              await datastore.runQuery(scope, query('K', { limit: 3 }), { transaction });
              return datastore.commit(scope, [mutation], { transaction });
            })(),
          ),
        );
      }
    };
    const writers = [APP, KEPT].flatMap((scope) => Array.from({ length: 6 }, (_, at) => writer(scope, `w${at}-`)));
    for (let round = 0; round < 3; round++) {
      await turns(8);
      await datastore.ensureIndexes(APP, [DEFINITION]);
      await datastore.reset(keepsOne);
    }
    isOver = true;
    await Promise.all(writers);
    expect([...seen].filter((one) => !allowed.has(one as string))).toEqual([]);
    expect(seen.has('ok')).toBe(true);
    expect(seen.has('DS_TX_INVALID')).toBe(true);
    await datastore.indexesBuilt();
    await expectSound(open);
  });
});
