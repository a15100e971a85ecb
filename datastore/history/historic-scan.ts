// Merges the rows of now with the keys of rows that were overwritten or deleted since a moment, in chunks, and lets through
// what was there then.
import { type KeyRange, type Row, type RowScan, type ScanOptions, type StoreReader } from '../storage/port.ts';
import { SupersededScan } from './superseded-scan.ts';

/** A row that is there now, or (without a value) was there. */
export interface RowOfThenOrNow {
  readonly key: Buffer;
  readonly value?: Buffer;
}

export interface HistoricScanOptions {
  readonly readTime: bigint;
  /** Whether `rowsThen` looks at values. */
  readonly readsValues: boolean;
  /** Those of some rows in order that were there, as they were. */
  readonly rowsThen: (rows: readonly RowOfThenOrNow[]) => Promise<readonly Row[]>;
}

/** Rows looked at together: few at first, since a scan often needs only the first, and more while none of them is found. */
const CHUNK_MIN = 16;
const CHUNK_MAX = 512;

export class HistoricScan implements RowScan {
  readonly #options: HistoricScanOptions;
  readonly #isBackward: boolean;
  readonly #now: Peekable<Row>;
  readonly #past: Peekable<Buffer>;
  readonly #closing: readonly { close(): Promise<void> }[];
  /** Found, not yet returned. */
  #ready: readonly Row[] = [];
  #left: number;
  #chunk = CHUNK_MIN;

  constructor(reader: StoreReader, range: KeyRange, { direction = 'forward', limit }: ScanOptions, options: HistoricScanOptions) {
    this.#options = options;
    this.#isBackward = direction === 'backward';
    this.#left = limit ?? Infinity;
    const now = reader.scan(range, { direction, keysOnly: !options.readsValues });
    const past = new SupersededScan(reader, range, options.readTime, direction);
    this.#now = new Peekable(() => now.next(this.#chunk));
    this.#past = new Peekable(() => past.next());
    this.#closing = [now, past];
  }

  async next(rowsMax: number): Promise<readonly Row[]> {
    const want = Math.min(rowsMax, this.#left);
    if (want <= 0) return [];
    this.#chunk = Math.min(Math.max(this.#chunk, want), CHUNK_MAX);
    while (this.#ready.length === 0) {
      const rows = await this.#nextRows(this.#chunk);
      if (rows.length === 0) return [];
      this.#ready = await this.#options.rowsThen(rows);
      this.#chunk = Math.min(this.#chunk * 2, CHUNK_MAX);
    }
    const rows = this.#ready.slice(0, want);
    this.#ready = this.#ready.slice(want);
    this.#left -= rows.length;
    return rows;
  }

  async close(): Promise<void> {
    for (const scan of this.#closing) await scan.close();
  }

  async #nextRows(count: number): Promise<readonly RowOfThenOrNow[]> {
    const rows: RowOfThenOrNow[] = [];
    while (rows.length < count) {
      const now = await this.#now.peek();
      const past = await this.#past.peek();
      if (!now && !past) break;
      const order = now && past ? Buffer.compare(now.key, past) * (this.#isBackward ? -1 : 1) : now ? -1 : 1;
      if (order >= 0) this.#past.take();
      if (order <= 0) this.#now.take();
      if (now && order <= 0) rows.push(now);
      else if (past) rows.push({ key: past });
    }
    return rows;
  }
}

/** The items of a source that yields some at a time, and none at its end. */
class Peekable<T> {
  readonly #read: () => Promise<readonly T[]>;
  #items: readonly T[] = [];
  #at = 0;
  #isDone = false;

  constructor(read: () => Promise<readonly T[]>) {
    this.#read = read;
  }

  async peek(): Promise<T | undefined> {
    if (this.#at >= this.#items.length && !this.#isDone) {
      this.#items = await this.#read();
      this.#at = 0;
      this.#isDone = this.#items.length === 0;
    }
    return this.#items[this.#at];
  }

  take(): void {
    this.#at++;
  }
}
