// YCSB's core workloads A to F: records of ten fields of 100 bytes, through the SDK's client and its wire on a unix socket, every
// write on disk before it is answered. Beside it the same operations on raw LevelDB with group commit, where a record is one row.
// An update writes the whole record, since the datastore has no smaller write; YCSB's own binding for it does the same.
//
//   npx tsx tests/bench/ycsb.ts [--records 10000] [--seconds 1.2] [--clients 1,16,64] [--workloads A,B]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { datastoreService } from '../../datastore/api/wire-service.ts';
import { Datastore as DatastoreServer } from '../../datastore/datastore.ts';
import { LevelStore } from '../../datastore/storage/level-store.ts';
import { Datastore } from '../../sdk/client/datastore.ts';
import { RpcClient } from '../../sdk/contract/wire/client.ts';
import { RpcServer } from '../../sdk/contract/wire/server.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { SeededRandom } from '../../sdk/support/virtual-time.ts';
import { RawLevel } from './datastore-parts/raw-level.ts';
import { latencyText, type Measured, measure } from './meter.ts';
import { type BenchRow, type BenchTable, printTable } from './table.ts';
import { fieldsOf, keyOf, type RecordStore, type Workload, WORKLOADS, WorkloadRun } from './ycsb-parts/workload.ts';

export interface YcsbOptions {
  readonly records?: number;
  /** Of each workload, number of clients, and store. */
  readonly seconds?: number;
  readonly clients?: readonly number[];
  readonly workloads?: readonly string[];
}

const TABLE = 'usertable';
const SCOPE = { appId: 'bench' };
const LOAD_CLIENTS = 64;
/** Of a read-modify-write: the popular records are what many clients want at once. */
const ATTEMPTS_MAX = 1_000;

function sdkStore(datastore: Datastore): RecordStore {
  const put = async (key: string, properties: Readonly<Record<string, string>>): Promise<void> => {
    await datastore.put({ key: datastore.key(TABLE, key), properties, unindexed: Object.keys(properties) });
  };
  return {
    read: async (key) => {
      if (!(await datastore.get(datastore.key(TABLE, key)))) throw new Error(`${key} is lost`);
    },
    update: put,
    insert: put,
    scan: async (key, count) => {
      const { entities } = await datastore.gql(`SELECT * FROM ${TABLE} WHERE __key__ >= @1 LIMIT ${count}`, [datastore.key(TABLE, key)]);
      if (entities.length === 0) throw new Error(`${key} is lost`);
    },
    readModifyWrite: (key, properties) =>
      datastore.transaction(
        async (transaction) => {
          const found = await transaction.get(datastore.key(TABLE, key));
          if (!found) throw new Error(`${key} is lost`);
          transaction.put({ ...found, properties });
        },
        { attempts: ATTEMPTS_MAX },
      ),
  };
}

function rawStore(raw: RawLevel): RecordStore {
  const rowOf = (fields: Readonly<Record<string, string>>): Buffer => Buffer.from(JSON.stringify(fields));
  const put = (key: string, fields: Readonly<Record<string, string>>): Promise<void> =>
    raw.put([{ key: Buffer.from(key), value: rowOf(fields) }]);
  const read = async (key: string): Promise<void> => {
    const row = await raw.level.get(Buffer.from(key));
    if (row === undefined) throw new Error(`${key} is lost`);
    JSON.parse(row.toString());
  };
  return {
    read,
    update: put,
    insert: put,
    scan: (key, count) => raw.scan(Buffer.from(key), Buffer.from('~'), count),
    readModifyWrite: async (key, fields) => {
      await read(key);
      await put(key, fields);
    },
  };
}

async function load(store: RecordStore, records: number): Promise<void> {
  const random = new SeededRandom(1);
  const clients = LOAD_CLIENTS;
  await measure({ clients, callsMax: records, msMax: Infinity }, async (record) => {
    await store.insert(keyOf(record), fieldsOf(random));
    return 'insert';
  });
}

function toRow(workload: Workload, clients: number, ours: Measured, peer: Measured): BenchRow {
  const mix = Object.entries(ours.latency).map(([name, latency]) => `${name} ${latencyText(latency)}`);
  return {
    name: `${workload.name} (${workload.story}), ${clients} ${clients === 1 ? 'client' : 'clients'}: ${mix.join('; ')}`,
    unit: 'operations/s',
    ours: ours.perSecond,
    peer: peer.perSecond,
    peerName: 'raw LevelDB, same mix',
    ratio: ours.perSecond / peer.perSecond,
  };
}

export async function run(options: YcsbOptions = {}): Promise<BenchTable> {
  const { records = 10_000, seconds = 1.2, clients = [1, 16, 64], workloads = WORKLOADS.map(({ name }) => name) } = options;
  const folder = await mkdtemp(join(tmpdir(), 'bench-ycsb-'));
  const closing = new CloseStack();
  closing.defer(() => rm(folder, { recursive: true, force: true }));
  try {
    const server = new DatastoreServer(new LevelStore(join(folder, 'ours')), systemClock, systemTimers, systemRandom, new MemoryLog());
    await server.start();
    closing.defer(() => server.close());
    const socket = join(folder, 'ours.sock');
    const wire = new RpcServer(socket, systemTimers, [datastoreService(server, SCOPE)]);
    await wire.start();
    closing.defer(() => wire.close());
    const rpc = new RpcClient(socket, systemClock, systemTimers);
    closing.defer(() => {
      rpc.close();
    });
    const raw = new RawLevel(join(folder, 'peer'));
    await raw.level.open();
    closing.defer(() => raw.level.close());
    const [ours, peer] = [sdkStore(new Datastore(rpc, systemTimers, systemRandom)), rawStore(raw)];
    await load(ours, records);
    await load(peer, records);
    const rows: BenchRow[] = [];
    const present = { ours: records, peer: records };
    for (const workload of WORKLOADS.filter(({ name }) => workloads.includes(name))) {
      for (const count of clients) {
        const bounds = { clients: count, callsMax: Infinity, msMax: seconds * 1_000 };
        const measured = async (name: 'ours' | 'peer', store: RecordStore): Promise<Measured> => {
          const workloadRun = new WorkloadRun(workload, store, present[name], new SeededRandom(count));
          const result = await measure(bounds, () => workloadRun.next());
          present[name] = workloadRun.records;
          return result;
        };
        const ofPeer = await measured('peer', peer);
        rows.push(toRow(workload, count, await measured('ours', ours), ofPeer));
      }
    }
    return { title: `YCSB, ${records} records of 10 × 100 bytes, zipfian 0.99 (D: latest), client and server in one process`, rows };
  } finally {
    await closing.close();
  }
}

if (process.argv[1] === import.meta.filename) {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { records: text, seconds: text, clients: text, workloads: text } });
  printTable(
    await run({
      ...(values.records === undefined ? {} : { records: Number(values.records) }),
      ...(values.seconds === undefined ? {} : { seconds: Number(values.seconds) }),
      ...(values.clients === undefined ? {} : { clients: values.clients.split(',').map(Number) }),
      ...(values.workloads === undefined ? {} : { workloads: values.workloads.toUpperCase().split(',') }),
    }),
  );
}
