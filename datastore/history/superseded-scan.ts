// The keys of a range whose rows some commit after a moment has overwritten or deleted, each once and in order. Many versions
// of one row are passed over with a seek, so that a row written often costs no more than a chunk.
import { keyAfter } from '../storage/key-bytes.ts';
import { type KeyRange, type RowScan, type StoreReader } from '../storage/port.ts';
import { endVersionOf, historyAfter, historyKey, historyOf, rowKeyOf } from './history-row.ts';

const CHUNK_ROWS = 64;

export class SupersededScan {
  readonly #reader: StoreReader;
  readonly #range: KeyRange;
  readonly #after: bigint;
  readonly #direction: 'forward' | 'backward';
  /** Of history rows, still to be read. */
  #rest: KeyRange;
  #scan: RowScan | undefined;
  #last: Buffer | undefined;

  /** Rows superseded by versions above `after`. */
  constructor(reader: StoreReader, range: KeyRange, after: bigint, direction: 'forward' | 'backward') {
    this.#reader = reader;
    this.#range = range;
    this.#after = after;
    this.#direction = direction;
    this.#rest = historyOf(range);
  }

  /** Some of the next keys; none at the end. */
  async next(): Promise<readonly Buffer[]> {
    for (;;) {
      this.#scan ??= this.#reader.scan(this.#rest, { direction: this.#direction, keysOnly: true });
      const rows = await this.#scan.next(CHUNK_ROWS);
      const [first] = rows;
      const last = rows.at(-1);
      if (!first || !last) return [];
      const keys = rows.map(({ key }) => key).filter((key) => this.#isNext(key));
      if (rows.length > 1 && rowKeyOf(first.key).equals(rowKeyOf(last.key))) await this.#passOver(last.key);
      if (keys.length > 0) return keys.map(rowKeyOf);
    }
  }

  async close(): Promise<void> {
    const scan = this.#scan;
    this.#scan = undefined;
    await scan?.close();
  }

  #isNext(key: Buffer): boolean {
    const rowKey = rowKeyOf(key);
    if (endVersionOf(key) <= this.#after || this.#last?.equals(rowKey) === true) return false;
    if (Buffer.compare(rowKey, this.#range.from) < 0 || Buffer.compare(rowKey, this.#range.to) >= 0) return false;
    this.#last = rowKey;
    return true;
  }

  /** Goes on where the history of this row can say something new, or else behind it. */
  async #passOver(key: Buffer): Promise<void> {
    await this.close();
    const rowKey = rowKeyOf(key);
    const { from, to } = this.#rest;
    if (this.#direction === 'backward') this.#rest = { from, to: historyKey(rowKey, 0n) };
    else if (endVersionOf(key) <= this.#after) this.#rest = { from: historyAfter(rowKey, this.#after).from, to };
    else this.#rest = { from: keyAfter(historyAfter(rowKey, this.#after).to), to };
  }
}
