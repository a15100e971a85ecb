import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryLog } from '../../sdk/support/log.ts';
import { SeededRandom, VirtualTime } from '../../sdk/support/virtual-time.ts';
import { APP, get, key, openDatastore, type OpenDatastore, query, remove, write } from '../fixture.ts';
import { MemoryStore } from '../storage/memory-store.ts';
import { type Store, type StoreTransaction } from '../storage/port.ts';
import { newTablet, type Tablet, TabletMap } from './tablet-map.ts';
import { TabletServer } from './tablet-server.ts';

const tablet = (id: number, start: string): Tablet => newTablet(id, Buffer.from(start), 0);

function tabletServer(store: Store): TabletServer {
  const time = new VirtualTime();
  return new TabletServer(store, time, time, new SeededRandom(1), new MemoryLog());
}

/** Rows and bytes of the whole store, by walking it; or of some families. */
async function count(store: Store, families = 'CEHKP'): Promise<{ readonly rows: number; readonly bytes: number }> {
  const scan = store.scan({ from: Buffer.alloc(0), to: Buffer.from([0xff]) });
  let [rows, bytes] = [0, 0];
  for (let chunk = await scan.next(500); chunk.length > 0; chunk = await scan.next(500)) {
    for (const row of chunk) {
      // Only what commits write is counted as it is written; upkeep rows are few and counted when tablets are.
      if (!families.includes(row.key.toString('latin1', 0, 1))) continue;
      rows++;
      bytes += row.key.length + row.value.length;
    }
  }
  await scan.close();
  return { rows, bytes };
}

const sum = (tablets: readonly { readonly rows: number; readonly bytes: number }[]): { readonly rows: number; readonly bytes: number } => ({
  rows: tablets.reduce((total, one) => total + one.rows, 0),
  bytes: tablets.reduce((total, one) => total + one.bytes, 0),
});

describe('tablet map', () => {
  it('routes every key to the last tablet that starts at or before it', () => {
    const starts = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('a', 'b', 'c') }), { maxLength: 6 });
    fc.assert(
      fc.property(starts, fc.string({ maxLength: 4, unit: fc.constantFrom('a', 'b', 'c', 'd') }), (some, text) => {
        const sorted = ['', ...some.sort()];
        const map = new TabletMap(sorted.map((start, at) => tablet(at, start)));
        expect(map.route(Buffer.from(text)).start.toString()).toBe(sorted.filter((start) => start <= text).at(-1));
      }),
    );
  });

  it('leaves no gap and no overlap after any cuts', () => {
    const map = new TabletMap([tablet(1, '')]);
    for (const [id, at] of [
      [2, 'm'],
      [3, 'f'],
      [4, 'x'],
      [5, 'fa'],
    ] as const)
      map.split(map.route(Buffer.from(at)), tablet(id, at));
    const list = map.list();
    expect(list.map(({ start }) => start.toString())).toEqual(['', 'f', 'fa', 'm', 'x']);
    expect(list.map(({ end }) => end?.toString())).toEqual(['f', 'fa', 'm', 'x', undefined]);
    expect(() => map.split(map.route(Buffer.from('m')), tablet(9, 'm'))).toThrow('not cut at its start');
  });
});

