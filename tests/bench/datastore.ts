// The datastore against the LevelDB under it (the same rows, the same group commit, as many clients) and against what a team
// would take instead: PostgreSQL with the same entities as JSONB and the same indexes. Then through the SDK, as apps call it.
//
//   npx tsx tests/bench/datastore.ts
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { entityRowKey, partitionOf, pathBytes } from '../../datastore/codec/row-key.ts';
import { Datastore } from '../../datastore/datastore.ts';
import { prefixRange } from '../../datastore/storage/key-bytes.ts';
import { LevelStore } from '../../datastore/storage/level-store.ts';
import { type Query } from '../../sdk/contract/query.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { postgresSkip } from '../contract/postgres-server.ts';
import { type Item, KIND, keyOf, makeItem, nameOf, rowsOf, SCOPE } from './datastore-parts/items.ts';
import { PostgresItems } from './datastore-parts/postgres-items.ts';
import { RawLevel } from './datastore-parts/raw-level.ts';
import { SdkItems } from './datastore-parts/sdk-peer.ts';
import { type BenchRow, type BenchTable, printTable } from './table.ts';

export interface DatastoreBenchOptions {
  readonly rounds?: number;
}

const ROUNDS = 7;
const ROUND_PUTS = 3_000;
const QUERY_RESULTS = 100;
const SDK_IN_FLIGHT = 32;
/** As the SDK's calls, which are not told which time they saw. */
const UNTIMED = { untimed: true } as const;
const CLIENTS = [1, 16, 64];
/** Calls of one round by clients: long enough to be measured, short enough to alternate often. */
const CALLS: Readonly<Record<number, Readonly<Record<'puts' | 'gets' | 'queries' | 'transactions', number>>>> = {
  1: { puts: 300, gets: 3_000, queries: 100, transactions: 300 },
  16: { puts: 1_500, gets: 6_000, queries: 200, transactions: 1_000 },
  64: { puts: ROUND_PUTS, gets: 6_000, queries: 200, transactions: 2_000 },
};

/** One call of a client, or undefined where a side has no such call. */
interface Side {
  readonly name: string;
  readonly call: (index: number, client: number) => Promise<unknown>;
}

/** Calls per second of `clients` loops that share `calls` calls. */
async function rate(clients: number, calls: number, call: Side['call']): Promise<number> {
  const startMs = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      while (next < calls) await call(next++, client);
    }),
  );
  return (calls * 1_000) / (performance.now() - startMs);
}

/** A row per peer: medians over rounds taken in turn, so that all see the same machine, warm and cold, quiet and busy. */
async function compare(
  name: string,
  { clients, calls, rounds }: { readonly clients: number; readonly calls: number; readonly rounds: number },
  sidesOf: (round: number) => readonly [ours: Side, ...peers: readonly Side[]],
  budget?: (peer: string) => string | undefined,
): Promise<readonly BenchRow[]> {
  const taken: { readonly name: string; readonly perSecond: number }[][] = [];
  // One round more at the beginning, which warms all of them up and does not count.
  for (let round = 0; round <= rounds; round++) {
    const rates = [];
    for (const side of sidesOf(round)) rates.push({ name: side.name, perSecond: await rate(clients, calls, side.call) });
    if (round > 0) taken.push(rates);
  }
  const column = (at: number): readonly number[] => taken.map((rates) => rates[at]?.perSecond ?? Number.NaN);
  const peers = taken[0]?.slice(1) ?? [];
  return peers.map((peer, at) => {
    const limit = budget?.(peer.name);
    return {
      name: `${name}, ${clients} ${clients === 1 ? 'client' : 'clients'}`,
      unit: '/s',
      ours: median(column(0)),
      peer: median(column(at + 1)),
      peerName: peer.name,
      ratio: median(taken.map((rates) => (rates[0]?.perSecond ?? Number.NaN) / (rates[at + 1]?.perSecond ?? Number.NaN))),
      ...(limit === undefined ? {} : { budget: limit }),
    };
  });
}

function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[values.length >> 1] ?? Number.NaN;
}

