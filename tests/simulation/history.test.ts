// Reads at an earlier time against a model that remembers every state: random commits over few keys, with indexes that come
// late, and at random moments every kind of read compared with a fresh datastore that holds just what was there then.
import { describe, expect, it } from 'vitest';
import { APP, and, key, openDatastore, type OpenDatastore, type Plain, query, remove, where, write } from '../../datastore/fixture.ts';
import { type Datastore } from '../../datastore/datastore.ts';
import { LevelStore } from '../../datastore/storage/level-store.ts';
import { type WireMutation } from '../../sdk/contract/datastore-wire.ts';
import { encodeKey } from '../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type IndexDefinition } from '../../sdk/contract/index-definition.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { type AggregationQuery, type Query } from '../../sdk/contract/query.ts';
import { SeededRandom } from '../../sdk/support/virtual-time.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const index = (ancestor: boolean, ...columns: readonly string[]): IndexDefinition => ({
  kind: 'K',
  ancestor,
  properties: columns.map((column) => ({ name: column.replace('-', ''), direction: column.startsWith('-') ? 'desc' : 'asc' })),
});
const INDEXES = [index(false, 'a', 'b'), index(false, 'a', '-b'), index(true, '-a')];

const PARENT = key('P', 'x');
const KEYS: readonly Key[] = [
  ...['a', 'b', 'c', 'd'].map((name) => key('K', name)),
  ...['a', 'b', 'c'].map((name) => key('P', 'x', 'K', name)),
  // Ids whose last bytes are 00, as the end of a path is.
  key('K', 256n),
  key('K', 65_536n),
  key('P', 'x'),
  key('L', 'a'),
];

const order = (property: string, direction: 'asc' | 'desc' = 'asc') => ({ property, direction });
const QUERIES: readonly Query[] = [
  query('K'),
  query(undefined),
  query('K', { orders: [order('__key__', 'desc')] }),
  query('K', { filter: where('a', '=', 1n) }),
  query('K', { filter: where('a', '>', 0n) }),
  query('K', { orders: [order('a')] }),
  query('K', { orders: [order('a', 'desc')] }),
  query('K', { orders: [order('a', 'desc'), order('__key__', 'desc')] }),
  query('K', { filter: and(where('a', '=', 1n), where('b', '=', 2n)) }),
  query('K', { filter: where('a', '=', 1n), orders: [order('b')] }),
  query('K', { filter: where('a', '=', 1n), orders: [order('b', 'desc')] }),
  query('K', { filter: where('a', '=', 1n), projection: ['b'] }),
  query('K', { filter: where('__key__', 'has-ancestor', PARENT), orders: [order('a', 'desc')] }),
  query('K', { filter: where('__key__', 'has-ancestor', PARENT) }),
  query('K', { projection: ['a'], distinctOn: ['a'] }),
  query('K', { projection: ['__key__'], filter: where('b', '<', 3n) }),
  query('K', { filter: where('a', 'in', [0n, 2n]) }),
  query('K', { orders: [order('a')], offset: 2, limit: 3 }),
  query('K', { filter: where('__key__', '<', key('K', 65_536n)), orders: [order('__key__', 'desc')] }),
  query('K', { filter: where('__key__', '>', key('K', 256n)) }),
  query('__kind__'),
  query('__property__', { projection: ['__key__'] }),
];
const AGGREGATIONS: readonly AggregationQuery[] = [
  { nested: query('K'), aggregations: [{ kind: 'count', alias: 'n' }] },
  {
    nested: query('K', { filter: where('a', '>=', 1n) }),
    aggregations: [
      { kind: 'sum', property: 'a', alias: 's' },
      { kind: 'count', alias: 'n' },
    ],
  },
];

type State = ReadonlyMap<Key, { readonly plain: Readonly<Record<string, Plain>>; readonly version: bigint }>;

interface Moment {
  readonly version: bigint;
  readonly state: State;
}

class World {
  readonly #random: SeededRandom;
  readonly open: OpenDatastore;
  /** Ascending; each state holds from its version up to the next one's. */
  readonly moments: Moment[] = [{ version: 0n, state: new Map() }];

  constructor(open: OpenDatastore, random: SeededRandom) {
    this.open = open;
    this.#random = random;
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random.fraction() * items.length)]!;
  }

  below(count: number): number {
    return Math.floor(this.#random.fraction() * count);
  }

  async commit(): Promise<void> {
    const state = new Map(this.moments.at(-1)!.state);
    const mutations: WireMutation[] = [];
    const written = new Map<Key, { readonly plain: Readonly<Record<string, Plain>> | undefined; readonly index: number }>();
    for (let count = 1 + this.below(3); count > 0; count--) {
      const at = this.pick(KEYS);
      if (this.below(4) === 0) {
        mutations.push(remove(at));
        written.set(at, { plain: undefined, index: mutations.length - 1 });
      } else {
        const plain = this.#plain();
        mutations.push(write('upsert', at, plain));
        written.set(at, { plain, index: mutations.length - 1 });
      }
    }
    const { results, commitTimeMicros: version } = await this.open.datastore.commit(APP, mutations);
    for (const [at, { plain, index }] of written) {
      // What is written as it was keeps its version.
      if (plain) state.set(at, { plain, version: results[index]!.version });
      else state.delete(at);
    }
    this.moments.push({ version, state });
    if (this.below(3) === 0) this.open.time.advance(this.below(3_000));
  }

  stateAt(time: bigint): State {
    return this.moments.findLast(({ version }) => version <= time)!.state;
  }

  /** A commit's own time, the microsecond before it, or any other in the hour. */
  someTime(): bigint {
    const { version } = this.pick(this.moments);
    const now = BigInt(this.open.time.nowMs()) * 1_000n;
    const time = this.pick([version, version - 1n, now - BigInt(this.below(20_000)) * 1_000n, now]);
    return time < now - 3_600_000_000n ? now - 3_600_000_000n : time;
  }

  #plain(): Readonly<Record<string, Plain>> {
    const one = (): Plain => (this.below(6) === 0 ? [BigInt(this.below(3)), BigInt(this.below(3))] : BigInt(this.below(3)));
    return { ...(this.below(5) === 0 ? {} : { a: one() }), b: one(), text: `t${this.below(1_000)}` };
  }
}

