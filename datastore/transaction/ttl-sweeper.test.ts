import { beforeEach, describe, expect, it } from 'vitest';
import { type Value } from '../../sdk/contract/entity.ts';
import { encodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { APP, get, key, openDatastore, type OpenDatastore, type Plain, query, value, where, write } from '../fixture.ts';

let open: OpenDatastore;

beforeEach(async () => {
  open = await openDatastore();
  return () => open.datastore.close();
});

/** `seconds` from now. */
const inSeconds = (seconds: number): Date => new Date(open.time.nowMs() + seconds * 1_000);
const put = (at: Key, plain: Readonly<Record<string, Plain>>): Promise<unknown> => open.datastore.commit(APP, [write('upsert', at, plain)]);
const putValues = (at: Key, values: Readonly<Record<string, Value>>): Promise<unknown> =>
  open.datastore.commit(APP, [{ op: 'upsert', entity: encodeEntity({ key: at, properties: values }) }]);
const isThere = async (at: Key): Promise<boolean> => (await get(open.datastore, at)) !== undefined;

/** Lets time pass with all that is done in it. */
async function pass(seconds: number): Promise<void> {
  for (let left = seconds; left > 0; left -= 5) {
    await open.time.advanceAsync(Math.min(5, left) * 1_000);
    // Rounds go on over turns of their own.
    for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('expiry', () => {
  it('deletes an entity within a minute after its time, not before, and what belongs to it', async () => {
    await open.datastore.ttl.set(APP.appId, { kind: 'K', property: 'until' });
    await put(key('K', 'soon'), { until: inSeconds(60), n: 1n });
    await put(key('K', 'later'), { until: inSeconds(600), n: 1n });
    await put(key('Other', 'soon'), { until: inSeconds(60) });
    await put(key('K', 'soon', 'Child', 'c'), { n: 1n });
    await pass(58);
    expect(await isThere(key('K', 'soon'))).toBe(true);
    const before = BigInt(open.time.nowMs()) * 1_000n;
    await pass(60);
    expect(await isThere(key('K', 'soon'))).toBe(false);
    for (const at of [key('K', 'later'), key('Other', 'soon'), key('K', 'soon', 'Child', 'c')]) expect(await isThere(at)).toBe(true);
    expect((await open.datastore.runQuery(APP, query('K', { filter: where('n', '=', 1n) }))).results).toHaveLength(1);
    // A delete as any other: its earlier state can be read.
    const { found } = await open.datastore.lookup(APP, [encodeKey(key('K', 'soon'))], { readTime: before });
    expect(found).toHaveLength(1);
    expect((await open.datastore.checker.step(APP)).findings).toEqual([]);
  });

  it('goes by timestamps alone: nothing else ever expires', async () => {
    await open.datastore.ttl.set(APP.appId, { kind: 'K', property: 'until' });
    const past = BigInt(open.time.nowMs()) * 1_000n - 1n;
    await put(key('K', 'integer'), { until: past });
    await put(key('K', 'list'), { until: [inSeconds(-60), inSeconds(-30)] });
    await put(key('K', 'text'), { until: 'long ago' });
    await put(key('K', 'null'), { until: null });
    await put(key('K', 'none'), { n: 1n });
    await putValues(key('K', 'unindexed'), { until: { ...value(inSeconds(-60)), excludeFromIndexes: true } });
    await putValues(key('K', 'dotted'), { until: { kind: 'entity', value: { properties: { until: value(inSeconds(-60)) } } } });
    await put(key('K', 'time'), { until: inSeconds(-60) });
    await put(key('K', 'ancient'), { until: new Date('0001-01-01T00:00:00Z') });
    await pass(60);
    const { results } = await open.datastore.runQuery(APP, query('K'));
    expect(results).toHaveLength(7);
    expect([await isThere(key('K', 'time')), await isThere(key('K', 'ancient'))]).toEqual([false, false]);
  });

  it('knows properties of embedded entities by the names of their index rows', async () => {
    await open.datastore.ttl.set(APP.appId, { kind: 'K', property: 'session.until' });
    await putValues(key('K', 'a'), { session: { kind: 'entity', value: { properties: { until: value(inSeconds(-60)) } } } });
    await pass(30);
    expect(await isThere(key('K', 'a'))).toBe(false);
  });

  it('reaches every namespace and database, many entities at once', async () => {
    await open.datastore.ttl.set(APP.appId, { kind: 'K', property: 'until' });
    const places = [key('K', 'a'), { ...key('K', 'a'), namespace: 'n' }, { ...key('K', 'a'), namespace: 'z', databaseId: 'db' }];
    for (const at of places) await put(at, { until: inSeconds(-1) });
    const many = Array.from({ length: 230 }, (_, at) => write('insert', key('K', `m${at}`), { until: inSeconds(-1 - at) }));
    await open.datastore.commit(APP, many);
    await put({ ...key('K', 'stays'), namespace: 'n' }, { until: inSeconds(3_000) });
    await pass(60);
    for (const at of places) expect(await isThere(at)).toBe(false);
    expect((await open.datastore.runQuery(APP, query('K'))).results).toEqual([]);
    expect(await isThere({ ...key('K', 'stays'), namespace: 'n' })).toBe(true);
  });

  it('leaves an entity whose time was moved while it was about to be deleted, and takes the others', async () => {
    await put(key('K', 'a'), { until: inSeconds(-1) });
    await put(key('K', 'b'), { until: inSeconds(-1) });
    const store = open.store;
    const getMany = store.getMany.bind(store);
    let moved = false;
    // Between what the sweep reads and its commit.
    store.getMany = async (keys) => {
      const rows = await getMany(keys);
      if (!moved && keys.length === 2) {
        moved = true;
        await put(key('K', 'a'), { until: inSeconds(3_000) });
      }
      return rows;
    };
    await open.datastore.ttl.set(APP.appId, { kind: 'K', property: 'until' });
    await pass(60);
    expect(moved).toBe(true);
    expect([await isThere(key('K', 'a')), await isThere(key('K', 'b'))]).toEqual([true, false]);
  });

  it('does not read rows that never expire in every round, and still finds what comes among them', async () => {
    await open.datastore.ttl.set(APP.appId, { kind: 'K', property: 'until' });
    await open.datastore.commit(
      APP,
      Array.from({ length: 300 }, (_, at) => write('insert', key('K', `i${at}`), { until: BigInt(at) })),
    );
    await pass(60);
    let read = 0;
    const { store } = open;
    const getMany = store.getMany.bind(store);
    store.getMany = (keys) => {
      read += keys.length;
      return getMany(keys);
    };
    await pass(300);
    expect(read).toBe(0);
    await put(key('K', 'time'), { until: inSeconds(10) });
    await put(key('K', 'among'), { until: new Date(0) });
    await pass(60);
    expect(await isThere(key('K', 'time'))).toBe(false);
    expect(await isThere(key('K', 'among'))).toBe(true);
    open.time.advance(3_600_000);
    await pass(60);
    expect(await isThere(key('K', 'among'))).toBe(false);
    expect((await open.datastore.runQuery(APP, query('K', { projection: ['__key__'] }))).results).toHaveLength(300);
  });

  it('goes on after a restart, and ends with its policy', async () => {
    await open.datastore.ttl.set(APP.appId, { kind: 'K', property: 'until' });
    await put(key('K', 'a'), { until: inSeconds(30) });
    await open.datastore.close();
    await open.datastore.start();
    await pass(60);
    expect(await isThere(key('K', 'a'))).toBe(false);
    await put(key('K', 'b'), { until: inSeconds(30) });
    expect(await open.datastore.ttl.clear(APP.appId, 'K')).toBe(true);
    expect(await open.datastore.ttl.clear(APP.appId, 'K')).toBe(false);
    await pass(120);
    expect(await isThere(key('K', 'b'))).toBe(true);
  });

  it('pauses longer after each failure, for that app alone', async () => {
    await put(key('K', 'a'), { until: inSeconds(-1) });
    await open.datastore.commit({ appId: 'other' }, [write('insert', key('K', 'a'), { until: inSeconds(-1) })]);
    const { store, log } = open;
    const getMany = store.getMany.bind(store);
    let failures = 0;
    store.getMany = (keys) => {
      if (!keys[0]?.toString('latin1').includes(APP.appId)) return getMany(keys);
      failures++;
      return Promise.reject(new Error('broken'));
    };
    await open.datastore.ttl.set(APP.appId, { kind: 'K', property: 'until' });
    await open.datastore.ttl.set('other', { kind: 'K', property: 'until' });
    await pass(600);
    // After 30, 60, 120, 240 seconds more.
    expect(failures).toBeGreaterThan(2);
    expect(failures).toBeLessThan(7);
    expect(log.lines.filter(({ message }) => message === 'Expired entities could not be deleted')).toHaveLength(failures);
    const { found } = await open.datastore.lookup({ appId: 'other' }, [encodeKey(key('K', 'a'))]);
    expect(found).toEqual([]);
    store.getMany = getMany;
    await pass(600);
    expect(await isThere(key('K', 'a'))).toBe(false);
  });
});

describe('policies', () => {
  it('are one per kind, and kept', async () => {
    const { ttl } = open.datastore;
    expect(ttl.list(APP.appId)).toEqual([]);
    await ttl.set(APP.appId, { kind: 'K', property: 'a' });
    await ttl.set(APP.appId, { kind: 'L', property: 'b' });
    await ttl.set(APP.appId, { kind: 'K', property: 'c' });
    const wanted = [
      { kind: 'L', property: 'b' },
      { kind: 'K', property: 'c' },
    ];
    expect(ttl.list(APP.appId)).toEqual(wanted);
    expect(ttl.list('other')).toEqual([]);
    await open.datastore.close();
    await open.datastore.start();
    expect(ttl.list(APP.appId)).toEqual(wanted);
  });

  it('say whether the property is indexed where there are entities', async () => {
    const { ttl } = open.datastore;
    const policy = { kind: 'K', property: 'until' };
    expect(await ttl.set(APP.appId, policy)).toEqual({ ...policy, isIndexed: true });
    await put({ ...key('L', 'a'), namespace: 'a' }, { until: inSeconds(1_000) });
    await putValues({ ...key('K', 'a'), namespace: 'n' }, { until: { ...value(inSeconds(60)), excludeFromIndexes: true } });
    expect(await ttl.set(APP.appId, policy)).toEqual({ ...policy, isIndexed: false });
    await put({ ...key('K', 'b'), namespace: 'n' }, { until: inSeconds(1_000) });
    expect(await ttl.set(APP.appId, policy)).toEqual({ ...policy, isIndexed: true });
  });

  it('are refused for names that cannot be, and beyond their limit', async () => {
    const { ttl } = open.datastore;
    for (const policy of [
      { kind: '', property: 'p' },
      { kind: 'K', property: '' },
      { kind: '__K__', property: 'p' },
      { kind: 'K', property: '__p__' },
    ]) {
      await expect(ttl.set(APP.appId, policy)).rejects.toMatchObject({ code: 'DS_INVALID' });
    }
    await expect(ttl.set(APP.appId, { kind: 'x'.repeat(1_501), property: 'p' })).rejects.toMatchObject({ code: 'DS_LIMIT' });
    for (let at = 0; at < LIMITS.ttlPoliciesMax; at++) await ttl.set(APP.appId, { kind: `K${at}`, property: 'p' });
    await expect(ttl.set(APP.appId, { kind: 'more', property: 'p' })).rejects.toMatchObject({ code: 'DS_LIMIT' });
    await ttl.set(APP.appId, { kind: 'K0', property: 'q' });
    expect(ttl.list(APP.appId)).toHaveLength(LIMITS.ttlPoliciesMax);
  });
});
