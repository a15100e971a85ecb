// The single-server column of the table in "Bigtable: A Distributed Storage System for Structured Data" (OSDI 2006, figure 6), on
// our storage layer and through the datastore: the same six experiments with values of 1,000 bytes that do not compress. Every
// write is on disk before it is answered. The paper's server was a 2 GHz Opteron of 2006 with 1 GB of memory, its disks and its
// clients behind a network, so the ratios say how far hardware and we have come together, and nothing of either alone.
//
//   npx tsx tests/bench/bigtable.ts [--rows 200000] [--cache-mib 16] [--seconds 9]
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Datastore } from '../../datastore/datastore.ts';
import { LevelStore } from '../../datastore/storage/level-store.ts';
import { encodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { type Bounds, latencyText, measure } from './meter.ts';
import { type BenchRow, type BenchTable, printTable } from './table.ts';

export interface BigtableOptions {
  readonly rows?: number;
  /** LevelDB's own; the operating system caches besides. */
  readonly cacheMib?: number;
  /** An experiment ends after so long, or when every row was seen once. */
  readonly seconds?: number;
}

/** Values per second of one tablet server. */
const PAPER = {
  'random reads': 1_212,
  'random reads (mem)': 10_811,
  'random writes': 8_850,
  'sequential reads': 4_425,
  'sequential writes': 8_547,
  scans: 15_385,
} as const;
type Experiment = keyof typeof PAPER;

const MiB = 1024 * 1024;
const VALUE_BYTES = 1_000;
const CLIENTS = 64;
const SCAN_ROWS = 100;
const SCOPE = { appId: 'bench' };
const FACADE_SHARE = 4;

/** One after the other, or all of them scattered: 7,919 is prime, and no factor of a number of rows that anybody chooses. */
const inOrder = (at: number): number => at;
const scattered =
  (rows: number) =>
  (at: number): number =>
    (at * 7_919 + 13) % rows;

const pool = systemRandom.bytes(4 * MiB);

function freshValue(): Buffer {
  const from = Math.floor(systemRandom.fraction() * (pool.length - VALUE_BYTES));
  return pool.subarray(from, from + VALUE_BYTES);
}

/** What the experiments are done to. */
interface Table {
  write(row: number): Promise<unknown>;
  read(row: number): Promise<boolean>;
  /** `SCAN_ROWS` values from that row on. */
  scan(row: number): Promise<number>;
}

function storeTable(store: LevelStore): Table {
  const keyOf = (row: number): Buffer => Buffer.from(String(row).padStart(10, '0'));
  const end = Buffer.from('~');
  return {
    write: (row) => {
      const transaction = store.begin();
      transaction.put(keyOf(row), freshValue());
      return transaction.commit();
    },
    read: async (row) => (await store.get(keyOf(row)))?.length === VALUE_BYTES,
    scan: async (row) => {
      const scan = store.scan({ from: keyOf(row), to: end }, { limit: SCAN_ROWS });
      let values = 0;
      for (let rows = await scan.next(SCAN_ROWS); rows.length > 0; rows = await scan.next(SCAN_ROWS)) values += rows.length;
      await scan.close();
      return values;
    },
  };
}

function datastoreTable(datastore: Datastore): Table {
  const keyOf = (row: number): Key => ({
    projectId: SCOPE.appId,
    databaseId: '',
    namespace: '',
    path: [{ kind: 'Row', name: String(row).padStart(10, '0') }],
  });
  return {
    write: (row) => {
      const value = { kind: 'blob', value: freshValue(), excludeFromIndexes: true } as const;
      return datastore.commit(SCOPE, [{ op: 'upsert', entity: encodeEntity({ key: keyOf(row), properties: { value } }) }]);
    },
    read: async (row) => (await datastore.lookup(SCOPE, [encodeKey(keyOf(row))])).found.length === 1,
    scan: async (row) => {
      const { results } = await datastore.runQuery(SCOPE, {
        databaseId: '',
        namespace: '',
        entityKind: 'Row',
        filter: { kind: 'property', property: '__key__', operator: '>=', value: { kind: 'key', value: keyOf(row) } },
        orders: [],
        offset: 0,
        limit: SCAN_ROWS,
      });
      return results.length;
    },
  };
}

interface Figures {
  readonly experiment: Experiment;
  readonly perSecond: number;
  readonly note: string;
}

/** Sequential writes come first: they make the rows that all others need. */
async function experiments(table: Table, rows: number, msMax: number): Promise<readonly Figures[]> {
  const figures: Figures[] = [];
  const run = async (experiment: Experiment, bounds: Bounds, valuesOfCall: number, call: (at: number) => Promise<void>): Promise<void> => {
    const { perSecond, latency } = await measure(bounds, async (at) => {
      await call(at);
      return experiment;
    });
    const waited = latency[experiment];
    figures.push({ experiment, perSecond: perSecond * valuesOfCall, note: waited ? latencyText(waited) : '' });
  };
  const all: Bounds = { clients: CLIENTS, callsMax: rows, msMax };
  let written = 0;
  await run('sequential writes', all, 1, async (at) => {
    await table.write(inOrder(at));
    written = Math.max(written, at + 1);
  });
  // A slow disk may not have come to all of them.
  const order = scattered(written);
  const present = { ...all, callsMax: written };
  await run('random writes', present, 1, async (at) => {
    await table.write(order(at));
  });
  await run('sequential reads', present, 1, async (at) => found(await table.read(inOrder(at)), at));
  await run('random reads', present, 1, async (at) => found(await table.read(order(at)), order(at)));
  // A tenth of the rows, as in the paper, read before, so that they are in memory.
  const few = Math.max(1, Math.floor(written / 10));
  for (let row = 0; row < few; row++) await table.read(row);
  const ofFew = scattered(few);
  await run('random reads (mem)', present, 1, async (at) => found(await table.read(ofFew(at)), ofFew(at)));
  const scans = Math.floor(written / SCAN_ROWS);
  await run('scans', { ...present, clients: 1, callsMax: scans }, SCAN_ROWS, async (at) => {
    const values = await table.scan(at * SCAN_ROWS);
    if (values !== SCAN_ROWS) throw new Error(`a scan found ${values} rows, want ${SCAN_ROWS}`);
  });
  return figures;
}

function found(isFound: boolean, row: number): void {
  if (!isFound) throw new Error(`row ${row} is lost`);
}

function toRows(figures: readonly Figures[], through: string): readonly BenchRow[] {
  return figures.map(({ experiment, perSecond, note }) => ({
    name: `${experiment}, ${through} (${note})`,
    unit: 'values/s',
    ours: perSecond,
    peer: PAPER[experiment],
    peerName: 'the paper, one tablet server, 2006',
    ratio: perSecond / PAPER[experiment],
    budget: '> 1',
  }));
}

async function bytesIn(folder: string): Promise<number> {
  const sizes = await Promise.all(
    (await readdir(folder)).map(async (file) => (await stat(join(folder, file)).catch(() => ({ size: 0 }))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

export async function run({ rows = 200_000, cacheMib = 16, seconds = 9 }: BigtableOptions = {}): Promise<BenchTable> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-bigtable-'));
  const open = (name: string): LevelStore => new LevelStore(join(folder, name), { cacheBytes: cacheMib * MiB });
  try {
    const store = open('store');
    await store.start();
    const ofStore = await experiments(storeTable(store), rows, seconds * 1_000).finally(() => store.close());
    const dataMib = Math.round((await bytesIn(join(folder, 'store'))) / MiB);
    const datastore = new Datastore(open('datastore'), systemClock, systemTimers, systemRandom, new MemoryLog());
    await datastore.start();
    const ofDatastore = await experiments(datastoreTable(datastore), Math.floor(rows / FACADE_SHARE), seconds * 1_000).finally(() =>
      datastore.close(),
    );
    return {
      title:
        `Bigtable's table (OSDI'06, figure 6): ${rows} rows of ${VALUE_BYTES} bytes, ${dataMib} MiB on disk, cache ${cacheMib} MiB ` +
        `(the operating system's besides), ${CLIENTS} clients, one for scans of ${SCAN_ROWS} rows; writes fsynced`,
      rows: [...toRows(ofStore, 'storage'), ...toRows(ofDatastore, `entities, ${Math.floor(rows / FACADE_SHARE)} of them`)],
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({ options: { rows: { type: 'string' }, 'cache-mib': { type: 'string' }, seconds: { type: 'string' } } });
  printTable(
    await run({
      ...(values.rows === undefined ? {} : { rows: Number(values.rows) }),
      ...(values['cache-mib'] === undefined ? {} : { cacheMib: Number(values['cache-mib']) }),
      ...(values.seconds === undefined ? {} : { seconds: Number(values.seconds) }),
    }),
  );
}
