// Keeps the tablet map on disk and cuts tablets that have grown.
//
//   METADATA row := M start  →  01 id:u32 rows:u64 bytes:u64
//   app row      := A app    →  01 bytes:u64                    what an app's rows take, for metering
//   clean row    := S 03     →  01                              there exactly while the store is closed in good order
//
// A cut is one transaction on METADATA rows, so after a crash it has happened or it has not. Statistics are written every
// half minute and on close; after a crash they are counted anew in the background, in bounded steps. A count under writes may
// be off by the commits in flight when it began.
import { type Cancel, type Timers } from '../../sdk/support/clock.ts';
import { PlatformError, toPlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Log } from '../../sdk/support/log.ts';
import { FAMILY } from '../codec/row-key.ts';
import { prefixRange } from '../storage/key-bytes.ts';
import { type KeyRange, type Store } from '../storage/port.ts';
import { AppBytes } from './app-bytes.ts';
import { type RowChange, type Tablet, TabletMap, type TabletView } from './tablet-map.ts';

export interface TabletServerOptions {
  /** A tablet with more bytes is cut in two. */
  readonly splitBytes?: number;
}

const FORMAT_VERSION = 0x01;
const ROW_BYTES = 21;
const METADATA = Buffer.from([FAMILY.metadata]);
const CLEAN_KEY = Buffer.from([FAMILY.sequence, 0x03]);
const CLEAN = Buffer.from([FORMAT_VERSION]);
/** Above every key: no family is FF. */
const KEYS_END = Buffer.from([0xff]);
const MAINTAIN_EVERY_MS = 5_000;
const FLUSH_EVERY_ROUNDS = 6;
const CHUNK_ROWS = 1_000;

export class TabletServer {
  readonly #store: Store;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #splitBytes: number;
  #map = new TabletMap([emptyTablet(1, Buffer.alloc(0))]);
  #appBytes = new AppBytes();
  #cancel: Cancel = () => undefined;
  #round = 0;
  #maintaining: Promise<void> | undefined;
  #mustCount = false;
  #stopping = false;

  constructor(store: Store, timers: Timers, log: Log, options: TabletServerOptions = {}) {
    this.#store = store;
    this.#timers = timers;
    this.#log = log;
    this.#splitBytes = options.splitBytes ?? LIMITS.tabletBytesMax;
  }

  get map(): TabletMap {
    return this.#map;
  }

  get appBytes(): ReadonlyMap<string, number> {
    return this.#appBytes.byApp;
  }

