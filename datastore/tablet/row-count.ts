// Counts rows while commits go on, in small pieces that each read the store anew, so that nothing is pinned for long.
//
// Exact all the same. What a piece has read may or may not have had the commits that were under way. So a piece stays open
// until those are counted, and for a key that any of them touched their word is taken instead of what was read. Once a piece
// is closed, later commits below `at` are added to it.
import { type AppBytes, isOfApp } from './app-bytes.ts';
import { type CommitsUnderWay } from './commits-under-way.ts';
import { isCounted } from './counted-rows.ts';
import { keyAfter } from '../storage/key-bytes.ts';
import { type KeyRange, type Store } from '../storage/port.ts';
import { type RowChange } from './tablet-map.ts';

export interface RowCountOptions {
  /** Rows of one piece, at least 2. */
  readonly pieceRows: number;
  /** Are counted with it: of all keys below `at`, those below the range too. */
  readonly apps?: AppBytes;
}

export class RowCount {
  readonly #store: Store;
  readonly #underWay: CommitsUnderWay;
  readonly #range: KeyRange;
  readonly #options: RowCountOptions;
  /** Of the open piece: by key what the newest commit did. */
  #touched: Map<string, RowChange> | undefined;
  #at: Buffer;
  #rows = 0;
  #bytes = 0;

  constructor(store: Store, underWay: CommitsUnderWay, range: KeyRange, options: RowCountOptions) {
    this.#store = store;
    this.#underWay = underWay;
    this.#range = range;
    this.#options = options;
    this.#at = range.from;
  }

  /** What is below it, in the range, is counted. */
  get at(): Buffer {
    return this.#at;
  }

  get isDone(): boolean {
    return Buffer.compare(this.#at, this.#range.to) >= 0;
  }

  get rows(): number {
    return this.#rows;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Must be told of every commit as it is counted. */
  wrote(appId: string, changes: readonly RowChange[]): void {
    for (const change of changes) {
      if (Buffer.compare(change.key, this.#at) < 0) {
        if (isOfApp(change.key)) this.#options.apps?.add(appId, change.bytes);
        if (Buffer.compare(change.key, this.#range.from) >= 0) this.#add(change.rows, change.bytes);
      } else this.#touched?.set(change.key.toString('latin1'), change);
    }
  }

  /** Counts the next piece. */
  async step(): Promise<void> {
    const touched = new Map<string, RowChange>();
    this.#touched = touched;
    try {
      const { pieceRows } = this.#options;
      const scan = this.#store.scan({ from: this.#at, to: this.#range.to }, { limit: pieceRows });
      const rows = await scan.next(pieceRows).finally(() => scan.close());
      await this.#underWay.settled();
      const last = rows.at(-1);
      // The last row begins the next piece, so that a piece ends at a row; one that is alone cannot.
      const to = last === undefined ? this.#range.to : rows.length > 1 ? last.key : keyAfter(last.key);
      for (const { key, value } of rows) {
        if (Buffer.compare(key, to) < 0 && !touched.has(key.toString('latin1'))) this.#addRow(key, value.length);
      }
      for (const { key, valueBytes } of touched.values()) {
        if (valueBytes !== undefined && Buffer.compare(key, to) < 0) this.#addRow(key, valueBytes);
      }
      this.#at = to;
    } finally {
      this.#touched = undefined;
    }
  }

  #addRow(key: Buffer, valueBytes: number): void {
    if (!isCounted(key)) return;
    this.#add(1, key.length + valueBytes);
    this.#options.apps?.addRow(key, valueBytes);
  }

  #add(rows: number, bytes: number): void {
    this.#rows += rows;
    this.#bytes += bytes;
  }
}
