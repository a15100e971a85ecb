// How many bytes each app's rows take, index rows included. Kept as the tablets' statistics are, and as exact.
import { decodeCheckedRow, encodeCheckedRow } from '../codec/checked-row.ts';
import { FAMILY } from '../codec/row-key.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { prefixRange } from '../storage/key-bytes.ts';
import { type Store } from '../storage/port.ts';

const BODY_BYTES = 8;
const CHUNK_ROWS = 1_000;
/** Families of what commits write; their keys begin with the app that the row belongs to. */
export const FAMILIES_OF_APPS: readonly number[] = [FAMILY.composite, FAMILY.entity, FAMILY.kind, FAMILY.property];
const OF_APPS: ReadonlySet<number> = new Set(FAMILIES_OF_APPS);

/** Whether a row is the app's own: kept for what it wrote, and not for how it was before. */
export function isOfApp(key: Buffer): boolean {
  const [family] = key;
  return family !== undefined && OF_APPS.has(family);
}

export class AppBytes {
  readonly #byApp = new Map<string, number>();
  /** Not on disk as they are here. */
  readonly #changed = new Set<string>();
  /** Apps change seldom from one row to the next: this is the beginning that the rows of the last one share. */
  #lastPrefix: Buffer = Buffer.alloc(0);
  #lastApp = '';

  /** What is on disk. */
  static async read(store: Store): Promise<AppBytes> {
    const read = new AppBytes();
    const scan = store.scan(prefixRange(Buffer.from([FAMILY.appBytes])));
    for (let rows = await scan.next(CHUNK_ROWS); rows.length > 0; rows = await scan.next(CHUNK_ROWS)) {
      for (const { key, value } of rows) {
        read.#byApp.set(appOf(key).appId, decodeAppBytes(value));
      }
    }
    await scan.close();
    return read;
  }

  get byApp(): ReadonlyMap<string, number> {
    return this.#byApp;
  }

  add(appId: string, bytes: number): void {
    if (bytes === 0) return;
    this.#byApp.set(appId, (this.#byApp.get(appId) ?? 0) + bytes);
    this.#changed.add(appId);
  }

  addRow(key: Buffer, valueBytes: number): void {
    if (!isOfApp(key)) return;
    if (this.#lastPrefix.length === 0 || !key.subarray(0, this.#lastPrefix.length).equals(this.#lastPrefix)) {
      const { appId, prefix } = appOf(key);
      this.#lastApp = appId;
      this.#lastPrefix = prefix;
    }
    this.add(this.#lastApp, key.length + valueBytes);
  }

  /** Rows to write since the last call. */
  takeChanges(): (readonly [key: Buffer, value: Buffer])[] {
    const rows = [...this.#changed].map((appId): readonly [Buffer, Buffer] => {
      const body = Buffer.alloc(BODY_BYTES);
      body.writeBigUInt64BE(BigInt(Math.max(0, this.#byApp.get(appId) ?? 0)));
      return [new OrderedWriter().byte(FAMILY.appBytes).text(appId).take(), encodeCheckedRow(body)];
    });
    this.#changed.clear();
    return rows;
  }

  /** `takeChanges` gives every app again. */
  touchAll(): void {
    for (const appId of this.#byApp.keys()) this.#changed.add(appId);
  }

  /** Becomes what was counted; apps of which nothing is left have no bytes. */
  replaceBy(counted: AppBytes): void {
    for (const appId of this.#byApp.keys()) this.#byApp.set(appId, counted.#byApp.get(appId) ?? 0);
    for (const [appId, bytes] of counted.#byApp) this.#byApp.set(appId, bytes);
    this.touchAll();
  }
}

/** Throws DS_CORRUPT. */
export function decodeAppBytes(value: Buffer): number {
  return Number(decodeCheckedRow(value, 'an app row', { earlierBytes: BODY_BYTES, bodyBytes: BODY_BYTES }).readBigUInt64BE());
}

/** The app of a row, and the bytes up to and with its name. */
function appOf(key: Buffer): { readonly appId: string; readonly prefix: Buffer } {
  const reader = new OrderedReader(key, 1);
  const appId = reader.text();
  return { appId, prefix: key.subarray(0, reader.offset) };
}
