// The datastore against a naive model: random operations, transactions and queries, every answer compared, on each adapter.
//
// A failure prints its seed, the operations that are needed for it, and how to repeat it. Longer runs:
//   DATASTORE_MODEL_SECONDS=600 npx vitest run --project simulation tests/simulation/datastore-model.test.ts -t memory
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LevelStore } from '../../datastore/storage/level-store.ts';
import { MemoryStore } from '../../datastore/storage/memory-store.ts';
import { type Store } from '../../datastore/storage/port.ts';
import { PostgresStore } from '../../datastore/storage/postgres-store.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { SeededRandom } from '../../sdk/support/virtual-time.ts';
import { PostgresServer, postgresSkip } from '../contract/postgres-server.ts';
import { Generator, type Operation } from './datastore-model/operation.ts';
import { ModelRun, type RunCount } from './datastore-model/run.ts';

interface OpenStore {
  readonly store: Store;
  readonly remove: () => Promise<void>;
}

const SECONDS = process.env.DATASTORE_MODEL_SECONDS;
const SEED = process.env.DATASTORE_MODEL_SEED;
const OPERATIONS = Number(process.env.DATASTORE_MODEL_OPERATIONS ?? 150);
const FIRST_SEED = Date.now() % 1_000_000_000;
/** Of the search for a shorter sequence that fails too. */
const REPEATS_MAX = 400;

const TOTAL = (): RunCount => ({ operations: 0, queries: 0, results: 0, commits: 0, conflicts: 0, indexes: 0 });

function operationsOf(seed: number): readonly Operation[] {
  const generator = new Generator(new SeededRandom(seed));
  return Array.from({ length: OPERATIONS }, () => generator.next());
}

/** What went wrong, with the operation that it went wrong at. */
async function attempt(
  open: () => Promise<OpenStore>,
  patienceMs: number,
  seed: number,
  operations: readonly Operation[],
  total: RunCount,
) {
  const { store, remove } = await open();
  const run = new ModelRun(store, patienceMs);
  let at = 0;
  try {
    await run.start(seed % 2 === 0 ? 'pessimistic' : 'optimistic');
    for (const operation of operations) {
      await run.do(operation);
      at++;
    }
    await run.finish();
    for (const name of Object.keys(total) as (keyof RunCount)[]) total[name] += run.count[name];
    return undefined;
  } catch (error) {
    await run.close().catch(() => undefined);
    return { error, at };
  } finally {
    await remove();
  }
}

/** Leaves out what is not needed to fail. */
async function shortened(
  fails: (operations: readonly Operation[]) => Promise<boolean>,
  operations: readonly Operation[],
): Promise<readonly Operation[]> {
  let [needed, repeats] = [operations, 0];
  for (let size = Math.ceil(needed.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = needed.length - size; from > -size && repeats < REPEATS_MAX; from -= size) {
      const without = [...needed.slice(0, Math.max(0, from)), ...needed.slice(from + size)];
      repeats++;
      if (await fails(without)) needed = without;
    }
  }
  return needed;
}

async function check(
  adapter: string,
  open: () => Promise<OpenStore>,
  { runs, patienceMs }: { readonly runs: number; readonly patienceMs: number },
) {
  const total = TOTAL();
  const endMs = performance.now() + Number(SECONDS ?? 0) * 1_000;
  let ran = 0;
  for (
    let seed = Number(SEED ?? FIRST_SEED);
    SEED === undefined ? (SECONDS === undefined ? ran < runs : performance.now() < endMs) : ran < 1;
    seed++
  ) {
    const operations = operationsOf(seed);
    const failure = await attempt(open, patienceMs, seed, operations, total);
    ran++;
    if (!failure) continue;
    const needed = await shortened(
      async (some) => (await attempt(open, patienceMs, seed, some, TOTAL())) !== undefined,
      operations.slice(0, failure.at + 1),
    );
    const last = (await attempt(open, patienceMs, seed, needed, TOTAL())) ?? failure;
    throw new Error(
      `${adapter}, seed ${seed}: ${String(last.error)}\n${needed.map((one) => inspect(one, { depth: 12, breakLength: 180 })).join('\n')}\n` +
        `Repeat: DATASTORE_MODEL_SEED=${seed} npx vitest run --project simulation tests/simulation/datastore-model.test.ts -t ${adapter}`,
      { cause: last.error },
    );
  }
  console.log(`${adapter}: ${ran} runs from seed ${FIRST_SEED}, ${JSON.stringify(total)}`);
  if (SEED === undefined) {
    expect(total.results).toBeGreaterThan(ran);
    expect(total.commits).toBeGreaterThan(ran * 10);
  }
}

const TIMEOUT_MS = 60_000 + Number(SECONDS ?? 0) * 2_000;

describe('the datastore answers as its model does', () => {
  it('on memory', { timeout: TIMEOUT_MS }, () =>
    check('memory', () => Promise.resolve({ store: new MemoryStore(), remove: () => Promise.resolve() }), { runs: 60, patienceMs: 5 }),
  );

  it('on level', { timeout: TIMEOUT_MS }, () =>
    check(
      'level',
      async () => {
        const folder = await mkdtemp(join(tmpdir(), 'model-'));
        return { store: new LevelStore(folder), remove: () => rm(folder, { recursive: true, force: true }) };
      },
      { runs: 10, patienceMs: 200 },
    ),
  );

  describe.skipIf(postgresSkip() !== undefined)('with PostgreSQL', () => {
    let server: PostgresServer;

    beforeAll(async () => {
      server = await PostgresServer.start();
    });

    afterAll(() => server.stop());

    it('on postgres', { timeout: TIMEOUT_MS }, () =>
      check(
        'postgres',
        async () => {
          const url = await server.createSchema();
          const store = new PostgresStore(systemClock, systemTimers, systemRandom, { url, holder: 'test' });
          return { store, remove: () => Promise.resolve() };
        },
        { runs: 4, patienceMs: 400 },
      ),
    );
  });
});
