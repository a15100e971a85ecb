// The datastore against the LevelDB under it: the same rows, the same group commit, the same number of clients.
//
//   npx tsx tests/bench/datastore.ts
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { encodeEntityRow } from '../../datastore/codec/entity-row.ts';
import { entityRowKey, partitionOf, pathBytes } from '../../datastore/codec/row-key.ts';
import { Datastore } from '../../datastore/datastore.ts';
import { indexedValues } from '../../datastore/index/indexed-values.ts';
import { indexRows } from '../../datastore/index/index-rows.ts';
import { prefixRange } from '../../datastore/storage/key-bytes.ts';
import { LevelStore } from '../../datastore/storage/level-store.ts';
import { type WireMutation } from '../../sdk/contract/datastore-wire.ts';
import { encodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { type Entity } from '../../sdk/contract/entity.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { type Query } from '../../sdk/contract/query.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { type BenchRow, type BenchTable, printTable } from './table.ts';

const SCOPE = { appId: 'bench' };
const PUT_CLIENTS = 64;
const GETS_IN_FLIGHT = 32;
const ROUNDS = 9;
const PUTS = 3_000;
const GETS = 6_000;
const QUERIES = 100;
const QUERY_RESULTS = 100;
const PAYLOAD_BYTES = 1_000;
const MiB = 1024 * 1024;

interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** One entity as its client sends it and as its rows lie on disk. */
interface Item {
  readonly keyMessage: Buffer;
  readonly mutation: WireMutation;
  readonly rowKey: Buffer;
  readonly rows: readonly Row[];
  readonly entity: Entity;
}

type Stored = Pick<Item, 'keyMessage' | 'rowKey'> & { readonly key: Key };

function pick({ keyMessage, rowKey, entity }: Item): Stored {
  return { keyMessage, rowKey, key: entity.key };
}

const payload = Array.from(systemRandom.bytes(PAYLOAD_BYTES * 2), (byte) => String.fromCharCode(32 + (byte % 95))).join('');

function makeItem(id: number): Item {
  const path = [{ kind: 'Item', name: `item-${String((id * 7_919) % 1_000_003).padStart(8, '0')}` }];
  const entity: Entity = {
    key: { projectId: SCOPE.appId, databaseId: '', namespace: '', path },
    properties: {
      owner: { kind: 'string', value: `owner-${id % 100}` },
      rank: { kind: 'integer', value: BigInt(id) },
      text: { kind: 'string', value: payload.slice(id % PAYLOAD_BYTES, (id % PAYLOAD_BYTES) + PAYLOAD_BYTES), excludeFromIndexes: true },
    },
  };
  const message = encodeEntity(entity);
  const partition = partitionOf(SCOPE.appId, '', '');
  const encoded = pathBytes(path);
  const rowKey = entityRowKey(partition, encoded);
  const value = encodeEntityRow({ version: BigInt(id), createdMicros: BigInt(id), updatedMicros: BigInt(id), message: [message] });
  const index = indexRows(partition, 'Item', encoded, indexedValues(entity.properties, SCOPE.appId), []);
  return {
    keyMessage: encodeKey(entity.key),
    mutation: { op: 'upsert', entity: message },
    rowKey,
    rows: [{ key: rowKey, value }, ...index],
    entity,
  };
}

/** LevelDB with group commit and nothing else: what any layer above has to be measured against. */
class RawGroupCommit {
  readonly #level: ClassicLevel<Buffer, Buffer>;
  #waiting: { readonly rows: readonly Row[]; readonly resolve: () => void }[] = [];
  #writing = false;

  constructor(level: ClassicLevel<Buffer, Buffer>) {
    this.#level = level;
  }

  put(rows: readonly Row[]): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ rows, resolve });
      if (this.#writing) return;
      this.#writing = true;
      queueMicrotask(() => void this.#pump());
    });
  }

  async #pump(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      const batch = this.#level.batch();
      for (const { rows } of group) for (const { key, value } of rows) batch.put(key, value);
      await batch.write({ sync: true });
      for (const { resolve } of group) resolve();
    }
    this.#writing = false;
  }
}

/** Calls per second of `clients` loops that share `calls` calls of `action`. */
async function rate(clients: number, calls: number, action: (index: number) => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (next < calls) await action(next++);
    }),
  );
  return (calls * 1_000) / (performance.now() - startMs);
}

