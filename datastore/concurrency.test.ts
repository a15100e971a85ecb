// Who waits for whom, who is aborted, and what is seen: every sentence about it in docs/datastore.md.
import { beforeEach, describe, expect, it } from 'vitest';
import { encodeKey } from '../sdk/contract/entity-proto.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type VirtualTime } from '../sdk/support/virtual-time.ts';
import { type Datastore } from './datastore.ts';
import { APP, get, key, namesOf, openDatastore, query, remove, where, write } from './fixture.ts';

const A = key('Counter', 'a');
const B = key('Counter', 'b');
const C = key('Counter', 'c');

let datastore: Datastore;
let time: VirtualTime;
let ended: string[];

beforeEach(async () => {
  ({ datastore, time } = await openDatastore());
  ended = [];
  await datastore.commit(APP, [
    write('upsert', A, { n: 1n, open: true }),
    write('upsert', B, { n: 2n, open: true }),
    write('upsert', C, { n: 3n, open: false }),
  ]);
});

const begin = (options: { readonly readOnly?: boolean } = {}): Promise<Buffer> => datastore.beginTransaction(APP, options);
const numberAt = async (at: typeof A, transaction?: Buffer): Promise<bigint | undefined> => {
  const property = (await get(datastore, at, transaction))?.properties.n;
  return property?.kind === 'integer' ? property.value : undefined;
};
const put = (at: typeof A, n: bigint, transaction?: Buffer, more: { readonly open?: boolean } = {}): Promise<unknown> =>
  datastore.commit(APP, [write('upsert', at, { n, open: true, ...more })], transaction ? { transaction } : {});

/** Notes how a call ends under `label`. */
function note(label: string, call: Promise<unknown>): void {
  call.then(
    () => ended.push(label),
    (error: unknown) => ended.push(`${label}: ${error instanceof PlatformError ? error.code : String(error)}`),
  );
}

/** What has ended by now, in order. */
async function now(): Promise<readonly string[]> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  return ended.splice(0);
}

async function after(ms: number): Promise<readonly string[]> {
  await now().then((before) => ended.push(...before));
  time.advance(ms);
  return now();
}

const setMode = (concurrency: 'optimistic' | 'pessimistic'): Promise<unknown> =>
  datastore.settings.change(APP.appId, (settings) => ({ ...settings, concurrency }));

