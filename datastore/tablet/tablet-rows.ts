// What of the tablets is on disk, and every change of it. A change of the map is one transaction; statistics are written
// where they have changed, in transactions of a bounded number of rows.
// One call at a time: a statistic written beside a change of the map could bring back a tablet that is gone.
import { encodeCheckedRow } from '../codec/checked-row.ts';
import { FAMILY } from '../codec/row-key.ts';
import { prefixRange } from '../storage/key-bytes.ts';
import { type Row, type Store } from '../storage/port.ts';
import { AppBytes } from './app-bytes.ts';
import { type LoadHistory } from './load-history.ts';
import { newTablet, type Tablet } from './tablet-map.ts';
import { decodeLoad, decodeTablet, encodeLoad, encodeTablet, loadKey, metadataKey, readLoadKey } from './tablet-row.ts';

const CLEAN_KEY = Buffer.from([FAMILY.sequence, 0x03]);
const CLEAN = encodeCheckedRow(Buffer.alloc(0));
/** Closed in good order, but statistics then counted some rows of upkeep. */
const EARLIER_CLEAN = Buffer.from([0x01]);
const CHUNK_ROWS = 1_000;
/** Rows of one transaction of statistics: 250 kB at most, a small part of a batch. */
const WRITE_ROWS = 500;

/** A row to write; without a value, to delete. */
type Write = readonly [key: Buffer, value?: Buffer];

export interface ReadTablets {
  /** Ascending by start; none before the first start. */
  readonly tablets: readonly Tablet[];
  readonly appBytes: AppBytes;
  /** Whether the store was closed in good order, and by rules of counting that are today's: then the statistics are exact. */
  readonly isClean: boolean;
}

export class TabletRows {
  readonly #store: Store;
  /** What METADATA rows say, by tablet. */
  readonly #written = new Map<number, string>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Reads all, and forgets what is no longer wanted of their load. Throws DS_CORRUPT. `atMs` is of the monotonic clock. */
  async read(minute: number, atMs: number): Promise<ReadTablets> {
    this.#written.clear();
    const tablets: Tablet[] = [];
    await this.#each(FAMILY.metadata, ({ key, value }) => {
      const { id, rows, bytes } = decodeTablet(value);
      tablets.push({ ...newTablet(id, key.subarray(1), atMs), rows, bytes });
    });
    const byId = new Map(tablets.map((tablet) => [tablet.id, tablet]));
    const orphans: Write[] = [];
    await this.#each(FAMILY.load, ({ key, value }) => {
      const { id, hour } = readLoadKey(key);
      const history = byId.get(id)?.load.history;
      if (history) history.restore(hour, decodeLoad(value));
      else orphans.push([key]);
    });
    await this.#write(orphans);
    for (const { load } of tablets) load.history.keepUntil(minute);
    return {
      tablets,
      appBytes: await AppBytes.read(this.#store),
      isClean: CLEAN.equals((await this.#store.get(CLEAN_KEY)) ?? EARLIER_CLEAN),
    };
  }

  /** From here on the statistics on disk are old, and a crash must find that out. `created` is a first tablet. */
  async markOpen(created?: Tablet): Promise<void> {
    await this.#commit([[CLEAN_KEY], ...(created ? [[metadataKey(created.start), encodeTablet(created)] as const] : [])]);
  }

  async markClosed(): Promise<void> {
    await this.#commit([[CLEAN_KEY, CLEAN]]);
  }

  /** Writes the statistics that have changed. Those that a failed write would have written come with the next one. */
  async writeStatistics(tablets: readonly Tablet[], appBytes: AppBytes): Promise<void> {
    const writes: Write[] = appBytes.takeChanges();
    const taken: (readonly [LoadHistory, ReturnType<LoadHistory['takeChanges']>])[] = [];
    try {
      for (const tablet of tablets) {
        const text = statisticsText(tablet);
        if (this.#written.get(tablet.id) !== text) writes.push([metadataKey(tablet.start), encodeTablet(tablet)]);
        this.#written.set(tablet.id, text);
        const changes = tablet.load.history.takeChanges();
        taken.push([tablet.load.history, changes]);
        for (const [hour, counts] of changes.changed) writes.push([loadKey(tablet.id, hour), encodeLoad(counts)]);
        for (const hour of changes.gone) writes.push([loadKey(tablet.id, hour)]);
        if (writes.length >= WRITE_ROWS) await this.#write(writes.splice(0));
      }
      await this.#write(writes);
    } catch (error) {
      this.#written.clear();
      for (const [history, changes] of taken) history.giveBack(changes);
      appBytes.touchAll();
      throw error;
    }
  }

  /** Adds a METADATA row for `right`, which takes its figures and its load from `tablet`; `leftHistory` is what stays. */
  async split(tablet: Tablet, right: Tablet, leftHistory: LoadHistory): Promise<void> {
    const left = { ...tablet, rows: tablet.rows - right.rows, bytes: tablet.bytes - right.bytes };
    await this.#commit([
      [metadataKey(tablet.start), encodeTablet(left)],
      [metadataKey(right.start), encodeTablet(right)],
      ...historyWrites(tablet.id, leftHistory),
      ...historyWrites(right.id, right.load.history),
    ]);
    this.#written.delete(tablet.id);
  }

  /** Removes the METADATA row of `right`, whose range its neighbour `tablet` thereby takes, and adds its load to that one's. */
  async merge(tablet: Tablet, right: Tablet): Promise<void> {
    const merged = { ...tablet, rows: tablet.rows + right.rows, bytes: tablet.bytes + right.bytes };
    const history = tablet.load.history.copy();
    history.absorb(right.load.history);
    await this.#commit([
      [metadataKey(tablet.start), encodeTablet(merged)],
      [metadataKey(right.start)],
      ...historyWrites(tablet.id, history),
      ...[...right.load.history.hours().keys(), ...right.load.history.gone].map((hour): Write => [loadKey(right.id, hour)]),
    ]);
    this.#written.delete(tablet.id);
    this.#written.delete(right.id);
  }

  async #each(family: number, take: (row: Row) => void): Promise<void> {
    const scan = this.#store.scan(prefixRange(Buffer.from([family])));
    try {
      for (let rows = await scan.next(CHUNK_ROWS); rows.length > 0; rows = await scan.next(CHUNK_ROWS)) rows.forEach(take);
    } finally {
      await scan.close();
    }
  }

  async #write(writes: readonly Write[]): Promise<void> {
    for (let at = 0; at < writes.length; at += WRITE_ROWS) await this.#commit(writes.slice(at, at + WRITE_ROWS));
  }

  async #commit(writes: readonly Write[]): Promise<void> {
    const transaction = this.#store.begin();
    for (const [key, value] of writes) {
      if (value) transaction.put(key, value);
      else transaction.delete(key);
    }
    await transaction.commit();
  }
}

function historyWrites(id: number, history: LoadHistory): readonly Write[] {
  return [...history.hours()].map(([hour, { counts }]): Write => [loadKey(id, hour), encodeLoad(counts)]);
}

function statisticsText({ rows, bytes }: Tablet): string {
  return `${rows} ${bytes}`;
}