describe('tablets of a datastore', () => {
  it('count the rows and bytes that commits write, change and delete, exactly', async () => {
    const { datastore, store } = await openDatastore();
    for (let at = 0; at < 30; at++)
      await datastore.commit(APP, [write('upsert', key('K', `n${at % 20}`), { a: ['x', `y${at}`], b: BigInt(at) })]);
    await datastore.commit(APP, [remove(key('K', 'n3')), remove(key('K', 'never'))]);
    expect(sum(datastore.tabletServer.list())).toEqual(await count(store));
    await datastore.runQuery(APP, query('K'));
    const [only] = datastore.tabletServer.list();
    expect(only?.rowsRead).toBe(20);
    expect(only?.rowsWritten).toBeGreaterThan(100);
    await datastore.close();
  });

  it('know what each app takes, over a restart and after a crash', async () => {
    const { datastore, store } = await openDatastore();
    const other = { appId: 'other' };
    for (let at = 0; at < 30; at++) await datastore.commit(APP, [write('upsert', key('K', `n${at % 20}`), { a: ['x', `y${at}`] })]);
    for (let at = 0; at < 5; at++) await datastore.commit(other, [write('upsert', key('K', `n${at}`), { text: 'x'.repeat(1_000) })]);
    await datastore.commit(APP, [remove(key('K', 'n3'))]);
    // What an app's rows were before is not what it stores.
    const total = await count(store, 'CEKP');
    const sizes = (of: ReadonlyMap<string, number>): unknown => Object.fromEntries([...of].sort());
    const before = sizes(datastore.storedBytes());
    expect([...datastore.storedBytes().values()].reduce((sum, bytes) => sum + bytes)).toBe(total.bytes);
    expect(datastore.storedBytes().get('other')).toBeGreaterThan(10_000);
    await datastore.close();
    const again = await openDatastore({ store });
    expect(sizes(again.datastore.storedBytes())).toEqual(before);
    await again.datastore.commit(other, [write('upsert', key('K', 'late'), { text: 'x'.repeat(1_000) })]);
    const late = sizes(again.datastore.storedBytes());
    await store.close();
    await store.start();
    const tablets = tabletServer(store);
    await tablets.start();
    expect(sizes(tablets.appBytes)).toEqual(before);
    await tablets.maintain();
    expect(sizes(tablets.appBytes)).toEqual(late);
    await tablets.close();
    await store.close();
  });

  it('are cut when they grow, stay cut over a restart, and keep their totals', async () => {
    const open = await openDatastore({ tablets: { splitBytes: 20_000 } });
    for (let at = 0; at < 400; at++) await open.datastore.commit(APP, [write('upsert', key('K', `n${at}`), { text: 'x'.repeat(100) })]);
    for (let round = 0; round < 8; round++) await open.datastore.tabletServer.maintain();
    const before = open.datastore.tabletServer.list();
    expect(before.length).toBeGreaterThan(4);
    expect(sum(before)).toEqual(await count(open.store));
    expect(Math.max(...before.map(({ bytes }) => bytes))).toBeLessThan(21_000);
    await open.datastore.close();
    const again = await openDatastore({ store: open.store });
    const identity = ({ id, start, rows, bytes }: (typeof before)[number]) => ({ id, start: start.toString('hex'), rows, bytes });
    expect(again.datastore.tabletServer.list().map(identity)).toEqual(before.map(identity));
    await again.datastore.close();
  });

  it('are counted anew after a crash', async () => {
    const { datastore, store } = await openDatastore({ tablets: { splitBytes: 20_000 } });
    for (let at = 0; at < 50; at++) await datastore.commit(APP, [write('upsert', key('K', `n${at}`), { n: BigInt(at) })]);
    // No close: what the statistics on disk say is old.
    await store.close();
    await store.start();
    const tablets = tabletServer(store);
    await tablets.start();
    await tablets.maintain();
    const total = sum(tablets.list());
    const counted = await count(store);
    expect(total).toEqual(counted);
    await tablets.close();
    await store.close();
  });

  it('are the same set before or after a cut that fails, never something in between', async () => {
    const store = new MemoryStore();
    let failing = false;
    const begin = store.begin.bind(store);
    store.begin = (options): StoreTransaction => {
      const transaction = begin(options);
      if (failing) transaction.commit = () => Promise.reject(new Error('power cut'));
      return transaction;
    };
    const { datastore, log } = await openDatastore({ store, tablets: { splitBytes: 10_000 } });
    for (let at = 0; at < 200; at++) await datastore.commit(APP, [write('upsert', key('K', `n${at}`), { text: 'x'.repeat(100) })]);
    failing = true;
    await datastore.tabletServer.maintain();
    failing = false;
    expect(log.lines.some(({ message }) => message === 'Tablets could not be maintained')).toBe(true);
    expect(datastore.tabletServer.list()).toHaveLength(1);
    await datastore.close();
    const again = await openDatastore({ store, tablets: { splitBytes: 10_000_000 } });
    expect(again.datastore.tabletServer.list()).toHaveLength(1);
    await again.datastore.close();
  });
});