export async function run({ rounds = ROUNDS }: DatastoreBenchOptions = {}): Promise<BenchTable> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-datastore-'));
  const closing = new CloseStack();
  closing.defer(() => rm(folder, { recursive: true, force: true }));
  try {
    const datastore = new Datastore(new LevelStore(join(folder, 'ours')), systemClock, systemTimers, systemRandom, new MemoryLog());
    await datastore.start();
    closing.defer(() => datastore.close());
    const raw = new RawLevel(join(folder, 'raw'));
    await raw.level.open();
    closing.defer(() => raw.level.close());
    const postgres = postgresSkip() === undefined ? await PostgresItems.start() : undefined;
    if (postgres) closing.defer(() => postgres.stop());
    const sdk = await SdkItems.start(folder);
    closing.defer(() => sdk.stop());
    const rows = [];
    for (const clients of CLIENTS) {
      await postgres?.connect(clients);
      rows.push(...(await measure(clients, rounds, datastore, raw, postgres)));
    }
    rows.push(...(await measureSdk(rounds, sdk)));
    return { title: 'Datastore: entities of 1 kB, 2 indexed properties, every commit fsynced', rows };
  } finally {
    await closing.close();
  }
}

async function measure(
  clients: number,
  rounds: number,
  datastore: Datastore,
  raw: RawLevel,
  postgres: PostgresItems | undefined,
): Promise<readonly BenchRow[]> {
  const calls = CALLS[clients] ?? { puts: 0, gets: 0, queries: 0, transactions: 0 };
  const first = clients * 100_000;
  const end = prefixRange(partitionOf(SCOPE.appId, '', '').entities).to;
  const withPostgres = (call: (postgres: PostgresItems) => Side['call']): readonly Side[] =>
    postgres ? [{ name: 'PostgreSQL, JSONB', call: call(postgres) }] : [];
  const of64 = (limit: string) => (peer: string) => (clients === 64 && peer.startsWith('raw') ? limit : undefined);
  // Made round by round and not kept, so that the heap stays as small as a server's.
  const itemsOf = (round: number): readonly Item[] =>
    Array.from({ length: calls.puts }, (_, index) => makeItem(first + round * calls.puts + index));
  const puts = await compare(
    'puts',
    { clients, calls: calls.puts, rounds },
    (round) => {
      const items = itemsOf(round);
      const rows = items.map(rowsOf);
      return [
        { name: 'ours', call: (index) => datastore.commit(SCOPE, [items[index]!.mutation]) },
        { name: 'raw LevelDB, the same 4 rows, group commit', call: (index) => raw.put(rows[index]!) },
        ...withPostgres((one) => (index, client) => one.put(client, items[index]!)),
      ];
    },
    of64('≥ 0.4'),
  );
  const written = calls.puts * (rounds + 1);
  const idAt = (index: number): number => first + ((index * 104_729) % written);
  const rowKeyAt = (index: number): Buffer => entityRowKey(partitionOf(SCOPE.appId, '', ''), pathBytes(keyOf(idAt(index)).path));
  const gets = await compare('gets by key', { clients, calls: calls.gets, rounds }, () => {
    const items = Array.from({ length: calls.gets }, (_, index) => makeItem(idAt(index)));
    return [
      { name: 'ours', call: (index) => datastore.lookup(SCOPE, [items[index]!.keyMessage], UNTIMED) },
      { name: 'raw LevelDB, get of the same row', call: (index) => raw.level.get(items[index]!.rowKey) },
      ...withPostgres((one) => (index, client) => one.get(client, items[index]!.name)),
    ];
  });
  const scans = await compare(
    `queries of ${QUERY_RESULTS} results in key order`,
    { clients, calls: calls.queries, rounds },
    () => [
      { name: 'ours', call: (index) => datastore.runQuery(SCOPE, queryFrom(idAt(index)), UNTIMED) },
      { name: 'raw LevelDB, scan of the same rows', call: (index) => raw.scan(rowKeyAt(index), end, QUERY_RESULTS) },
      ...withPostgres((one) => (index, client) => one.range(client, nameOf(idAt(index)), QUERY_RESULTS)),
    ],
    (peer) => (peer.startsWith('raw') ? '≥ 0.3' : undefined),
  );
  const equalities = postgres
    ? await compare(`queries of ${QUERY_RESULTS} results by an index`, { clients, calls: calls.queries, rounds }, () => [
        { name: 'ours', call: (index) => datastore.runQuery(SCOPE, queryOfOwner(index), UNTIMED) },
        ...withPostgres((one) => (index, client) => one.ofOwner(client, `owner-${index % 100}`, QUERY_RESULTS)),
      ])
    : [];
  const transactions = await compare('transactions: read, write again', { clients, calls: calls.transactions, rounds }, (round) => {
    const items = Array.from({ length: calls.transactions }, (_, index) => makeItem(idAt(index), round + 1));
    return [
      { name: 'ours', call: (index) => rewrite(datastore, items[index]!) },
      {
        name: 'raw LevelDB, get and put of the entity row',
        call: async (index) => {
          const { rowKey } = items[index]!;
          const value = await raw.level.get(rowKey);
          if (value) await raw.put([{ key: rowKey, value }]);
        },
      },
      ...withPostgres((one) => (index, client) => one.rewrite(client, items[index]!.name)),
    ];
  });
  return [...puts, ...gets, ...scans, ...equalities, ...transactions];
}

