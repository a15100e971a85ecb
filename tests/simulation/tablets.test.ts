// Tablets under writes that overlap, cut and merged at random, and a crash after every commit: the map has no gap, the figures
// are what is there, and no read or write of the load is lost or counted twice by a change of the map.
import { describe, expect, it } from 'vitest';
import { Datastore } from '../../datastore/datastore.ts';
import { FAMILY } from '../../datastore/codec/row-key.ts';
import { key, remove, write } from '../../datastore/fixture.ts';
import { MemoryStore } from '../../datastore/storage/memory-store.ts';
import { type BeginOptions, type Row, type Store, type StoreTransaction } from '../../datastore/storage/port.ts';
import { isCounted } from '../../datastore/tablet/counted-rows.ts';
import { decodeLoad, decodeTablet, readLoadKey } from '../../datastore/tablet/tablet-row.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { SeededRandom, VirtualTime } from '../../sdk/support/virtual-time.ts';

const START_MS = 1_700_000_000_000;
const APPS = ['guestbook', 'shop'];
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type Write = readonly [key: Buffer, value: Buffer | undefined];

/** Remembers every commit in order, and tells of it some turns after it can be seen. */
class LaggingStore extends MemoryStore {
  readonly commits: (readonly Write[])[] = [];
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    super();
    this.#random = random;
  }

  override begin(options?: BeginOptions): StoreTransaction {
    const transaction = super.begin(options);
    const writes: Write[] = [];
    const [put, remove, commit] = [
      transaction.put.bind(transaction),
      transaction.delete.bind(transaction),
      transaction.commit.bind(transaction),
    ];
    transaction.put = (at, value) => {
      writes.push([at, value]);
      put(at, value);
    };
    transaction.delete = (at) => {
      writes.push([at, undefined]);
      remove(at);
    };
    transaction.commit = async () => {
      await commit();
      this.commits.push(writes);
      for (let left = Math.floor(this.#random.fraction() * 8); left > 0; left--) await turn();
    };
    return transaction;
  }
}

async function rowsOf(store: Store): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const scan = store.scan({ from: Buffer.alloc(0), to: Buffer.from([0xff]) });
  for (let chunk = await scan.next(500); chunk.length > 0; chunk = await scan.next(500)) rows.push(...chunk);
  await scan.close();
  return rows;
}

/** What the rows that are there come to, tablet by tablet and app by app. */
function truth(rows: readonly Row[], tablets: readonly { readonly start: Buffer; readonly end?: Buffer }[]): unknown {
  const counted = rows.filter((row) => isCounted(row.key));
  const sizes = (some: readonly Row[]) => some.reduce((sum, row) => sum + row.key.length + row.value.length, 0);
  return {
    tablets: tablets.map(({ start, end }) => {
      const inside = counted.filter((row) => Buffer.compare(row.key, start) >= 0 && (!end || Buffer.compare(row.key, end) < 0));
      return { rows: inside.length, bytes: sizes(inside) };
    }),
    apps: Object.fromEntries(
      APPS.map((app) => [app, sizes(counted.filter((row) => row.key.toString('latin1', 1).startsWith(`${app}\0`)))]),
    ),
  };
}

function figures({ tabletServer }: Datastore): unknown {
  return {
    tablets: tabletServer.list().map(({ rows, bytes }) => ({ rows, bytes })),
    apps: Object.fromEntries(APPS.map((app) => [app, tabletServer.appBytes.get(app) ?? 0])),
  };
}

function open(store: Store, time: VirtualTime, seed: number, log = new MemoryLog()): Datastore {
  return new Datastore(store, time, time, new SeededRandom(seed), log, { tablets: { splitBytes: 20_000 } });
}

/** Reads and writes in all load rows, each of a tablet that is there. */
function loadOnDisk(rows: readonly Row[]): number {
  const ids = new Set(rows.filter(({ key: at }) => at[0] === FAMILY.metadata).map(({ value }) => decodeTablet(value).id));
  let load = 0;
  for (const { key: at, value } of rows) {
    if (at[0] !== FAMILY.load) continue;
    expect(ids).toContain(readLoadKey(at).id);
    load += decodeLoad(value).reduce((sum, count) => sum + count, 0);
  }
  return load;
}