describe('the load of tablets', () => {
  const BUSY = { tablets: { rowsPerMinuteMax: 600, splitBytes: 1_000_000 } };

  /** Reads `names` in turn, `perMinute` in a minute, for so many minutes. */
  async function readFor(open: OpenDatastore, minutes: number, perMinute: number, names: readonly string[]): Promise<void> {
    for (let tick = 0; tick < minutes * 12; tick++) {
      for (let at = 0; at < perMinute / 12; at++) await get(open.datastore, key('K', names[at % names.length] ?? ''));
      open.time.advance(5_000);
      await open.datastore.tabletServer.maintain();
    }
  }
  const names = Array.from({ length: 40 }, (_, at) => `n${10 + at}`);
  async function filled(options: Parameters<typeof openDatastore>[0] = BUSY): Promise<OpenDatastore> {
    const open = await openDatastore(options);
    await open.datastore.commit(
      APP,
      names.map((name) => write('upsert', key('K', name), {})),
    );
    return open;
  }

  it('cuts a busy one near the middle of its load, rests, and makes one of what has become cold', async () => {
    const open = await filled();
    const { tabletServer } = open.datastore;
    await readFor(open, 4, 2_400, names);
    expect(tabletServer.list()).toHaveLength(1);
    await readFor(open, 2, 2_400, names);
    expect(tabletServer.list()).toHaveLength(2);
    const [left, right] = tabletServer.list();
    expect(tabletServer.map.tablets.map(({ load }) => load.sample?.keys.length ?? 0).every((count) => count > 0)).toBe(true);
    // Each side has some of the keys that are read, neither nearly all.
    await readFor(open, 1, 2_400, names);
    const [ofLeft = 0, ofRight = 0] = tabletServer.list().map(({ rowsRead }, at) => rowsRead - ([left, right][at]?.rowsRead ?? 0));
    expect(Math.min(ofLeft, ofRight)).toBeGreaterThan((ofLeft + ofRight) / 6);
    expect(ofLeft + ofRight).toBe(2_400);
    expect(sum(tabletServer.list())).toEqual(await count(open.store));
    await readFor(open, 19, 0, names);
    expect(tabletServer.list()).toHaveLength(2);
    await readFor(open, 15, 0, names);
    expect(tabletServer.list()).toHaveLength(1);
    expect(sum(tabletServer.list())).toEqual(await count(open.store));
    expect(tabletServer.list()[0]?.rowsRead).toBe(7 * 2_400);
    await readFor(open, 20, 0, names);
    expect(tabletServer.list()).toHaveLength(1);
    await open.datastore.close();
  });

  it('leaves one whole that is busy because of one key', async () => {
    const open = await filled();
    await readFor(open, 8, 2_400, ['n20']);
    expect(open.datastore.tabletServer.list()).toHaveLength(1);
    expect(open.log.lines.filter(({ message }) => message.includes('one key takes most'))).toHaveLength(1);
    await open.datastore.close();
  });

  it('is there after a restart, and after a crash but for the last half minute', async () => {
    const open = await filled({});
    const server = (one: OpenDatastore): TabletServer => one.datastore.tabletServer;
    const reads = (one: TabletServer): readonly number[] =>
      [...(one.map.tablets[0]?.load.history.series(one.minute, 1).reads ?? [])].filter((count) => count > 0);
    await readFor(open, 3, 120, names);
    await open.datastore.close();
    const before = reads(server(open));
    expect(before.reduce((total, one) => total + one, 0)).toBe(360);
    const again = await openDatastore({ store: open.store, time: open.time });
    expect(reads(server(again))).toEqual(before);
    await readFor(again, 3, 120, names);
    // No close: the process is gone.
    await again.store.close();
    await again.store.start();
    const late = new TabletServer(again.store, again.time, again.time, new SeededRandom(1), new MemoryLog());
    await late.start();
    const lost = 720 - reads(late).reduce((total, one) => total + one, 0);
    expect([lost >= 0, lost <= 60]).toEqual([true, true]);
    expect(late.map.tablets[0]?.load.history.figures(late.minute).readsPeak).toBeGreaterThanOrEqual(110);
    await late.close();
    await again.store.close();
  });

  it('is written where it has changed, and gone from disk when it is older than a day', async () => {
    const open = await filled({});
    const loadRows = async (): Promise<number> => {
      const scan = open.store.scan({ from: Buffer.from('T'), to: Buffer.from('U') });
      const rows = await scan.next(500);
      await scan.close();
      return rows.length;
    };
    await readFor(open, 1, 120, names);
    expect(await loadRows()).toBe(1);
    open.time.advance(26 * 3_600_000);
    await readFor(open, 1, 0, names);
    expect(await loadRows()).toBe(0);
    const begin = open.store.begin.bind(open.store);
    let commits = 0;
    open.store.begin = (options): StoreTransaction => {
      commits++;
      return begin(options);
    };
    await readFor(open, 5, 0, names);
    expect(commits).toBe(0);
    await readFor(open, 1, 120, names);
    expect([commits, await loadRows()]).toEqual([2, 1]);
    await open.datastore.close();
  });
});