/** Medians over rounds taken in turn, so that both see the same machine, warm and cold, quiet and busy. */
async function compare(
  ours: (round: number) => Promise<number>,
  peer: (round: number) => Promise<number>,
): Promise<Pick<BenchRow, 'ours' | 'peer' | 'ratio'>> {
  const rates: { readonly ours: number; readonly peer: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const peerRate = await peer(round);
    rates.push({ ours: await ours(round), peer: peerRate });
  }
  return {
    ours: median(rates.map((one) => one.ours)),
    peer: median(rates.map((one) => one.peer)),
    ratio: median(rates.map((one) => one.ours / one.peer)),
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[values.length >> 1] ?? 0;
}

export async function run(): Promise<BenchTable> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-datastore-'));
  const datastore = new Datastore(new LevelStore(join(folder, 'ours')), systemClock, systemTimers, systemRandom, new MemoryLog());
  const level = new ClassicLevel<Buffer, Buffer>(join(folder, 'peer'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    cacheSize: 64 * MiB,
    writeBufferSize: 16 * MiB,
    maxFileSize: 8 * MiB,
  });
  await datastore.start();
  await level.open();
  try {
    const table = { title: 'Datastore against raw LevelDB (classic-level), 1 kB entities', rows: await measure(datastore, level) };
    return table;
  } finally {
    await level.close();
    await datastore.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(datastore: Datastore, level: ClassicLevel<Buffer, Buffer>): Promise<readonly BenchRow[]> {
  const raw = new RawGroupCommit(level);
  // Made round by round and not kept, so that the heap stays as small as a server's.
  const itemsOf = (round: number): readonly Item[] => Array.from({ length: PUTS }, (_, index) => makeItem(round * PUTS + index));
  const puts = await compare(
    (round) => {
      const mutations = itemsOf(round).map(({ mutation }) => mutation);
      return rate(PUT_CLIENTS, PUTS, (index) => datastore.commit(SCOPE, [mutations[index]!]));
    },
    (round) => {
      const rows = itemsOf(round).map((item) => item.rows);
      return rate(PUT_CLIENTS, PUTS, (index) => raw.put(rows[index]!));
    },
  );
  const items = Array.from({ length: PUTS * ROUNDS }, (_, id) => pick(makeItem(id)));
  const at = (index: number): Stored => items[(index * 104_729) % items.length]!;
  const gets = await compare(
    () => rate(GETS_IN_FLIGHT, GETS, (index) => datastore.lookup(SCOPE, [at(index).keyMessage])),
    () => rate(GETS_IN_FLIGHT, GETS, (index) => level.get(at(index).rowKey)),
  );
  const end = prefixRange(partitionOf(SCOPE.appId, '', '').entities).to;
  const queryFrom = (index: number): Query => ({
    databaseId: '',
    namespace: '',
    entityKind: 'Item',
    filter: { kind: 'property', property: '__key__', operator: '>=', value: { kind: 'key', value: at(index).key } },
    orders: [],
    offset: 0,
    limit: QUERY_RESULTS,
  });
  const scanned = await compare(
    () => rate(1, QUERIES, (index) => datastore.runQuery(SCOPE, queryFrom(index))),
    () =>
      rate(1, QUERIES, async (index) => {
        const iterator = level.iterator({ gte: at(index).rowKey, lt: end, limit: QUERY_RESULTS, highWaterMarkBytes: MiB });
        await iterator.nextv(QUERY_RESULTS);
        await iterator.close();
      }),
  );
  return [
    {
      name: `puts, fsynced, ${PUT_CLIENTS} clients, 2 indexed properties`,
      unit: '/s',
      ...puts,
      peerName: 'group commit of the same 4 rows',
      budget: '≥ 0.4',
    },
    { name: `gets by key, ${GETS_IN_FLIGHT} in flight`, unit: '/s', ...gets, peerName: 'get of the same row', budget: '≥ 0.5' },
    { name: `queries of ${QUERY_RESULTS} results`, unit: '/s', ...scanned, peerName: 'scan of the same rows', budget: '≥ 0.3' },
  ];
}

if (process.argv[1] === import.meta.filename) printTable(await run());