describe('a pessimistic transaction', () => {
  it('makes an outside write to what it read wait, which is aborted after the limit, while itself commits', async () => {
    const transaction = await begin();
    expect(await numberAt(A, transaction)).toBe(1n);
    note('outside', put(A, 10n));
    expect(await after(LIMITS.lockWaitMs - 1)).toEqual([]);
    expect(await after(1)).toEqual(['outside: DS_TX_CONFLICT']);
    await put(A, 2n, transaction);
    expect(await numberAt(A)).toBe(2n);
  });

  it('lets the outside write go on when it commits or rolls back in time', async () => {
    const [first, second] = [await begin(), await begin()];
    await numberAt(A, first);
    note('outside', put(A, 10n));
    expect(await now()).toEqual([]);
    await put(B, 5n, first);
    expect(await now()).toEqual(['outside']);
    await numberAt(B, second);
    note('outside', put(B, 11n));
    expect(await now()).toEqual([]);
    await datastore.rollback(APP, second);
    expect(await now()).toEqual(['outside']);
    expect(await numberAt(B)).toBe(11n);
  });

  it('commits to the very entity for which the outside write waits, whichever lock that holds already', async () => {
    const transaction = await begin();
    await numberAt(B, transaction);
    // Holds a, waits for b.
    note('outside', datastore.commit(APP, [write('upsert', A, { n: 10n }), write('upsert', B, { n: 10n })]));
    expect(await now()).toEqual([]);
    note('inside', datastore.commit(APP, [write('upsert', A, { n: 7n }), write('upsert', B, { n: 7n })], { transaction }));
    expect(await now()).toEqual(['inside', 'outside']);
    expect(await numberAt(A)).toBe(10n);
  });

  it('makes no reader wait, and no write to what it did not read', async () => {
    const transaction = await begin();
    await numberAt(A, transaction);
    await put(B, 5n);
    await put(key('Counter', 'new'), 5n);
    expect(await numberAt(A)).toBe(1n);
    expect(namesOf(await datastore.runQuery(APP, query('Counter')))).toEqual(['a', 'b', 'c', 'new']);
    const [reading, readOnly] = [await begin(), await begin({ readOnly: true })];
    expect(await numberAt(A, reading)).toBe(1n);
    expect(await numberAt(A, readOnly)).toBe(1n);
  });

  it('makes writes wait that would appear in, leave or change its queries, also where these found nothing', async () => {
    const transaction = await begin();
    const found = await datastore.runQuery(APP, query('Counter', { filter: where('n', '>', 2n) }), { transaction });
    expect(namesOf(found)).toEqual(['c']);
    expect(namesOf(await datastore.runQuery(APP, query('None'), { transaction }))).toEqual([]);
    note('appears', put(key('Counter', 'phantom'), 7n));
    note('leaves', put(C, 0n));
    note('deleted', datastore.commit(APP, [remove(C)]));
    note('first of its kind', put(key('None', 'x'), 1n));
    note('elsewhere', put(key('Counter', 'low'), 0n));
    expect(await after(LIMITS.lockWaitMs - 1)).toEqual(['elsewhere']);
    expect(await after(1)).toEqual(
      expect.arrayContaining([
        'appears: DS_TX_CONFLICT',
        'leaves: DS_TX_CONFLICT',
        'deleted: DS_TX_CONFLICT',
        'first of its kind: DS_TX_CONFLICT',
      ]),
    );
    await put(A, 9n, transaction);
  });

  it('locks no more of a range than its query has read', async () => {
    const transaction = await begin();
    const first = query('Counter', { orders: [{ property: 'n', direction: 'asc' }], limit: 1 });
    expect(namesOf(await datastore.runQuery(APP, first, { transaction }))).toEqual(['a']);
    await put(key('Counter', 'late'), 100n);
    note('early', put(key('Counter', 'early'), 0n));
    expect(await now()).toEqual([]);
    await datastore.rollback(APP, transaction);
    expect(await now()).toEqual(['early']);
  });

  it('locks what an aggregation counted', async () => {
    const transaction = await begin();
    const nested = query('Counter', { filter: where('open', '=', true) });
    const count = { nested, aggregations: [{ kind: 'count' as const, alias: 'n' }] };
    const { values } = await datastore.runAggregation(APP, count, { transaction });
    expect(values).toEqual([{ alias: 'n', value: { kind: 'integer', value: 2n } }]);
    note('one more', put(key('Counter', 'd'), 1n));
    note('not counted', put(key('Counter', 'e'), 1n, undefined, { open: false }));
    expect(await now()).toEqual(['not counted']);
    await datastore.commit(APP, [], { transaction });
    expect(await now()).toEqual(['one more']);
  });

  it('reads the state of its start and never its own writes, also for an entity that it waited for', async () => {
    const holder = await begin();
    await numberAt(A, holder);
    const transaction = await begin();
    expect(await numberAt(B, transaction)).toBe(2n);
    note('outside', put(A, 10n));
    expect(await now()).toEqual([]);
    const waiting = numberAt(A, transaction);
    note('read', waiting);
    expect(await now()).toEqual([]);
    await datastore.rollback(APP, holder);
    expect(await now()).toEqual(['outside', 'read']);
    expect(await waiting).toBe(1n);
    // What it read is no longer so.
    note('commit', put(B, 3n, transaction));
    expect(await now()).toEqual(['commit: DS_TX_CONFLICT']);
  });

  it('starts anew when the first thing it does is to wait, and so need not fail', async () => {
    const holder = await begin();
    await numberAt(A, holder);
    const transaction = await begin();
    note('outside', put(A, 10n));
    expect(await now()).toEqual([]);
    const waiting = numberAt(A, transaction);
    expect(await now()).toEqual([]);
    await datastore.rollback(APP, holder);
    expect(await waiting).toBe(10n);
    await put(A, 11n, transaction);
    expect(await numberAt(A)).toBe(11n);
  });

  it('that read nothing commits whatever has changed since', async () => {
    const transaction = await begin();
    await put(A, 10n);
    await put(A, 11n, transaction);
    expect(await numberAt(A)).toBe(11n);
  });

  it('is aborted when what it read was changed between its begin and its reading', async () => {
    const transaction = await begin();
    await put(A, 10n);
    expect(await numberAt(A, transaction)).toBe(1n);
    await expect(put(B, 1n, transaction)).rejects.toEqual(expect.objectContaining({ code: 'DS_TX_CONFLICT' }));
  });
});

