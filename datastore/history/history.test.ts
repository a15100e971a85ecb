import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { FAMILY } from '../codec/row-key.ts';
import { APP, and, key, namesOf, openDatastore, type OpenDatastore, properties, query, remove, value, where, write } from '../fixture.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { MemoryStore } from '../storage/memory-store.ts';
import { type Row, type Store } from '../storage/port.ts';
import { prefixRange } from '../storage/key-bytes.ts';

const HOUR_MS = 3_600_000;

let open: OpenDatastore;

beforeEach(async () => {
  open = await openDatastore();
});

afterEach(() => open.datastore.close());

async function historyRows(store: Store): Promise<readonly Row[]> {
  const scan = store.scan(prefixRange(Buffer.from([FAMILY.history])));
  const rows: Row[] = [];
  for (let chunk = await scan.next(1_000); chunk.length > 0; chunk = await scan.next(1_000)) rows.push(...chunk);
  await scan.close();
  return rows;
}

const now = (): bigint => BigInt(open.time.nowMs()) * 1_000n;

/** Commits and returns the version. */
async function commit(...mutations: Parameters<typeof open.datastore.commit>[1]): Promise<bigint> {
  open.time.advance(10);
  return (await open.datastore.commit(APP, mutations)).commitTimeMicros;
}

async function getAt(readTime: bigint, at = key('K', 'a')): Promise<unknown> {
  const { found } = await open.datastore.lookup(APP, [encodeKey(at)], { readTime });
  return found[0] && decodeEntity(found[0].entity).properties;
}