interface Answer {
  readonly lookup: unknown;
  readonly queries: readonly unknown[];
}

/** `versions` only where they mean something. */
async function ask(datastore: Datastore, readTime: bigint | undefined, transaction?: Uint8Array): Promise<Answer> {
  const options = { ...(readTime === undefined ? {} : { readTime }), ...(transaction ? { transaction } : {}) };
  const { found, missing } = await datastore.lookup(APP, KEYS.map(encodeKey), options);
  const queries: unknown[] = [];
  const orCode = async (run: () => Promise<unknown>): Promise<unknown> => {
    try {
      return await run();
    } catch (error) {
      if (error instanceof PlatformError && error.code === 'DS_NEED_INDEX') return error.code;
      throw error;
    }
  };
  for (const one of QUERIES) {
    queries.push(
      await orCode(async () =>
        (await datastore.runQuery(APP, one, options)).results.map(({ entity }) => Buffer.from(entity).toString('hex')),
      ),
    );
  }
  for (const one of AGGREGATIONS) queries.push(await orCode(async () => (await datastore.runAggregation(APP, one, options)).values));
  return {
    lookup: { found: found.map(({ entity }) => Buffer.from(entity).toString('hex')), missing: missing.length },
    queries,
  };
}

/** What a datastore answers that holds only this. */
async function expected(state: State, indexes: readonly IndexDefinition[]): Promise<Answer> {
  const { datastore } = await openDatastore();
  await datastore.ensureIndexes(APP, indexes);
  await datastore.indexesBuilt();
  if (state.size > 0)
    await datastore.commit(
      APP,
      [...state].map(([at, { plain }]) => write('insert', at, plain)),
    );
  const answer = await ask(datastore, undefined);
  await datastore.close();
  return answer;
}

async function versionsThen(datastore: Datastore, readTime: bigint): Promise<readonly bigint[]> {
  const { found } = await datastore.lookup(APP, KEYS.map(encodeKey), { readTime });
  return found.map(({ version }) => version);
}

interface PlayOptions {
  readonly commits: number;
  readonly checks: number;
  readonly restarts?: boolean;
}

/** Returns how often it compared. */
async function play(open: OpenDatastore, seed: number, { commits, checks, restarts = false }: PlayOptions): Promise<number> {
  const random = new SeededRandom(seed);
  const world = new World(open, random);
  const { datastore } = open;
  let compared = 0;
  await datastore.ensureIndexes(APP, INDEXES.slice(0, 2));
  await datastore.indexesBuilt();
  const half = Math.floor(commits / 2);
  for (let at = 0; at < commits; at++) {
    if (at === half) {
      await datastore.ensureIndexes(APP, INDEXES);
      await datastore.indexesBuilt();
    }
    await world.commit();
  }
  // The last index was complete between these two.
  const [lastWithout, firstWith] = [world.moments[half]!.version, world.moments[half + 1]!.version];
  for (let check = 0; check < checks; check++) {
    if (restarts && check % 2 === 1) {
      await datastore.close();
      await datastore.start();
    }
    const time = world.someTime();
    if (time < world.moments[1]!.version || (time > lastWithout && time < firstWith)) continue;
    const hasAll = time >= firstWith;
    const state = world.stateAt(time);
    const then = await expected(state, hasAll ? INDEXES : INDEXES.slice(0, 2));
    const message = `seed ${seed}, at ${time}`;
    expect(await ask(datastore, time), message).toEqual(then);
    const versions = [...KEYS].flatMap((at) => state.get(at)?.version ?? []);
    expect(await versionsThen(datastore, time), message).toEqual(versions);
    const transaction = await datastore.beginTransaction(APP, { readOnly: true, readTime: time });
    await world.commit();
    expect(await ask(datastore, undefined, transaction), message).toEqual(then);
    await datastore.rollback(APP, transaction);
    compared++;
  }
  return compared;
}

describe('reads at an earlier time', () => {
  it.each([1, 2, 3, 4, 5])('see what a model that forgets nothing sees, seed %i', async (seed) => {
    const open = await openDatastore();
    expect(await play(open, seed, { commits: 60, checks: 12 })).toBeGreaterThan(6);
    await open.datastore.close();
  });

  it('see it from disk too, over restarts', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'history-'));
    try {
      const open = await openDatastore({ store: new LevelStore(directory) });
      expect(await play(open, 99, { commits: 40, checks: 8, restarts: true })).toBeGreaterThan(4);
      await open.datastore.close();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
