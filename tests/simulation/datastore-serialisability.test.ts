// Random transactions over a few entities, reads and queries in them, beside outside writes, interleaved at random. Whatever the
// seed and the mode: what each that committed has read and written fits one order of them all, and every call ends.
import { describe, expect, test } from 'vitest';
import { type Datastore } from '../../datastore/datastore.ts';
import { APP, get, key, openDatastore, query, where, write } from '../../datastore/fixture.ts';
import { decodeEntity } from '../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { SeededRandom, type VirtualTime } from '../../sdk/support/virtual-time.ts';

const seeds = process.env['SEED'] === undefined ? [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] : [Number(process.env['SEED'])];
const CLIENTS = 5;
const ROUNDS = 16;
const NAMES = ['a', 'b', 'c', 'd'];
const RETRIES_MAX = 200;

type State = ReadonlyMap<string, bigint>;

/** One committed transaction: what it saw, and what it wrote. */
interface Committed {
  readonly version: bigint;
  readonly reads: readonly { readonly name: string; readonly n: bigint | undefined }[];
  readonly queries: readonly { readonly above: bigint; readonly found: string }[];
  readonly writes: readonly { readonly name: string; readonly n: bigint }[];
}

const at = (name: string) => key('Cell', name);
const chosen = <T>(random: SeededRandom, from: readonly T[]): T => {
  const one = from[Math.floor(random.fraction() * from.length)];
  if (one === undefined) throw new Error('nothing to choose from');
  return one;
};

async function pause(random: SeededRandom): Promise<void> {
  for (let turns = Math.floor(random.fraction() * 4); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
}

async function numberOf(datastore: Datastore, name: string, transaction: Buffer): Promise<bigint | undefined> {
  const property = (await get(datastore, at(name), transaction))?.properties['n'];
  return property?.kind === 'integer' ? property.value : undefined;
}

async function foundAbove(datastore: Datastore, above: bigint, transaction: Buffer): Promise<string> {
  const { results } = await datastore.runQuery(APP, query('Cell', { filter: where('n', '>', above) }), { transaction });
  const found = results.map(({ entity }) => {
    const { key: one, properties } = decodeEntity(entity);
    return `${one.path[0]?.name ?? ''}=${properties['n']?.kind === 'integer' ? properties['n'].value : '?'}`;
  });
  return found.sort().join();
}

function expectedAbove(state: State, above: bigint): string {
  const cells = [...state].filter(([, n]) => n > above).map(([name, n]) => `${name}=${n}`);
  return cells.sort().join();
}

async function attempt(datastore: Datastore, random: SeededRandom): Promise<Committed> {
  const transaction = await datastore.beginTransaction(APP);
  const reads: Committed['reads'][number][] = [];
  const queries: Committed['queries'][number][] = [];
  try {
    for (let step = Math.floor(random.fraction() * 3); step >= 0; step--) {
      await pause(random);
      if (random.fraction() < 0.3) {
        const above = BigInt(Math.floor(random.fraction() * 10));
        queries.push({ above, found: await foundAbove(datastore, above, transaction) });
      } else {
        const name = chosen(random, NAMES);
        reads.push({ name, n: await numberOf(datastore, name, transaction) });
      }
    }
    await pause(random);
    // Writes often what it read, so that lost updates and write skew would come up.
    const names = new Set([random.fraction() < 0.6 && reads[0] ? reads[0].name : chosen(random, NAMES)]);
    if (random.fraction() < 0.3) names.add(chosen(random, NAMES));
    const writes = [...names].map((name) => ({ name, n: BigInt(Math.floor(random.fraction() * 20)) }));
    const mutations = writes.map(({ name, n }) => write('upsert', at(name), { n }));
    const { commitTimeMicros } = await datastore.commit(APP, mutations, { transaction });
    return { version: commitTimeMicros, reads, queries, writes };
  } catch (error) {
    await datastore.rollback(APP, transaction).catch(() => undefined);
    throw error;
  }
}

async function outside(datastore: Datastore, random: SeededRandom): Promise<Committed> {
  const writes = [{ name: chosen(random, NAMES), n: BigInt(Math.floor(random.fraction() * 20)) }];
  const { commitTimeMicros } = await datastore.commit(
    APP,
    writes.map(({ name, n }) => write('upsert', at(name), { n })),
  );
  return { version: commitTimeMicros, reads: [], queries: [], writes };
}

/** Runs `work` until it commits; only contention may fail it. */
async function untilCommitted(work: () => Promise<Committed>, random: SeededRandom, aborted: () => void): Promise<Committed> {
  for (let tries = 0; tries < RETRIES_MAX; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code !== 'DS_TX_CONFLICT') throw error;
      aborted();
      await pause(random);
    }
  }
  throw new Error(`no progress in ${RETRIES_MAX} tries`);
}