async function rewrite(datastore: Datastore, { keyMessage, mutation }: Item): Promise<void> {
  const transaction = await datastore.beginTransaction(SCOPE);
  await datastore.lookup(SCOPE, [keyMessage], { ...UNTIMED, transaction });
  await datastore.commit(SCOPE, [mutation], { transaction });
}

const PLAIN = { databaseId: '', namespace: '', entityKind: KIND, orders: [], offset: 0, limit: QUERY_RESULTS } as const;

function queryFrom(id: number): Query {
  return { ...PLAIN, filter: { kind: 'property', property: '__key__', operator: '>=', value: { kind: 'key', value: keyOf(id) } } };
}

function queryOfOwner(index: number): Query {
  const value = { kind: 'string', value: `owner-${index % 100}` } as const;
  return { ...PLAIN, filter: { kind: 'property', property: 'owner', operator: '=', value } };
}

/** Calls of apps: what a second of the server's CPU serves, and what one connection gets. */
async function measureSdk(rounds: number, sdk: SdkItems): Promise<readonly BenchRow[]> {
  const { gets: calls, transactions } = CALLS[64] ?? { gets: 0, transactions: 0 };
  const measured: Record<'puts' | 'gets' | 'transactions', { perSecond: number; perCpuSecond: number }[]> = {
    puts: [],
    gets: [],
    transactions: [],
  };
  const take = async (name: keyof typeof measured, count: number, call: Side['call']): Promise<void> => {
    const before = await sdk.serverMicros();
    const perSecond = await rate(SDK_IN_FLIGHT, count, call);
    measured[name].push({ perSecond, perCpuSecond: (count * 1e6) / ((await sdk.serverMicros()) - before) });
  };
  const itemsOf = (round: number): readonly Item[] => Array.from({ length: ROUND_PUTS }, (_, id) => makeItem(id, round));
  for (let round = 0; round <= rounds; round++) {
    const [put, again] = [itemsOf(2 * round), itemsOf(2 * round + 1)];
    await take('puts', put.length, (index) => sdk.put(put[index]!));
    await take('gets', calls, (index) => sdk.get(index % put.length));
    await take('transactions', transactions, (index) => sdk.rewrite(again[index % again.length]!));
  }
  return Object.entries(measured).map(([name, all]) => {
    const counted = all.slice(1);
    const ours = median(counted.map(({ perCpuSecond }) => perCpuSecond));
    const peer = median(counted.map(({ perSecond }) => perSecond));
    return {
      name: `${name} through the SDK, ${SDK_IN_FLIGHT} in flight, a second of server CPU`,
      unit: '/s',
      ours,
      peer,
      peerName: 'the same by the clock, one client process',
      ratio: ours / peer,
      ...(name === 'gets' ? { budget: '≥ 20000 a core' } : {}),
    };
  });
}

if (process.argv[1] === import.meta.filename) printTable(await run());
