import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeKey, encodeKey } from '../sdk/contract/entity-proto.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { type Key } from '../sdk/contract/key.ts';
import { type AggregationQuery } from '../sdk/contract/query.ts';
import { SeededRandom } from '../sdk/support/virtual-time.ts';
import { type Datastore } from './datastore.ts';
import { APP, get, key, namesOf, openDatastore, query, remove, where, write } from './fixture.ts';
import { type ReadOptions } from './reads.ts';
import { LevelStore } from './storage/level-store.ts';
import { MemoryStore } from './storage/memory-store.ts';
import { type Store } from './storage/port.ts';

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => key('Kind', name));
const READS_MAX = 100;
const MESSAGES = KEYS.map(encodeKey);
const SUM: AggregationQuery = {
  nested: query('Kind'),
  aggregations: [
    { kind: 'count', alias: 'count' },
    { kind: 'sum', property: 'n', alias: 'sum' },
  ],
};

/** What a read saw, and when that was. */
interface Seen {
  readonly what: unknown;
  readonly readTime: bigint;
}

type Read = (datastore: Datastore, options: ReadOptions) => Promise<Seen>;

async function looked(datastore: Datastore, keys: readonly Uint8Array[], options: ReadOptions): Promise<Seen> {
  const { found, missing, readTime } = await datastore.lookup(APP, keys, options);
  return { what: { found, missing: missing.map(decodeKey) }, readTime };
}

async function queried(datastore: Datastore, asked: Parameters<Datastore['runQuery']>[1], options: ReadOptions): Promise<Seen> {
  const { results, more, readTime } = await datastore.runQuery(APP, asked, options);
  return { what: { results, more }, readTime };
}

const READS: readonly Read[] = [
  ...MESSAGES.slice(0, 3).map(
    (one): Read =>
      (datastore, options) =>
        looked(datastore, [one], options),
  ),
  (datastore, options) => looked(datastore, MESSAGES, options),
  (datastore, options) => queried(datastore, query('Kind'), options),
  (datastore, options) => queried(datastore, query('Kind', { projection: ['n'], orders: [{ property: 'n', direction: 'desc' }] }), options),
  (datastore, options) => queried(datastore, query('Kind', { filter: where('n', '>', 3n), projection: ['__key__'] }), options),
  async (datastore, options) => {
    const { values, readTime } = await datastore.runAggregation(APP, SUM, options);
    return { what: values, readTime };
  },
];

async function inTransaction(datastore: Datastore, read: Read, readOnly: boolean): Promise<Seen> {
  const transaction = await datastore.beginTransaction(APP, { readOnly });
  try {
    return await read(datastore, { transaction });
  } finally {
    await datastore.rollback(APP, transaction).catch(() => undefined);
  }
}

/** Runs writers beside readers; every read is made again at its time, once all is written. */
async function race(store: Store, { seed, writes, writers }: { seed: number; writes: number; writers: number }): Promise<number> {
  const { datastore } = await openDatastore({ store });
  await datastore.settings.change(APP.appId, (all) => ({ ...all, concurrency: seed % 2 === 0 ? 'optimistic' : 'pessimistic' }));
  const random = new SeededRandom(seed);
  const below = (count: number): number => Math.floor(random.fraction() * count);
  const one = (): Key => KEYS[below(KEYS.length)] ?? key('Kind', 'a');
  const turns = async (): Promise<void> => {
    for (let turn = below(12); turn > 0; turn--) await Promise.resolve();
    if (below(4) === 0) await new Promise((resolve) => setImmediate(resolve));
  };
  const refused = (error: unknown): void => {
    if (!(error instanceof PlatformError) || error.code !== 'DS_TX_CONFLICT') throw error;
  };
  let left = writers;
  const change = (): ReturnType<typeof write> => (below(3) === 0 ? remove(one()) : write('upsert', one(), { n: BigInt(below(9)) }));
  const writer = async (): Promise<void> => {
    for (let at = 0; at < writes; at++) {
      await turns();
      if (below(4) > 0) await datastore.commit(APP, below(2) === 0 ? [change()] : [change(), change()]).catch(refused);
      else {
        const transaction = await datastore.beginTransaction(APP);
        const target = one();
        await get(datastore, target, transaction)
          .then(() => datastore.commit(APP, [write('upsert', target, { n: BigInt(at) })], { transaction }))
          .catch(refused);
      }
    }
    left--;
  };
  const seen: { readonly read: Read; readonly at: Seen }[] = [];
  const reader = async (): Promise<void> => {
    while (left > 0 && seen.length < READS_MAX) {
      await turns();
      const read = READS[below(READS.length)];
      if (!read) continue;
      const how = below(4);
      const at = await (how < 2 ? read(datastore, {}) : inTransaction(datastore, read, how === 2)).catch(refused);
      if (at) seen.push({ read, at });
    }
  };
  await Promise.all([...Array.from({ length: writers }, writer), reader(), reader(), reader()]);
  for (const { read, at } of seen) {
    expect(await read(datastore, { readTime: at.readTime }), `seed ${seed}, ${String(read)}`).toEqual(at);
  }
  await datastore.close();
  return seen.length;
}