describe('deadlocks', () => {
  it('of two that read and then write the same entity end at once: one is aborted, the other commits', async () => {
    const [one, two] = [await begin(), await begin()];
    await numberAt(A, one);
    await numberAt(A, two);
    note('one', put(A, 10n, one));
    expect(await now()).toEqual([]);
    note('two', put(A, 20n, two));
    expect(await now()).toEqual(expect.arrayContaining(['one', 'two: DS_TX_CONFLICT']));
    expect(await numberAt(A)).toBe(10n);
  });

  it('of three end at once, and the two others commit', async () => {
    const all = [await begin(), await begin(), await begin()];
    for (const [at, entity] of [A, B, C].entries()) await numberAt(entity, all[at]);
    note('one', put(B, 10n, all[0]));
    note('two', put(C, 20n, all[1]));
    expect(await now()).toEqual([]);
    note('three', put(A, 30n, all[2]));
    expect(await now()).toEqual(expect.arrayContaining(['one', 'two', 'three: DS_TX_CONFLICT']));
  });

  it('over a query and an entity end at once', async () => {
    const [one, two] = [await begin(), await begin()];
    await datastore.runQuery(APP, query('Counter', { filter: where('n', '>', 2n) }), { transaction: one });
    await numberAt(A, two);
    note('one', put(A, 50n, one));
    expect(await now()).toEqual([]);
    note('two', put(key('Counter', 'phantom'), 50n, two));
    expect(await now()).toEqual(expect.arrayContaining(['one', 'two: DS_TX_CONFLICT']));
  });

  it('closed by a read end that transaction', async () => {
    const [one, two] = [await begin(), await begin()];
    await numberAt(A, one);
    await numberAt(B, two);
    note('one', datastore.commit(APP, [write('upsert', A, { n: 10n }), write('upsert', B, { n: 10n })], { transaction: one }));
    expect(await now()).toEqual([]);
    note('two', numberAt(A, two));
    expect(await now()).toEqual(expect.arrayContaining(['one', 'two: DS_TX_CONFLICT']));
    note('later', numberAt(C, two));
    note('rollback', datastore.rollback(APP, two));
    expect(await now()).toEqual(['rollback: DS_TX_INVALID', 'later: DS_TX_INVALID']);
  });
});

describe('a read that waits too long', () => {
  it('ends its transaction, so that nobody waits for that any more', async () => {
    const [upgrading, holder, reader] = [await begin(), await begin(), await begin()];
    await numberAt(A, upgrading);
    await numberAt(A, holder);
    await numberAt(B, reader);
    note('outside', put(A, 10n));
    expect(await after(1_000)).toEqual([]);
    note('read', numberAt(A, reader));
    expect(await after(3_000)).toEqual([]);
    // It holds the lock already, so it waits before the others.
    note('upgrade', put(A, 11n, upgrading));
    note('behind', put(B, 12n));
    expect(await after(1_000)).toEqual(['outside: DS_TX_CONFLICT']);
    expect(await after(1_000)).toEqual(['read: DS_TX_CONFLICT', 'behind']);
    await datastore.rollback(APP, holder);
    expect(await now()).toEqual(['upgrade']);
  });
});

describe('a read-only transaction', () => {
  it('takes no locks, waits for nobody and is never aborted', async () => {
    const readOnly = await begin({ readOnly: true });
    const writing = await begin();
    await numberAt(A, writing);
    note('queued', put(A, 10n));
    expect(await now()).toEqual([]);
    expect(await numberAt(A, readOnly)).toBe(1n);
    expect(namesOf(await datastore.runQuery(APP, query('Counter'), { transaction: readOnly }))).toEqual(['a', 'b', 'c']);
    await datastore.rollback(APP, writing);
    expect(await now()).toEqual(['queued']);
    await put(B, 20n);
    expect(await numberAt(B, readOnly)).toBe(2n);
    await datastore.commit(APP, [], { transaction: readOnly });
  });
});

describe('optimistic mode', () => {
  beforeEach(() => setMode('optimistic'));

  it('lets outside writes through, and aborts the transaction that read what has changed', async () => {
    const transaction = await begin();
    await numberAt(A, transaction);
    await datastore.runQuery(APP, query('Counter'), { transaction });
    await put(A, 10n);
    await expect(put(B, 3n, transaction)).rejects.toEqual(expect.objectContaining({ code: 'DS_TX_CONFLICT' }));
  });

  it('lets the first of two that read and write the same entity commit', async () => {
    const [one, two] = [await begin(), await begin()];
    await numberAt(A, one);
    await numberAt(A, two);
    await put(A, 20n, two);
    await expect(put(A, 10n, one)).rejects.toEqual(expect.objectContaining({ code: 'DS_TX_CONFLICT' }));
    expect(await numberAt(A)).toBe(20n);
  });

  it('holds for transactions that begin after it was chosen', async () => {
    await setMode('pessimistic');
    const locking = await begin();
    await numberAt(A, locking);
    await setMode('optimistic');
    const other = await begin();
    await numberAt(B, other);
    await put(B, 10n);
    note('outside', put(A, 10n));
    note('inside', put(A, 11n, other));
    expect(await now()).toEqual([]);
    await put(C, 1n, locking);
    expect(await now()).toEqual(['outside', 'inside: DS_TX_CONFLICT']);
  });
});