async function run(seed: number): Promise<LaggingStore> {
  const random = new SeededRandom(seed);
  const store = new LaggingStore(random);
  const time = new VirtualTime(START_MS);
  const log = new MemoryLog();
  const datastore = open(store, time, seed, log);
  await datastore.start();
  const pick = (count: number): number => Math.floor(random.fraction() * count);
  let cuts = 0;
  let merges = 0;
  const writer = async (): Promise<void> => {
    for (let round = 0; round < 60; round++) {
      const mutations = [...new Set(Array.from({ length: 1 + pick(4) }, () => pick(60)))].map((name) =>
        pick(4) === 0
          ? remove(key('K', `n${name}`))
          : write('upsert', key('K', `n${name}`), { text: 'x'.repeat(pick(300)), n: BigInt(pick(9)) }),
      );
      await datastore.commit({ appId: APPS[pick(2)] ?? '' }, mutations);
      time.advance(700);
    }
  };
  const surgeon = async (): Promise<void> => {
    for (let round = 0; round < 40; round++) {
      const rows = (await rowsOf(store)).filter((row) => isCounted(row.key));
      const at = rows[pick(rows.length)]?.key;
      if (!at) await turn();
      else if (pick(2) === 0) cuts += (await datastore.tabletServer.cutAt(at)) ? 1 : 0;
      else merges += (await datastore.tabletServer.mergeAt(at)) ? 1 : 0;
    }
  };
  await Promise.all([writer(), writer(), writer(), writer(), surgeon()]);
  expect([cuts > 8, merges > 5], `seed ${seed}: ${cuts} cuts, ${merges} merges`).toEqual([true, true]);
  expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  // Nothing was counted anew: the figures followed every commit through every change of the map.
  expect(figures(datastore), `seed ${seed}`).toEqual(truth(await rowsOf(store), datastore.tabletServer.list()));
  const totals = datastore.tabletServer.list().reduce((sum, { rowsRead, rowsWritten }) => sum + rowsRead + rowsWritten, 0);
  await datastore.close();
  expect(loadOnDisk(await rowsOf(await restored(store.commits)))).toBe(totals);
  return store;
}

/** The store as a crash after these commits leaves it. */
async function restored(commits: readonly (readonly Write[])[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  await store.start();
  for (const writes of commits) {
    const transaction = store.begin();
    for (const [at, value] of writes) {
      if (value) transaction.put(at, value);
      else transaction.delete(at);
    }
    await transaction.commit();
  }
  return store;
}

describe('tablets under load', () => {
  it.each([1, 2, 3])('keep exact figures through cuts and merges, and a consistent map after a crash anywhere (seed %i)', async (seed) => {
    const { commits } = await run(seed);
    const random = new SeededRandom(seed + 100);
    let load = 0;
    for (let count = 1; count <= commits.length; count++) {
      const isMapChange = commits[count - 1]?.some(([at]) => at[0] === FAMILY.metadata) ?? false;
      if (!isMapChange && random.fraction() > 0.05) continue;
      const store = await restored(commits.slice(0, count));
      const rows = await rowsOf(store);
      const onDisk = loadOnDisk(rows);
      expect(onDisk, `seed ${seed}, ${count} commits`).toBeGreaterThanOrEqual(load);
      load = onDisk;
      await store.close();
      const datastore = open(store, new VirtualTime(START_MS + 60_000), seed);
      await datastore.start();
      const starts = datastore.tabletServer.list().map(({ start }) => start.toString('hex'));
      expect([starts[0], new Set(starts).size]).toEqual(['', starts.length]);
      // Writes go on while all is counted anew.
      const counting = datastore.tabletServer.maintain();
      for (let at = 0; at < 5; at++)
        await datastore.commit({ appId: 'shop' }, [write('upsert', key('K', `n${Math.floor(random.fraction() * 60)}`), { n: BigInt(at) })]);
      await counting;
      expect(figures(datastore), `seed ${seed}, ${count} commits`).toEqual(truth(await rowsOf(store), datastore.tabletServer.list()));
      await datastore.close();
    }
    expect(load).toBeGreaterThan(100);
  });
});
