// The public Datastore v1 API: gets, puts and queries that a second of the server's CPU serves, over gRPC and HTTP with
// protobuf bodies, beside a bare gRPC server of the same library that answers canned bytes: what is between the two is ours.
//
//   npx tsx tests/bench/datastore-v1.ts
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { type Item, makeItem, SCOPE } from './datastore-parts/items.ts';
import { type Caller, grpcCaller, httpCaller, type Method } from './datastore-v1-parts/callers.ts';
import { ServerChild } from './datastore-v1-parts/child.ts';
import { commitOf, lookupOf, queryFrom } from './datastore-v1-parts/requests.ts';
import { type BenchRow, type BenchTable, printTable } from './table.ts';

const ROUNDS = 7;
const IN_FLIGHT = 32;
const ITEMS = 2_000;
const QUERY_RESULTS = 20;
const CALLS = { gets: 4_000, puts: 2_000, queries: 1_000 } as const;
type Work = keyof typeof CALLS;
const METHODS: Readonly<Record<Work, Method>> = { gets: 'Lookup', puts: 'Commit', queries: 'RunQuery' };

interface Way {
  readonly name: string;
  readonly caller: Caller;
  readonly server: ServerChild;
}

export async function run(): Promise<BenchTable> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-datastore-v1-'));
  const closing = new CloseStack();
  closing.defer(() => rm(folder, { recursive: true, force: true }));
  try {
    const start = async (program: string): Promise<ServerChild> => {
      const child = await ServerChild.start(join(import.meta.dirname, 'datastore-v1-parts', program), [join(folder, 'store')]);
      closing.defer(() => child.stop());
      return child;
    };
    const [ours, bare] = [await start('server.ts'), await start('canned.ts')];
    const http = httpCaller(ours.port, SCOPE.appId, IN_FLIGHT);
    const ways: readonly [Way, Way, Way] = [
      { name: 'gRPC', caller: grpcCaller(ours.port), server: ours },
      { name: 'HTTP/protobuf', caller: http, server: ours },
      { name: 'canned', caller: grpcCaller(bare.port), server: bare },
    ];
    for (const { caller } of ways) {
      closing.defer(() => {
        caller.close();
      });
    }
    return {
      title: `Datastore v1: calls for a second of the server's CPU, ${IN_FLIGHT} in flight, entities of 1 kB`,
      rows: await measure(ways),
    };
  } finally {
    await closing.close();
  }
}

async function measure(ways: readonly [Way, Way, Way]): Promise<readonly BenchRow[]> {
  const items = Array.from({ length: ITEMS }, (_, id) => makeItem(id));
  const [first, , bare] = ways;
  for (const item of items) await first.caller.call('Commit', commitOf(item));
  const canned: Record<string, string> = {};
  for (const work of ['gets', 'puts', 'queries'] as const) {
    canned[METHODS[work]] = (await first.caller.call(METHODS[work], requestsOf(work, items, 0)[0]!)).toString('base64');
  }
  await bare.server.ask(canned);
  const rates = new Map<string, number[]>();
  // One round more at the beginning, which warms all of them up and does not count.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const work of ['gets', 'puts', 'queries'] as const) {
      for (const [at, way] of ways.entries()) {
        const rate = await perCpuSecond(way, METHODS[work], requestsOf(work, items, round * ways.length + at));
        if (round > 0) rates.set(`${work} ${way.name}`, [...(rates.get(`${work} ${way.name}`) ?? []), rate]);
      }
    }
  }
  const of = (work: Work, name: string): readonly number[] => rates.get(`${work} ${name}`) ?? [];
  return (['gets', 'puts', 'queries'] as const).flatMap((work) =>
    ['gRPC', 'HTTP/protobuf'].map((name) => ({
      name: `${work === 'queries' ? `queries of ${QUERY_RESULTS} results` : work} over ${name}`,
      unit: '/CPU s',
      ours: median(of(work, name)),
      peer: median(of(work, 'canned')),
      peerName: 'bare gRPC, canned bytes',
      ratio: median(of(work, name).map((rate, at) => rate / (of(work, 'canned')[at] ?? Number.NaN))),
    })),
  );
}

/** `turn` makes puts new ones: writing the same again would be no write. */
function requestsOf(work: Work, items: readonly Item[], turn: number): readonly Buffer[] {
  const count = CALLS[work];
  return Array.from({ length: count }, (_, index) => {
    const id = (index * 7_919) % items.length;
    if (work === 'gets') return lookupOf(items[id]!);
    if (work === 'queries') return queryFrom(id, QUERY_RESULTS);
    return commitOf(makeItem(ITEMS + turn * count + index));
  });
}

async function perCpuSecond({ caller, server }: Way, method: Method, requests: readonly Buffer[]): Promise<number> {
  const before = await server.cpuMicros();
  let next = 0;
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      for (let at = next++; at < requests.length; at = next++) await caller.call(method, requests[at]!);
    }),
  );
  return (requests.length * 1e6) / ((await server.cpuMicros()) - before);
}

function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[values.length >> 1] ?? Number.NaN;
}

if (process.argv[1] === import.meta.filename) printTable(await run());