  wrote(appId: string, changes: readonly RowChange[]): void {
    this.#map.wrote(changes);
    this.#appBytes.add(
      appId,
      changes.reduce((sum, { bytes }) => sum + bytes, 0),
    );
  }

  list(): readonly TabletView[] {
    return this.#map.list();
  }

  async start(): Promise<void> {
    this.#stopping = false;
    const tablets: Tablet[] = [];
    const scan = this.#store.scan(prefixRange(METADATA));
    for (let rows = await scan.next(CHUNK_ROWS); rows.length > 0; rows = await scan.next(CHUNK_ROWS)) {
      for (const { key, value } of rows) tablets.push(decodeTablet(key, value));
    }
    await scan.close();
    this.#map = new TabletMap(tablets.length > 0 ? tablets : [emptyTablet(1, Buffer.alloc(0))]);
    this.#appBytes = await AppBytes.read(this.#store);
    const wasCounted = tablets.every(({ rows }) => rows === 0) || this.#appBytes.byApp.size > 0;
    this.#mustCount = tablets.length > 0 && (!wasCounted || (await this.#store.get(CLEAN_KEY)) === undefined);
    // From here on the statistics on disk are old, and a crash must find that out.
    const transaction = this.#store.begin();
    transaction.delete(CLEAN_KEY);
    this.#putStatistics(transaction.put.bind(transaction));
    await transaction.commit();
    this.#cancel = this.#timers.every(MAINTAIN_EVERY_MS, () => {
      void this.maintain();
    });
    if (this.#mustCount) void this.maintain();
  }

  async close(): Promise<void> {
    this.#stopping = true;
    this.#cancel();
    await this.#maintaining;
    const transaction = this.#store.begin();
    this.#putStatistics(transaction.put.bind(transaction));
    if (!this.#mustCount) transaction.put(CLEAN_KEY, CLEAN);
    await transaction.commit();
  }

  /** One round of upkeep; one at a time. Never throws. */
  maintain(): Promise<void> {
    this.#maintaining ??= this.#maintain()
      .catch((error: unknown) => {
        if (toPlatformError(error).code === 'DS_CLOSED') return;
        this.#log.error('Tablets could not be maintained', { error: String(error) });
      })
      .finally(() => {
        this.#maintaining = undefined;
      });
    return this.#maintaining;
  }

  async #maintain(): Promise<void> {
    if (this.#mustCount) await this.#countAll();
    for (const tablet of this.#map.tablets) {
      if (this.#stopping) return;
      if (tablet.bytes > this.#splitBytes && this.#map.tablets.length < LIMITS.tabletsMax) await this.#split(tablet);
    }
    if (++this.#round % FLUSH_EVERY_ROUNDS !== 0) return;
    const transaction = this.#store.begin();
    this.#putStatistics(transaction.put.bind(transaction));
    await transaction.commit();
  }

  async #countAll(): Promise<void> {
    const appsBefore = this.#appBytes.copy();
    const appsCounted = new AppBytes();
    for (const tablet of this.#map.tablets) {
      const [rowsBefore, bytesBefore] = [tablet.rows, tablet.bytes];
      const counted = await this.#walk(tablet, Infinity, appsCounted);
      if (this.#stopping) return;
      // What was written since the count began came on top of the old figures.
      tablet.rows += counted.rows - rowsBefore;
      tablet.bytes += counted.bytes - bytesBefore;
    }
    this.#appBytes.correct(appsBefore, appsCounted);
    this.#mustCount = false;
  }

  async #split(tablet: Tablet): Promise<void> {
    const left = await this.#walk(tablet, tablet.bytes / 2);
    if (this.#stopping || !left.next || Buffer.compare(left.next, tablet.start) <= 0) return;
    const id = 1 + Math.max(...this.#map.tablets.map((one) => one.id));
    const right: Tablet = {
      ...emptyTablet(id, left.next),
      rows: Math.max(0, tablet.rows - left.rows),
      bytes: Math.max(0, tablet.bytes - left.bytes),
    };
    const transaction = this.#store.begin();
    transaction.put(metadataKey(tablet.start), encodeTablet({ ...tablet, rows: left.rows, bytes: left.bytes }));
    transaction.put(metadataKey(right.start), encodeTablet(right));
    await transaction.commit();
    // Commits that arrived meanwhile were counted on the left; the total stays right.
    tablet.rows -= right.rows;
    tablet.bytes -= right.bytes;
    this.#map.split(tablet, right);
    this.#log.info('A tablet was cut in two', { tablet: tablet.id, right: right.id, bytes: tablet.bytes });
  }

  /** Counts a tablet's rows until `bytesMax`; `next` is the key at which it stopped, if there is one. */
  async #walk(
    tablet: Tablet,
    bytesMax: number,
    apps?: AppBytes,
  ): Promise<{ readonly rows: number; readonly bytes: number; readonly next?: Buffer }> {
    const range: KeyRange = { from: tablet.start, to: this.#map.endOf(tablet) ?? KEYS_END };
    const snapshot = this.#store.snapshot();
    try {
      const scan = snapshot.scan(range);
      let rows = 0;
      let bytes = 0;
      for (let chunk = await scan.next(CHUNK_ROWS); chunk.length > 0 && !this.#stopping; chunk = await scan.next(CHUNK_ROWS)) {
        for (const { key, value } of chunk) {
          if (bytes >= bytesMax) {
            await scan.close();
            return { rows, bytes, next: key };
          }
          rows++;
          bytes += key.length + value.length;
          apps?.addRow(key, value);
        }
      }
      await scan.close();
      return { rows, bytes };
    } finally {
      await snapshot.close();
    }
  }

  #putStatistics(put: (key: Buffer, value: Buffer) => void): void {
    for (const tablet of this.#map.tablets) put(metadataKey(tablet.start), encodeTablet(tablet));
    this.#appBytes.write(put);
  }
}

function emptyTablet(id: number, start: Buffer): Tablet {
  return { id, start, rows: 0, bytes: 0, rowsRead: 0, rowsWritten: 0 };
}

function metadataKey(start: Buffer): Buffer {
  return Buffer.concat([METADATA, start]);
}

function encodeTablet({ id, rows, bytes }: Pick<Tablet, 'id' | 'rows' | 'bytes'>): Buffer {
  const encoded = Buffer.alloc(ROW_BYTES);
  encoded[0] = FORMAT_VERSION;
  encoded.writeUInt32BE(id, 1);
  encoded.writeBigUInt64BE(BigInt(Math.max(0, rows)), 5);
  encoded.writeBigUInt64BE(BigInt(Math.max(0, bytes)), 13);
  return encoded;
}

/** Throws DS_CORRUPT. */
export function decodeTablet(key: Buffer, value: Buffer): Tablet {
  if (value.length !== ROW_BYTES || value[0] !== FORMAT_VERSION)
    throw new PlatformError('DS_CORRUPT', 'a METADATA row of an unknown format');
  return {
    ...emptyTablet(value.readUInt32BE(1), key.subarray(1)),
    rows: Number(value.readBigUInt64BE(5)),
    bytes: Number(value.readBigUInt64BE(13)),
  };
}
