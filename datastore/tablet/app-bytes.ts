// How many bytes each app's rows take, index rows included. Kept as the tablets' statistics are, and as exact.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { FAMILY } from '../codec/row-key.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { prefixRange } from '../storage/key-bytes.ts';
import { type Store } from '../storage/port.ts';

const FORMAT_VERSION = 0x01;
const ROW_BYTES = 9;
const CHUNK_ROWS = 1_000;
/** Families of what commits write; their keys begin with the app that the row belongs to. */
const OF_APPS: ReadonlySet<number> = new Set([FAMILY.composite, FAMILY.entity, FAMILY.kind, FAMILY.property]);

export class AppBytes {
  readonly #byApp = new Map<string, number>();
  /** Apps change seldom from one row to the next: this is the beginning that the rows of the last one share. */
  #lastPrefix: Buffer = Buffer.alloc(0);
  #lastApp = '';

  /** What is on disk. */
  static async read(store: Store): Promise<AppBytes> {
    const read = new AppBytes();
    const scan = store.scan(prefixRange(Buffer.from([FAMILY.appBytes])));
    for (let rows = await scan.next(CHUNK_ROWS); rows.length > 0; rows = await scan.next(CHUNK_ROWS)) {
      for (const { key, value } of rows) {
        read.add(appOf(key).appId, decodeAppBytes(value));
      }
    }
    await scan.close();
    return read;
  }

  get byApp(): ReadonlyMap<string, number> {
    return this.#byApp;
  }

  add(appId: string, bytes: number): void {
    this.#byApp.set(appId, (this.#byApp.get(appId) ?? 0) + bytes);
  }

  addRow(key: Buffer, value: Buffer): void {
    const [family] = key;
    if (family === undefined || !OF_APPS.has(family)) return;
    if (this.#lastPrefix.length === 0 || !key.subarray(0, this.#lastPrefix.length).equals(this.#lastPrefix)) {
      const { appId, prefix } = appOf(key);
      this.#lastApp = appId;
      this.#lastPrefix = prefix;
    }
    this.add(this.#lastApp, key.length + value.length);
  }

  copy(): AppBytes {
    const copy = new AppBytes();
    for (const [appId, bytes] of this.#byApp) copy.add(appId, bytes);
    return copy;
  }

  /** What was written since `before` came on top of the old figures; `counted` are the right ones. */
  correct(before: AppBytes, counted: AppBytes): void {
    for (const appId of new Set([...before.#byApp.keys(), ...counted.#byApp.keys()])) {
      this.add(appId, (counted.#byApp.get(appId) ?? 0) - (before.#byApp.get(appId) ?? 0));
    }
  }

  write(put: (key: Buffer, value: Buffer) => void): void {
    for (const [appId, bytes] of this.#byApp) {
      const value = Buffer.alloc(ROW_BYTES);
      value[0] = FORMAT_VERSION;
      value.writeBigUInt64BE(BigInt(Math.max(0, bytes)), 1);
      put(new OrderedWriter().byte(FAMILY.appBytes).text(appId).take(), value);
    }
  }
}

/** Throws DS_CORRUPT. */
export function decodeAppBytes(value: Buffer): number {
  if (value.length !== ROW_BYTES || value[0] !== FORMAT_VERSION) throw new PlatformError('DS_CORRUPT', 'an app row of an unknown format');
  return Number(value.readBigUInt64BE(1));
}

/** The app of a row, and the bytes up to and with its name. */
function appOf(key: Buffer): { readonly appId: string; readonly prefix: Buffer } {
  const reader = new OrderedReader(key, 1);
  const appId = reader.text();
  return { appId, prefix: key.subarray(0, reader.offset) };
}