/** Ticks the collector and everything else until `isDone`, an hour of virtual time at most. */
async function until(isDone: () => Promise<boolean>): Promise<void> {
  for (let tick = 0; tick < 3_600; tick++) {
    if (await isDone()) return;
    await open.time.advanceAsync(1_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('it was not done within an hour');
}

describe('history', () => {
  it('costs an insert nothing, and an update a row for each that it changes', async () => {
    await commit(write('insert', key('K', 'a'), { n: 1n, s: 'same' }));
    expect(await historyRows(open.store)).toEqual([]);
    await commit(write('update', key('K', 'a'), { n: 2n, s: 'same' }));
    // The entity, and the index row of n = 1.
    expect(await historyRows(open.store)).toHaveLength(2);
    await commit(remove(key('K', 'a')));
    // The entity, its kind row, n and s.
    expect(await historyRows(open.store)).toHaveLength(6);
    await commit(remove(key('K', 'never')));
    expect(await historyRows(open.store)).toHaveLength(6);
  });

  it('shows what was there at the microsecond, before and after each commit', async () => {
    const one = await commit(write('insert', key('K', 'a'), { n: 1n }));
    const two = await commit(write('update', key('K', 'a'), { n: 2n }));
    const gone = await commit(remove(key('K', 'a')));
    const back = await commit(write('insert', key('K', 'a'), { n: 3n }));
    const seen = async (time: bigint): Promise<unknown> => getAt(time);
    expect(await seen(one - 1n)).toBeUndefined();
    expect([await seen(one), await seen(two - 1n)]).toEqual([properties({ n: 1n }), properties({ n: 1n })]);
    expect([await seen(two), await seen(gone - 1n)]).toEqual([properties({ n: 2n }), properties({ n: 2n })]);
    expect([await seen(gone), await seen(back - 1n)]).toEqual([undefined, undefined]);
    expect(await seen(back)).toEqual(properties({ n: 3n }));
  });

  it('counts several mutations of one entity in one commit as one change', async () => {
    const one = await commit(write('insert', key('K', 'a'), { n: 1n }));
    const two = await commit(
      write('update', key('K', 'a'), { n: 2n }),
      remove(key('K', 'a')),
      write('insert', key('K', 'a'), { n: 3n }),
      write('insert', key('K', 'b'), { n: 9n }),
      remove(key('K', 'b')),
    );
    expect(await getAt(two - 1n)).toEqual(properties({ n: 1n }));
    expect(await getAt(two)).toEqual(properties({ n: 3n }));
    const names = async (readTime: bigint): Promise<readonly string[]> =>
      namesOf(await open.datastore.runQuery(APP, query('K', { filter: where('n', '>', 0n) }), { readTime }));
    expect([await names(one - 1n), await names(one), await names(two)]).toEqual([[], ['a'], ['a']]);
  });

  it('passes over the many versions of one row with a seek, both ways', async () => {
    await commit(write('insert', key('K', 'a'), { n: 0n }), write('insert', key('K', 'c'), { n: 0n }));
    const versions: bigint[] = [];
    for (let at = 0; at < 600; at++) {
      versions.push(await commit(write('insert', key('K', 'b'), { n: BigInt(at) })));
      versions.push(await commit(remove(key('K', 'b'))));
    }
    let rowsRead = 0;
    const snapshot = open.store.snapshot.bind(open.store);
    open.store.snapshot = () => {
      const taken = snapshot();
      const scan = taken.scan.bind(taken);
      taken.scan = (range, options) => {
        const rows = scan(range, options);
        const next = rows.next.bind(rows);
        rows.next = async (rowsMax) => {
          const read = await next(rowsMax);
          rowsRead += read.length;
          return read;
        };
        return rows;
      };
      return taken;
    };
    for (const at of [0, 1, 598, 599, 1198, 1199]) {
      const isThere = at % 2 === 0;
      for (const direction of ['asc', 'desc'] as const) {
        rowsRead = 0;
        const ordered = query('K', { orders: [{ property: '__key__', direction }] });
        const answer = await open.datastore.runQuery(APP, ordered, { readTime: versions[at]! });
        const names = isThere ? ['a', 'b', 'c'] : ['a', 'c'];
        expect(namesOf(answer)).toEqual(direction === 'asc' ? names : names.reverse());
        if (isThere) expect(decodeEntity(answer.results[1]!.entity).properties).toEqual(properties({ n: BigInt(at / 2) }));
        // Of 600 versions no more than some chunks.
        expect(rowsRead).toBeLessThan(300);
      }
    }
  });

  it('is one state for all reads of one time, whatever is written meanwhile', async () => {
    const kinds = Array.from({ length: 700 }, (_, at) => write('insert', key('K', `k${String(at).padStart(3, '0')}`), { n: BigInt(at) }));
    await commit(...kinds.slice(0, 350));
    await commit(...kinds.slice(350));
    const readTime = now();
    const seen: string[] = [];
    let asked = query('K', { filter: where('n', '>=', 0n), projection: ['n'] });
    for (let batch = 0; ; batch++) {
      // While the query goes on: one is moved behind, one deleted, one added.
      await commit(
        write('upsert', key('K', `k${String(batch * 300 + 301).padStart(3, '0')}`), { n: -1n }),
        remove(key('K', `k${String(batch * 300 + 302).padStart(3, '0')}`)),
        write('upsert', key('K', `new${batch}`), { n: 650n }),
      );
      const answer = await open.datastore.runQuery(APP, asked, { readTime });
      seen.push(...namesOf(answer));
      if (answer.more === 'no-more') break;
      asked = { ...asked, startCursor: answer.endCursor };
    }
    expect(seen).toEqual(Array.from({ length: 700 }, (_, at) => `k${String(at).padStart(3, '0')}`));
  });

  it('waits for commits of that time that are still under way', async () => {
    await commit(write('insert', key('K', 'a'), { n: 1n }));
    const { store } = open;
    const begin = store.begin.bind(store);
    let release: () => void = () => undefined;
    const held: string[] = [];
    store.begin = (options) => {
      const transaction = begin(options);
      const end = transaction.commit.bind(transaction);
      transaction.commit = async () => {
        held.push('a commit');
        await new Promise<void>((resolve) => (release = resolve));
        await end();
      };
      return transaction;
    };
    open.time.advance(10);
    const under = open.datastore.commit(APP, [write('update', key('K', 'a'), { n: 2n })]);
    for (let turn = 0; turn < 100 && held.length === 0; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(held).toHaveLength(1);
    const earlier = await getAt(now() - 1n);
    let isRead = false;
    const reading = getAt(now()).finally(() => (isRead = true));
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(isRead).toBe(false);
    release();
    await under;
    store.begin = begin;
    expect([earlier, await reading]).toEqual([properties({ n: 1n }), properties({ n: 2n })]);
  });

  it('lets no later commit belong to a time that has been read, even when the clock stands still', async () => {
    await commit(write('insert', key('K', 'a'), { n: 1n }));
    open.time.advance(10);
    const readTime = now();
    expect(await getAt(readTime)).toEqual(properties({ n: 1n }));
    const { commitTimeMicros } = await open.datastore.commit(APP, [write('update', key('K', 'a'), { n: 2n })]);
    expect(commitTimeMicros).toBe(readTime + 1n);
    expect(await getAt(readTime)).toEqual(properties({ n: 1n }));
  });

  it('reads with a read-only transaction, all of it at that time', async () => {
    const one = await commit(write('insert', key('K', 'a'), { n: 1n }));
    await commit(write('update', key('K', 'a'), { n: 2n }));
    const transaction = await open.datastore.beginTransaction(APP, { readOnly: true, readTime: one });
    await commit(write('update', key('K', 'a'), { n: 3n }), write('insert', key('K', 'b'), { n: 1n }));
    const { found } = await open.datastore.lookup(APP, [encodeKey(key('K', 'a'))], { transaction });
    expect(decodeEntity(found[0]!.entity).properties).toEqual(properties({ n: 1n }));
    expect(namesOf(await open.datastore.runQuery(APP, query('K', { filter: where('n', '=', 1n) }), { transaction }))).toEqual(['a']);
    await open.datastore.commit(APP, [], { transaction });
  });

  it('refuses times that it cannot show, and says why', async () => {
    const version = await commit(write('insert', key('K', 'a'), { n: 1n }));
    await expect(getAt(now() + 1n)).rejects.toMatchObject({
      code: 'DS_INVALID',
      message: expect.stringContaining('in the future') as string,
    });
    await expect(getAt(now() - BigInt(HOUR_MS) * 1_000n - 1n)).rejects.toMatchObject({ code: 'DS_TOO_OLD' });
    expect(await getAt(now() - BigInt(HOUR_MS) * 1_000n)).toBeUndefined();
    await expect(getAt(-1n)).rejects.toMatchObject({ code: 'DS_TOO_OLD' });
    const transaction = await open.datastore.beginTransaction(APP);
    await expect(open.datastore.lookup(APP, [encodeKey(key('K', 'a'))], { transaction, readTime: version })).rejects.toMatchObject({
      code: 'DS_INVALID',
    });
    await expect(open.datastore.beginTransaction(APP, { readTime: version })).rejects.toMatchObject({ code: 'DS_INVALID' });
  });

  it('needs an index that was complete by then', async () => {
    const before = await commit(write('insert', key('K', 'a'), { n: 1n, m: 1n }));
    const wanted = query('K', { filter: and(where('n', '=', 1n)), orders: [{ property: 'm', direction: 'asc' }] });
    const definition = {
      kind: 'K',
      ancestor: false,
      properties: [
        { name: 'n', direction: 'asc' as const },
        { name: 'm', direction: 'asc' as const },
      ],
    };
    await expect(open.datastore.runQuery(APP, wanted, { readTime: before })).rejects.toMatchObject({
      details: { indexYaml: expect.any(String) as string },
    });
    await open.datastore.ensureIndexes(APP, [definition]);
    await open.datastore.indexesBuilt();
    await expect(open.datastore.runQuery(APP, wanted, { readTime: before })).rejects.toMatchObject({
      code: 'DS_NEED_INDEX',
      message: expect.stringContaining('younger than the read time') as string,
    });
    const after = await commit(remove(key('K', 'a')));
    expect(namesOf(await open.datastore.runQuery(APP, wanted, { readTime: after - 1n }))).toEqual(['a']);
  });

  it('begins with the first start over data that was there before it', async () => {
    const store = new MemoryStore();
    const first = await openDatastore({ store, keepsHistory: () => false });
    await first.datastore.commit(APP, [write('insert', key('K', 'a'), { n: 1n })]);
    const { commitTimeMicros: old } = await first.datastore.commit(APP, [write('update', key('K', 'a'), { n: 2n })]);
    await expect(first.datastore.lookup(APP, [encodeKey(key('K', 'a'))], { readTime: old })).rejects.toMatchObject({ code: 'DS_TOO_OLD' });
    await first.datastore.close();
    // As a release without history left it.
    await store.start();
    const transaction = store.begin();
    transaction.delete(Buffer.from([FAMILY.sequence, 0x04]));
    await transaction.commit();
    await store.close();
    open = await openDatastore({ store, time: first.time });
    await expect(getAt(old - 1n)).rejects.toMatchObject({ code: 'DS_TOO_OLD' });
    expect(await getAt(old)).toEqual(properties({ n: 2n }));
    const later = await commit(write('update', key('K', 'a'), { n: 3n }));
    expect(await getAt(later - 1n)).toEqual(properties({ n: 2n }));
  });

  it('begins anew with a commit that replaces more than is kept', async () => {
    const text = 'x'.repeat(900_000);
    const count = Math.ceil(LIMITS.historyCommitBytesMax / 900_000) + 1;
    const big = { text: { ...value(text), excludeFromIndexes: true } };
    const entities = Array.from({ length: count }, (_, at) => key('Big', `b${at}`));
    const { encodeEntity } = await import('../../sdk/contract/entity-proto.ts');
    for (let at = 0; at < count; at += 10) {
      await commit(
        ...entities.slice(at, at + 10).map((one) => ({ op: 'insert' as const, entity: encodeEntity({ key: one, properties: big }) })),
      );
    }
    const whole = await commit(...entities.map(remove));
    expect(await historyRows(open.store)).toEqual([]);
    await expect(getAt(whole - 1n)).rejects.toMatchObject({ code: 'DS_TOO_OLD' });
    expect(await getAt(whole, entities[0])).toBeUndefined();
    await open.datastore.close();
    await open.datastore.start();
    await expect(getAt(whole - 1n)).rejects.toMatchObject({ code: 'DS_TOO_OLD' });
    // Another app is not touched by it.
    await open.datastore.lookup({ appId: 'other' }, [encodeKey(key('K', 'a'))], { readTime: whole - 1n });
  });
});

describe('old history', () => {
  it('is deleted after its hour, counted out of the tablets, and not a row before', async () => {
    await commit(write('insert', key('K', 'a'), { n: 1n }));
    for (let at = 2; at < 700; at++) await commit(write('update', key('K', 'a'), { n: BigInt(at) }));
    const all = await historyRows(open.store);
    open.time.advance(HOUR_MS - 20_000);
    const late = await commit(write('update', key('K', 'a'), { n: 700n }));
    expect(await getAt(late - 1n)).toEqual(properties({ n: 699n }));
    await until(async () => (await historyRows(open.store)).length < all.length);
    await until(async () => (await historyRows(open.store)).length === 2);
    expect(await getAt(late - 1n)).toEqual(properties({ n: 699n }));
    const [total] = open.datastore.tabletServer.list();
    const rest = await historyRows(open.store);
    // The entity, its kind row and one of n.
    expect(total?.rows).toBe(3 + rest.length);
    expect(open.datastore.tabletServer.list()).toHaveLength(1);
    const endMs = Number(late / 1_000n) + HOUR_MS;
    await until(() => Promise.resolve(open.time.nowMs() > endMs - 5_000));
    expect(await historyRows(open.store)).toHaveLength(2);
    expect(await getAt(late - 1n)).toEqual(properties({ n: 699n }));
    await until(async () => (await historyRows(open.store)).length === 0);
  });

  it('cannot be asked for again when the clock is set back', async () => {
    await commit(write('insert', key('K', 'a'), { n: 1n }));
    const two = await commit(write('update', key('K', 'a'), { n: 2n }));
    open.time.advance(2 * HOUR_MS);
    await until(async () => (await historyRows(open.store)).length === 0);
    await open.datastore.close();
    open = await openDatastore({ store: open.store });
    // Its clock says the hour in which the update was made.
    await expect(getAt(two - 1n)).rejects.toMatchObject({ code: 'DS_TOO_OLD' });
  });
});

it('keeps a time that was read as it was, even when the process dies and its clock is set back', async () => {
  const store = new MemoryStore();
  const first = await openDatastore({ store });
  await first.datastore.commit(APP, [write('insert', key('K', 'a'), { n: 1n })]);
  first.time.advance(30_000);
  const readTime = BigInt(first.time.nowMs()) * 1_000n;
  const at = [encodeKey(key('K', 'a'))];
  const { found } = await first.datastore.lookup(APP, at, { readTime });
  // As a process leaves it that dies: closed below, not by the datastore.
  await store.close();
  const second = await openDatastore({ store, time: new VirtualTime(first.time.nowMs() - 60_000) });
  const { commitTimeMicros } = await second.datastore.commit(APP, [write('update', key('K', 'a'), { n: 2n })]);
  expect(commitTimeMicros).toBeGreaterThan(readTime);
  second.time.advance(61_000);
  expect((await second.datastore.lookup(APP, at, { readTime })).found).toEqual(found);
  await second.datastore.close();
});