describe('a read at the time of an earlier read', () => {
  it('sees what that one saw, whatever was being written then (memory)', async () => {
    let reads = 0;
    for (let seed = 1; seed <= 8; seed++) reads += await race(new MemoryStore(), { seed, writes: 8, writers: 6 });
    expect(reads).toBeGreaterThan(200);
  });

  it('sees what that one saw, whatever was being written then (level)', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'read-time-'));
    try {
      let reads = 0;
      for (let seed = 1; seed <= 4; seed++) {
        reads += await race(new LevelStore(join(directory, String(seed))), { seed, writes: 12, writers: 12 });
      }
      expect(reads).toBeGreaterThan(100);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it('sees it after a restart', async () => {
    const { datastore } = await openDatastore();
    await datastore.commit(APP, [write('insert', key('Kind', 'a'), { n: 1n })]);
    const { readTime } = await datastore.runQuery(APP, query('Kind'));
    await datastore.close();
    await datastore.start();
    await datastore.commit(APP, [write('insert', key('Kind', 'b'), { n: 1n })]);
    expect(namesOf(await datastore.runQuery(APP, query('Kind'), { readTime }))).toEqual(['a']);
    await datastore.close();
  });
});

describe('the time of a read', () => {
  it('is that of the clock when nothing is written, and what is written later in that moment is not seen at it', async () => {
    const { datastore, time } = await openDatastore();
    await datastore.commit(APP, [write('insert', key('Kind', 'a'), { n: 1n })]);
    await time.advanceAsync(5_000);
    const { readTime } = await datastore.runQuery(APP, query('Kind'));
    expect(readTime).toBe(BigInt(time.nowMs()) * 1_000n);
    const { commitTimeMicros } = await datastore.commit(APP, [write('insert', key('Kind', 'b'), { n: 1n })]);
    expect(commitTimeMicros).toBeGreaterThan(readTime);
    expect(namesOf(await datastore.runQuery(APP, query('Kind'), { readTime }))).toEqual(['a']);
  });

  it('does not come before a commit that was acknowledged', async () => {
    const { datastore } = await openDatastore();
    for (let at = 0; at < 20; at++) {
      const { commitTimeMicros } = await datastore.commit(APP, [write('upsert', key('Kind', 'a'), { n: BigInt(at) })]);
      expect((await datastore.lookup(APP, [encodeKey(key('Kind', 'a'))])).readTime).toBeGreaterThanOrEqual(commitTimeMicros);
      expect((await datastore.runAggregation(APP, SUM)).readTime).toBeGreaterThanOrEqual(commitTimeMicros);
    }
  });

  it('is the one asked for, and one for all reads of a transaction', async () => {
    const { datastore, time } = await openDatastore();
    const { commitTimeMicros: readTime } = await datastore.commit(APP, [write('insert', key('Kind', 'a'), { n: 1n })]);
    await time.advanceAsync(1_000);
    for (const read of READS) expect((await read(datastore, { readTime })).readTime).toBe(readTime);
    for (const options of [{}, { readOnly: true }, { readOnly: true, readTime }]) {
      const transaction = await datastore.beginTransaction(APP, options);
      const first = await looked(datastore, MESSAGES, { transaction });
      await time.advanceAsync(1_000);
      await datastore.commit(APP, [write('upsert', key('Other', 'x'), {})]);
      for (const read of READS) expect((await read(datastore, { transaction })).readTime).toBe(first.readTime);
      expect(first.readTime).toBe('readTime' in options ? readTime : BigInt(time.nowMs() - 1_000) * 1_000n);
      await datastore.rollback(APP, transaction);
    }
  });

  it('is not found out for who does not want to know it', async () => {
    const { datastore } = await openDatastore();
    await datastore.commit(APP, [write('insert', key('Kind', 'a'), { n: 1n })]);
    for (const read of READS) expect((await read(datastore, { untimed: true })).readTime).toBe(0n);
  });
});

describe('the times of an entity', () => {
  it('are those of its insertion and of its last write, in look-ups and whole results', async () => {
    const { datastore, time } = await openDatastore();
    const first = await datastore.commit(APP, [write('insert', key('Kind', 'a'), { n: 1n })]);
    await time.advanceAsync(10);
    const second = await datastore.commit(APP, [write('update', key('Kind', 'a'), { n: 2n })]);
    const times = { createdMicros: first.commitTimeMicros, updatedMicros: second.commitTimeMicros, version: second.commitTimeMicros };
    expect((await datastore.lookup(APP, [encodeKey(key('Kind', 'a'))])).found).toMatchObject([times]);
    expect((await datastore.lookup(APP, MESSAGES)).found).toMatchObject([times]);
    expect((await datastore.runQuery(APP, query('Kind'))).results).toMatchObject([times]);
    expect((await datastore.runQuery(APP, query('Kind'), { readTime: first.commitTimeMicros })).results).toMatchObject([
      { ...times, updatedMicros: first.commitTimeMicros, version: first.commitTimeMicros },
    ]);
  });

  it('are not there where only an index was read', async () => {
    const { datastore } = await openDatastore();
    await datastore.commit(APP, [write('insert', key('Kind', 'a'), { n: 1n })]);
    for (const asked of [query('Kind', { projection: ['n'] }), query('Kind', { projection: ['__key__'] }), query('__kind__')]) {
      const [result] = (await datastore.runQuery(APP, asked)).results;
      expect(Object.keys(result ?? {}).sort()).toEqual(['cursor', 'entity', 'version']);
    }
  });
});