describe('waiting for locks ends', () => {
  it('when the transaction that holds them has been idle for 60 s, to the moment', async () => {
    const transaction = await begin();
    await numberAt(A, transaction);
    await after(LIMITS.transactionIdleMs - 2_000);
    note('outside', put(A, 10n));
    expect(await after(2_000)).toEqual([]);
    expect(await after(1)).toEqual(['outside']);
    await expect(put(B, 1n, transaction)).rejects.toEqual(expect.objectContaining({ code: 'DS_TX_INVALID' }));
  });

  it('not when it was used meanwhile, but when it is 270 s old', async () => {
    const transaction = await begin();
    for (let at = 0; at < 5; at++) {
      await numberAt(A, transaction);
      await after(53_000);
    }
    await numberAt(A, transaction);
    note('outside', put(A, 10n));
    expect(await after(4_999)).toEqual([]);
    note('later', put(A, 11n));
    expect(await after(2)).toEqual(['outside: DS_TX_CONFLICT', 'later']);
  });

  it('when the transaction is rolled back, for its reads and for its commit, which then has no effect', async () => {
    const holder = await begin();
    await numberAt(A, holder);
    note('outside', put(A, 10n));
    expect(await now()).toEqual([]);
    const [reading, committing] = [await begin(), await begin()];
    note('read', numberAt(A, reading));
    note('commit', put(A, 20n, committing));
    expect(await now()).toEqual([]);
    await datastore.rollback(APP, reading);
    await datastore.rollback(APP, committing);
    expect(await now()).toEqual(['read: DS_TX_INVALID', 'commit: DS_TX_INVALID']);
    await datastore.rollback(APP, holder);
    expect(await now()).toEqual(['outside']);
    expect(await numberAt(A)).toBe(10n);
  });

  it('for reads under way when the transaction commits', async () => {
    const [holder, transaction] = [await begin(), await begin()];
    await numberAt(A, holder);
    note('outside', put(A, 10n));
    expect(await now()).toEqual([]);
    note('read', numberAt(A, transaction));
    expect(await now()).toEqual([]);
    await put(B, 9n, transaction);
    expect(await now()).toEqual(['read: DS_TX_INVALID']);
  });

  it('not by a rollback that names the transaction of another app, or one that commits already', async () => {
    const [holder, committing] = [await begin(), await begin()];
    await numberAt(A, holder);
    note('commit', put(A, 20n, committing));
    expect(await now()).toEqual([]);
    await expect(datastore.rollback({ appId: 'other' }, committing)).rejects.toEqual(expect.objectContaining({ code: 'DS_TX_INVALID' }));
    expect(await now()).toEqual([]);
    await datastore.rollback(APP, holder);
    note('late', datastore.rollback(APP, committing));
    expect(await now()).toEqual(['late: DS_TX_INVALID', 'commit']);
  });

  it('when the caller goes away; what it wanted is not done', async () => {
    const [holder, reader] = [await begin(), await begin()];
    await numberAt(A, holder);
    const [writing, reading] = [new AbortController(), new AbortController()];
    note('outside', datastore.commit(APP, [write('upsert', A, { n: 10n })], { signal: writing.signal }));
    expect(await now()).toEqual([]);
    note('read', datastore.lookup(APP, [encodeKey(A)], { transaction: reader, signal: reading.signal }));
    expect(await now()).toEqual([]);
    reading.abort(new PlatformError('CANCELLED'));
    expect(await now()).toEqual(['read: CANCELLED']);
    writing.abort(new PlatformError('CANCELLED'));
    expect(await now()).toEqual(['outside: CANCELLED']);
    // It may ask again.
    expect(await numberAt(A, reader)).toBe(1n);
    await datastore.commit(APP, [], { transaction: holder });
    await datastore.commit(APP, [], { transaction: reader });
    expect(await numberAt(A)).toBe(1n);
  });

  it('when the datastore closes', async () => {
    const [holder, waiting] = [await begin(), await begin()];
    await numberAt(A, holder);
    await numberAt(B, waiting);
    note('outside', put(A, 10n));
    note('inside', put(A, 20n, waiting));
    expect(await now()).toEqual([]);
    await datastore.close();
    expect(await now()).toEqual(['outside: DS_CLOSED', 'inside: DS_CLOSED']);
  });
});
