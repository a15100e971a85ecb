// What clients notice of cuts and merges: the same writers and readers on one store, in turns while the map rests and while
// tablets are cut and merged without a pause. Every read is compared with what was written last.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { entityRowKey, partitionOf, pathBytes } from '../../datastore/codec/row-key.ts';
import { Datastore } from '../../datastore/datastore.ts';
import { LevelStore } from '../../datastore/storage/level-store.ts';
import { decodeEntity, encodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { type BenchRow, type BenchTable } from './table.ts';

export interface TabletsOptions {
  readonly rounds?: number;
  /** Writes of each writer in a round; readers read until those are done. */
  readonly writes?: number;
}

const ROUNDS = 12;
const WRITES = 400;
const WRITERS = 8;
const READERS = 8;
/** Of each writer. */
const ENTITIES = 250;
const SCOPE = { appId: 'bench' };
const FILL = 'x'.repeat(500);

/** Milliseconds of each call. */
interface Latencies {
  readonly reads: number[];
  readonly writes: number[];
}

class World {
  readonly datastore: Datastore;
  cuts = 0;
  merges = 0;
  /** By writer and entity: the number it was given in the last acknowledged write, and in one under way. */
  readonly #written = Array.from({ length: WRITERS }, () => new Int32Array(ENTITIES));
  readonly #sent = Array.from({ length: WRITERS }, () => new Int32Array(ENTITIES));

  constructor(datastore: Datastore) {
    this.datastore = datastore;
  }

  async write(writer: number, entity: number): Promise<void> {
    const number = ++this.#sent[writer]![entity]!;
    const properties = {
      number: { kind: 'integer' as const, value: BigInt(number) },
      fill: { kind: 'string' as const, value: FILL, excludeFromIndexes: true },
    };
    await this.datastore.commit(SCOPE, [{ op: 'upsert', entity: encodeEntity({ key: keyOf(writer, entity), properties }) }]);
    this.#written[writer]![entity] = number;
  }

  /** Throws when the answer is older than what was acknowledged before, or newer than what was ever sent. */
  async read(writer: number, entity: number): Promise<void> {
    const least = this.#written[writer]![entity]!;
    const { found } = await this.datastore.lookup(SCOPE, [encodeKey(keyOf(writer, entity))]);
    const value = found[0] ? decodeEntity(found[0].entity).properties['number'] : undefined;
    const number = value?.kind === 'integer' ? Number(value.value) : 0;
    if (number < least || number > this.#sent[writer]![entity]!) throw new Error(`read ${number}, written was ${least}`);
  }

  /** Cuts and merges until `isOver`. */
  async change(isOver: () => boolean): Promise<void> {
    const { tabletServer } = this.datastore;
    while (!isOver()) {
      const { path } = keyOf(pick(WRITERS), pick(ENTITIES));
      const at = entityRowKey(partitionOf(SCOPE.appId, '', ''), pathBytes(path));
      // About as many of each: the fewer tablets there are, the likelier a cut.
      const isCut = systemRandom.fraction() * 40 > tabletServer.list().length;
      if (isCut) this.cuts += (await tabletServer.cutAt(at)) ? 1 : 0;
      else this.merges += (await tabletServer.mergeAt(at)) ? 1 : 0;
    }
  }

  /** Whether the figures of all tablets and of the app say the same, after everything. */
  check(): void {
    const bytes = this.datastore.tabletServer.list().reduce((sum, tablet) => sum + tablet.bytes, 0);
    const ofApp = this.datastore.storedBytes().get(SCOPE.appId) ?? 0;
    // Rows of history are the tablets' and not the app's.
    if (bytes < ofApp) throw new Error(`the tablets hold ${bytes} bytes, the app ${ofApp}`);
  }
}

export async function run(options: TabletsOptions = {}): Promise<BenchTable> {
  const { rounds = ROUNDS, writes = WRITES } = options;
  const folder = await mkdtemp(join(tmpdir(), 'bench-tablets-'));
  const log = new MemoryLog();
  const datastore = new Datastore(new LevelStore(folder), systemClock, systemTimers, systemRandom, log);
  await datastore.start();
  try {
    const world = new World(datastore);
    for (let entity = 0; entity < ENTITIES; entity++) {
      await Promise.all(Array.from({ length: WRITERS }, (_, writer) => world.write(writer, entity)));
    }
    const [resting, changing]: readonly Latencies[] = [newLatencies(), newLatencies()];
    for (let round = 0; round <= rounds; round++) {
      // The first round warms up.
      await load(world, writes, round === 0 ? newLatencies() : resting!, false);
      await load(world, writes, round === 0 ? newLatencies() : changing!, true);
    }
    world.check();
    const failed = log.lines.find(({ level }) => level === 'error');
    if (failed) throw new Error(failed.message);
    return {
      title: `tablets: ${WRITERS} writers and ${READERS} readers through ${world.cuts} cuts and ${world.merges} merges, against a map at rest`,
      rows: [...rowsOf('write', changing!.writes, resting!.writes), ...rowsOf('read', changing!.reads, resting!.reads)],
    };
  } finally {
    await datastore.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function load(world: World, writes: number, latencies: Latencies, changes: boolean): Promise<void> {
  let writing = WRITERS;
  const isOver = (): boolean => writing === 0;
  const writer = async (number: number): Promise<void> => {
    for (let at = 0; at < writes; at++) await timed(latencies.writes, () => world.write(number, pick(ENTITIES)));
    writing--;
  };
  const reader = async (): Promise<void> => {
    while (!isOver()) {
      await timed(latencies.reads, () => world.read(pick(WRITERS), pick(ENTITIES)));
      // A read from memory takes no turn: without this one no write would ever go on.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all([
    ...Array.from({ length: WRITERS }, (_, number) => writer(number)),
    ...Array.from({ length: READERS }, reader),
    ...(changes ? [world.change(isOver)] : []),
  ]);
}

async function timed(latencies: number[], call: () => Promise<void>): Promise<void> {
  const startMs = systemClock.monotonicMs();
  await call();
  latencies.push(systemClock.monotonicMs() - startMs);
}

function rowsOf(name: string, ours: readonly number[], peer: readonly number[]): readonly BenchRow[] {
  const [changing, resting] = [sorted(ours), sorted(peer)];
  return [50, 90, 99, 99.9, 100].map((percent) => {
    const [one, other] = [percentile(changing, percent), percentile(resting, percent)];
    return {
      name: `${name} p${percent}`,
      unit: 'ms',
      ours: one,
      peer: other,
      peerName: 'the same without cuts and merges',
      ratio: one / other,
    };
  });
}

function sorted(values: readonly number[]): readonly number[] {
  return [...values].sort((one, other) => one - other);
}

function percentile(ascending: readonly number[], percent: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor((ascending.length * percent) / 100))] ?? 0;
}

function newLatencies(): Latencies {
  return { reads: [], writes: [] };
}

function keyOf(writer: number, entity: number): Key {
  return { projectId: '', databaseId: '', namespace: '', path: [{ kind: 'Item', name: `${writer}-${entity}` }] };
}

function pick(count: number): number {
  return Math.floor(systemRandom.fraction() * count);
}
