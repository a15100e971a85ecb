// How cost grows with the size of a kind: the same reads and writes at 10 thousand, 100 thousand and 1 million entities. A query
// reads its results' index rows and nothing else, so its cost must follow the size of the result.
//
//   npx tsx tests/bench/growth.ts
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Datastore } from '../../datastore/datastore.ts';
import { LevelStore } from '../../datastore/storage/level-store.ts';
import { type WireMutation } from '../../sdk/contract/datastore-wire.ts';
import { encodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { type Entity } from '../../sdk/contract/entity.ts';
import { type Filter, type Order, type Query } from '../../sdk/contract/query.ts';
import { keepProcess, sleep, systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { type BenchRow, type BenchTable, printTable } from './table.ts';

export interface GrowthOptions {
  /** Entities, ascending; the first is what the others are compared with. */
  readonly sizes?: readonly number[];
}

const SIZES = [10_000, 100_000, 1_000_000];
const SCOPE = { appId: 'bench' };
const KIND = 'Item';
const LOAD_CLIENTS = 4;
const LOAD_BATCH = 500;
const CALLS = 400;
const RESULTS = 20;
/** Each tag has so many entities, however many there are in all. */
const TAG_ENTITIES = 50;
const COMPOSITE = {
  kind: KIND,
  ancestor: false,
  properties: [
    { name: 'tag', direction: 'asc' },
    { name: 'rank', direction: 'desc' },
  ],
} as const;

interface Measured {
  readonly micros: number;
  /** Index rows and entities read by one call. */
  readonly rowsRead?: number;
}

type Call = (datastore: Datastore, pick: number) => Promise<number | undefined>;

const text = 'x'.repeat(200);

function entityOf(id: number): Entity {
  return {
    key: { projectId: SCOPE.appId, databaseId: '', namespace: '', path: [{ kind: KIND, name: `item-${scattered(id)}` }] },
    properties: {
      tag: { kind: 'string', value: `tag-${Math.floor(id / TAG_ENTITIES)}` },
      rank: { kind: 'integer', value: BigInt(scattered(id)) },
      text: { kind: 'string', value: text, excludeFromIndexes: true },
    },
  };
}

/** Ids one after the other lie far apart: 7,919 and the prime 15,485,863 have no common factor. */
function scattered(id: number): number {
  return (id * 7_919) % 15_485_863;
}

function mutationOf(id: number): WireMutation {
  return { op: 'upsert', entity: encodeEntity(entityOf(id)) };
}

async function load(datastore: Datastore, from: number, to: number): Promise<void> {
  let next = from;
  await Promise.all(
    Array.from({ length: LOAD_CLIENTS }, async () => {
      while (next < to) {
        const start = next;
        next = Math.min(to, start + LOAD_BATCH);
        await datastore.commit(
          SCOPE,
          Array.from({ length: next - start }, (_, at) => mutationOf(start + at)),
        );
      }
    }),
  );
}

/** Waits, a minute at most, until LevelDB no longer moves files about for what was loaded. */
async function compacted(folder: string): Promise<void> {
  let known = '';
  for (let quiet = 0, rounds = 0; quiet < 4 && rounds < 120; rounds++) {
    await sleep(systemTimers, 500);
    const files = (await readdir(folder)).sort().join();
    quiet = files === known ? quiet + 1 : 0;
    known = files;
  }
}

async function read(datastore: Datastore, shape: { readonly filter?: Filter; readonly orders?: readonly Order[] }): Promise<number> {
  const query: Query = { databaseId: '', namespace: '', entityKind: KIND, orders: [], offset: 0, limit: RESULTS, ...shape };
  const { results, plan } = await datastore.runQuery(SCOPE, query, { explain: true });
  if (results.length !== RESULTS) throw new Error(`${results.length} results, want ${RESULTS}`);
  return (plan?.indexRowsRead ?? 0) + (plan?.entitiesRead ?? 0);
}

const ofTag = (pick: number): Filter => ({
  kind: 'property',
  property: 'tag',
  operator: '=',
  value: { kind: 'string', value: `tag-${Math.floor(pick / TAG_ENTITIES)}` },
});

/** `pick` is the id of some entity. */
const CALLS_BY_NAME: Readonly<Record<string, Call>> = {
  'get by key': async (datastore, pick) => {
    const { found } = await datastore.lookup(SCOPE, [encodeKey(entityOf(pick).key)]);
    if (found.length !== 1) throw new Error(`entity ${pick} is lost`);
    return undefined;
  },
  'put of an entity that is there': async (datastore, pick) => {
    await datastore.commit(SCOPE, [mutationOf(pick)]);
    return undefined;
  },
  [`query tag = t, ${RESULTS} results`]: (datastore, pick) => read(datastore, { filter: ofTag(pick) }),
  [`query order by rank desc, ${RESULTS} results`]: (datastore) => read(datastore, { orders: [{ property: 'rank', direction: 'desc' }] }),
  [`query tag = t order by rank desc (composite), ${RESULTS} results`]: (datastore, pick) =>
    read(datastore, { filter: ofTag(pick), orders: [{ property: 'rank', direction: 'desc' }] }),
};

/** The median of calls one after the other, at entities picked all over the kind. */
async function measure(datastore: Datastore, size: number, call: Call): Promise<Measured> {
  const micros: number[] = [];
  let rowsRead: number | undefined;
  for (let index = 0; index < CALLS; index++) {
    const pick = (index * 104_729) % size;
    const startMs = performance.now();
    rowsRead = await call(datastore, pick);
    micros.push((performance.now() - startMs) * 1_000);
  }
  micros.sort((left, right) => left - right);
  return { micros: micros[micros.length >> 1] ?? Number.NaN, ...(rowsRead === undefined ? {} : { rowsRead }) };
}

export async function run({ sizes = SIZES }: GrowthOptions = {}): Promise<BenchTable> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-growth-'));
  const closing = new CloseStack();
  closing.defer(keepProcess());
  closing.defer(() => rm(folder, { recursive: true, force: true }));
  try {
    const datastore = new Datastore(new LevelStore(folder), systemClock, systemTimers, systemRandom, new MemoryLog());
    await datastore.start();
    closing.defer(() => datastore.close());
    await datastore.ensureIndexes(SCOPE, [COMPOSITE]);
    const bySize: { readonly size: number; readonly measured: ReadonlyMap<string, Measured> }[] = [];
    let loaded = 0;
    for (const size of sizes) {
      await load(datastore, loaded, size);
      loaded = size;
      await compacted(folder);
      const measured = new Map<string, Measured>();
      for (const [name, call] of Object.entries(CALLS_BY_NAME)) measured.set(name, await measure(datastore, size, call));
      bySize.push({ size, measured });
    }
    return { title: `Cost by the size of the kind, entities of ${text.length + 50} bytes, p50`, rows: rowsOf(bySize) };
  } finally {
    await closing.close();
  }
}

function rowsOf(bySize: readonly { readonly size: number; readonly measured: ReadonlyMap<string, Measured> }[]): readonly BenchRow[] {
  const [smallest] = bySize;
  return Object.keys(CALLS_BY_NAME).flatMap((name) => {
    const first = smallest?.measured.get(name);
    return bySize.slice(1).map(({ size, measured }): BenchRow => {
      const { micros = Number.NaN, rowsRead } = measured.get(name) ?? {};
      const rows = rowsRead === undefined ? '' : `, ${rowsRead} rows read`;
      const rowsFirst = first?.rowsRead === undefined ? '' : `, ${first.rowsRead} rows read`;
      return {
        name: `${name}, ${count(size)} entities${rows}`,
        unit: 'µs',
        ours: micros,
        peer: first?.micros ?? Number.NaN,
        peerName: `the same at ${count(smallest?.size ?? 0)}${rowsFirst}`,
        ratio: micros / (first?.micros ?? Number.NaN),
      };
    });
  });
}

function count(size: number): string {
  return size.toLocaleString('en-US');
}

if (process.argv[1] === import.meta.filename) printTable(await run());