/** Lets time pass for those who wait for locks, until `all` is done. */
async function finish(all: Promise<unknown>, time: VirtualTime): Promise<void> {
  const progress = { isDone: false };
  const done = (): void => {
    progress.isDone = true;
  };
  all.then(done, done);
  for (let turn = 0; !progress.isDone; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    // A wait of 5 s takes about as many turns as several whole transactions do.
    if (turn % 10 === 9) time.advance(100);
  }
  await all;
}

describe.each(['pessimistic', 'optimistic'] as const)('%s transactions', (concurrency) => {
  test.each(seeds)('fit one order (SEED=%i)', async (seed) => {
    const { datastore, time } = await openDatastore();
    await datastore.settings.change(APP.appId, (settings) => ({ ...settings, concurrency }));
    const history: Committed[] = [];
    let aborts = 0;
    const client = async (number: number): Promise<void> => {
      const random = new SeededRandom(seed * 100 + number);
      for (let round = 0; round < ROUNDS; round++) {
        const work = random.fraction() < 0.25 ? outside : attempt;
        history.push(
          await untilCommitted(
            () => work(datastore, random),
            random,
            () => aborts++,
          ),
        );
        await pause(random);
      }
    };
    await finish(Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number))), time);

    // All of them write, so their versions are the order; what each saw must be what the ones before it have left.
    history.sort((one, other) => (one.version < other.version ? -1 : 1));
    expect(new Set(history.map(({ version }) => version)).size).toBe(CLIENTS * ROUNDS);
    const state = new Map<string, bigint>();
    for (const [place, { reads, queries, writes }] of history.entries()) {
      for (const { name, n } of reads) expect([place, name, n]).toEqual([place, name, state.get(name)]);
      for (const { above, found } of queries) expect([place, above, found]).toEqual([place, above, expectedAbove(state, above)]);
      for (const { name, n } of writes) state.set(name, n);
    }
    const last = await datastore.beginTransaction(APP, { readOnly: true });
    expect(await foundAbove(datastore, -1n, last)).toBe(expectedAbove(state, -1n));
    // Without contention nothing was tested.
    expect(aborts).toBeGreaterThan(0);
    await datastore.close();
  });

  test.each(seeds)('keep x + y above zero, though each of two alone may take from either (write skew, SEED=%i)', async (seed) => {
    const { datastore, time } = await openDatastore();
    await datastore.settings.change(APP.appId, (settings) => ({ ...settings, concurrency }));
    await datastore.commit(APP, [write('upsert', at('x'), { n: 5n }), write('upsert', at('y'), { n: 5n })]);
    const takeFrom = async (name: 'x' | 'y', random: SeededRandom): Promise<Committed> => {
      const transaction = await datastore.beginTransaction(APP);
      await pause(random);
      const [x, y] = [(await numberOf(datastore, 'x', transaction)) ?? 0n, (await numberOf(datastore, 'y', transaction)) ?? 0n];
      await pause(random);
      const mutations = x + y > 0n ? [write('update', at(name), { n: (name === 'x' ? x : y) - 1n })] : [];
      const { commitTimeMicros } = await datastore.commit(APP, mutations, { transaction });
      return { version: commitTimeMicros, reads: [], queries: [], writes: [] };
    };
    const client = async (number: number): Promise<void> => {
      const random = new SeededRandom(seed * 1_000 + number);
      for (let round = 0; round < 5; round++) {
        await untilCommitted(
          () => takeFrom(number % 2 === 0 ? 'x' : 'y', random),
          random,
          () => undefined,
        );
      }
    };
    // Twenty want one each of ten: no more than ten get it, and none is lost.
    await finish(Promise.all([0, 1, 2, 3].map(client)), time);
    const last = await datastore.beginTransaction(APP, { readOnly: true });
    const [x, y] = [await numberOf(datastore, 'x', last), await numberOf(datastore, 'y', last)];
    expect((x ?? 0n) + (y ?? 0n)).toBe(0n);
    await datastore.close();
  });
});
