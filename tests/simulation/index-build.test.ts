// Composite indexes are made and deleted while sixteen clients write without a pause, and the datastore is killed in the
// middle. What must hold whatever the seed: every index row has its entity and every entity its rows, nothing that was
// acknowledged is lost, deleted indexes leave nothing behind, and the statistics are those of what is there.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Datastore } from '../../datastore/datastore.ts';
import { FAMILY } from '../../datastore/codec/row-key.ts';
import { key, namesOf, properties, query, where } from '../../datastore/fixture.ts';
import { prefixRange } from '../../datastore/storage/key-bytes.ts';
import { LevelStore } from '../../datastore/storage/level-store.ts';
import { type Store } from '../../datastore/storage/port.ts';
import { type WireMutation } from '../../sdk/contract/datastore-wire.ts';
import { decodeEntity, encodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { type IndexDefinition } from '../../sdk/contract/index-definition.ts';
import { toPlatformError } from '../../sdk/contract/errors.ts';
import { systemClock, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { SeededRandom } from '../../sdk/support/virtual-time.ts';
import { compareRowsOf } from '../crash/index-rows.ts';

const seeds = process.env['SEED'] === undefined ? [1, 2] : [Number(process.env['SEED'])];
const APP = { appId: 'guestbook' };
const CLIENTS = 16;
const KEYS_PER_CLIENT = 60;
const ROUNDS = 3;
const NAMESPACES = ['', 'n1', 'n2'];

const DEFINITIONS: readonly IndexDefinition[] = [
  {
    kind: 'A',
    ancestor: false,
    properties: [
      { name: 'n', direction: 'asc' },
      { name: 't', direction: 'desc' },
    ],
  },
  { kind: 'A', ancestor: true, properties: [{ name: 't', direction: 'asc' }] },
  {
    kind: 'A',
    ancestor: false,
    properties: [
      { name: 't', direction: 'desc' },
      { name: 'u', direction: 'asc' },
    ],
  },
  {
    kind: 'B',
    ancestor: false,
    properties: [
      { name: 'n', direction: 'desc' },
      { name: 'missing', direction: 'asc' },
    ],
  },
  {
    kind: 'B',
    ancestor: true,
    properties: [
      { name: 'n', direction: 'asc' },
      { name: 't', direction: 'asc' },
    ],
  },
];

const directories: string[] = [];
let datastore: Datastore | undefined;
afterEach(async () => {
  await datastore?.close();
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
});

async function open(store: Store, seed: number): Promise<Datastore> {
  datastore = new Datastore(store, systemClock, systemTimers, new SeededRandom(seed), new MemoryLog());
  await datastore.start();
  return datastore;
}

/** What clients know to be there: the `n` of each key and how many tags, or that the outcome of its last write is unknown. */
type Model = Map<string, { readonly at: Key; readonly n: bigint | undefined | 'unknown'; readonly tags: number }>;

class Clients {
  readonly #model: Model;
  readonly #random: SeededRandom;
  writes = 0;

  constructor(model: Model, random: SeededRandom) {
    this.#model = model;
    this.#random = random;
  }

  /** Writes and deletes until `isOver` or the datastore is gone. Each client has keys of its own, in all kinds and namespaces. */
  async run(current: Datastore, isOver: () => boolean): Promise<void> {
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, client) => {
        while (!isOver()) if (!(await this.#write(current, client))) return;
      }),
    );
  }

  async #write(current: Datastore, client: number): Promise<boolean> {
    const pick = (count: number): number => Math.floor(this.#random.fraction() * count);
    const number = pick(KEYS_PER_CLIENT);
    const kind = number % 3 === 0 ? 'B' : 'A';
    const at = { ...key('P', `p${client % 4}`, kind, `${client}-${number}`), namespace: NAMESPACES[number % 3] ?? '' };
    const name = JSON.stringify([at.namespace, at.path]);
    const n = pick(10) < 3 ? undefined : BigInt(pick(1_000));
    const tags = Array.from({ length: pick(4) }, () => `t${pick(5)}`);
    const mutation: WireMutation =
      n === undefined
        ? { op: 'delete', key: encodeKey(at) }
        : { op: 'upsert', entity: encodeEntity({ key: at, properties: properties({ n, t: tags, u: `u${pick(3)}` }) }) };
    try {
      const transaction = pick(10) === 0 ? { transaction: await current.beginTransaction(APP) } : {};
      await current.commit(APP, [mutation], transaction);
      this.writes++;
      this.#model.set(name, { at, n, tags: tags.length });
      return true;
    } catch (error) {
      if (toPlatformError(error).code === 'DS_TX_CONFLICT') return true;
      if (toPlatformError(error).code !== 'DS_CLOSED') throw error;
      this.#model.set(name, { at, n: 'unknown', tags: 0 });
      return false;
    }
  }
}

/** Bytes and rows of what commits and index work write. */
async function sizeOf(store: Store): Promise<{ readonly rows: number; readonly bytes: number }> {
  let [rows, bytes] = [0, 0];
  for (const family of [FAMILY.entity, FAMILY.kind, FAMILY.property, FAMILY.composite]) {
    const scan = store.scan(prefixRange(Buffer.from([family])));
    for (let chunk = await scan.next(1_000); chunk.length > 0; chunk = await scan.next(1_000)) {
      rows += chunk.length;
      for (const row of chunk) bytes += row.key.length + row.value.length;
    }
    await scan.close();
  }
  return { rows, bytes };
}

async function compositeRowsLeft(store: Store): Promise<number> {
  const scan = store.scan(prefixRange(Buffer.from([FAMILY.composite])));
  const rows = await scan.next(1);
  await scan.close();
  return rows.length;
}

async function expectModel(current: Datastore, model: Model): Promise<void> {
  for (const { at, n } of model.values()) {
    if (n === 'unknown') continue;
    const { found } = await current.lookup(APP, [encodeKey(at)]);
    const stored = found[0] && decodeEntity(found[0].entity).properties['n'];
    expect(stored).toEqual(n === undefined ? undefined : { kind: 'integer', value: n });
  }
}

test.each(seeds)('indexes are exact under heavy writes, deletions and kills (SEED=%i)', async (seed) => {
  const directory = await mkdtemp(join(tmpdir(), 'index-build-'));
  directories.push(directory);
  const store = new LevelStore(directory);
  const random = new SeededRandom(seed);
  const model: Model = new Map();
  const clients = new Clients(model, random);
  let current = await open(store, seed);
  const pick = <T>(from: readonly T[]): T | undefined => from[Math.floor(random.fraction() * from.length)];
  for (let round = 0; round < ROUNDS; round++) {
    let isOver = false;
    const writing = clients.run(current, () => isOver);
    const target = clients.writes + 300;
    for (let changes = 0; changes < 4; changes++) {
      const definition = pick(DEFINITIONS);
      const doomed = pick(current.listIndexes(APP));
      if (definition && random.fraction() < 0.7) await current.ensureIndexes(APP, [definition]);
      else if (doomed) await current.deleteIndex(APP, doomed.id);
      await expect.poll(() => clients.writes, { timeout: 20_000, interval: 1 }).toBeGreaterThan(target - 300 + changes * 75);
    }
    const isKilled = round % 2 === 1;
    if (isKilled) {
      await store.close();
      await writing;
      expect((await current.close().catch(() => undefined)) === undefined).toBe(true);
      await store.start();
      expect((await compareRowsOf(store)).differences).toEqual([]);
      await store.close();
      current = await open(store, seed + round);
    } else {
      await current.indexesBuilt();
      isOver = true;
      await writing;
      expect((await compareRowsOf(store)).differences).toEqual([]);
    }
    await current.indexesBuilt();
    await expect.poll(() => current.storedBytes().get(APP.appId), { timeout: 10_000 }).toBe((await sizeOf(store)).bytes);
    expect(current.listIndexes(APP).every((index) => index.state === 'serving')).toBe(true);
    await expectModel(current, model);
  }

  await current.ensureIndexes(APP, DEFINITIONS);
  await current.indexesBuilt();
  const isOfQuery = ({ namespace, path }: Key): boolean => namespace === 'n1' && path[1]?.kind === 'A';
  const known = new Set([...model.values()].filter(({ n }) => n !== 'unknown').map(({ at }) => at.path[1]?.name));
  const ordered = query('A', {
    namespace: 'n1',
    filter: where('n', '>=', 500n),
    orders: [
      { property: 'n', direction: 'asc' },
      { property: 't', direction: 'desc' },
    ],
  });
  const found = namesOf(await current.runQuery(APP, ordered));
  const wanted = [...model.values()].filter(({ at, n, tags }) => isOfQuery(at) && typeof n === 'bigint' && n >= 500n && tags > 0);
  expect(new Set(found.filter((name) => known.has(name)))).toEqual(new Set(wanted.map(({ at }) => at.path[1]?.name)));
  expect(wanted.length).toBeGreaterThan(20);
  for (const index of current.listIndexes(APP)) await current.deleteIndex(APP, index.id);
  await current.indexesBuilt();
  expect(await compositeRowsLeft(store)).toBe(0);
  expect(current.listIndexes(APP)).toEqual([]);
  expect(current.storedBytes().get(APP.appId)).toBe((await sizeOf(store)).bytes);
});
