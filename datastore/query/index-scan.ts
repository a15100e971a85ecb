// One scan of index rows, upwards or downwards, as hits.
import { isOneOfMany } from '../index/index-rows.ts';
import { complement } from '../codec/value-code.ts';
import { keyAfter, keyAfterPrefix } from '../storage/key-bytes.ts';
import { type KeyRange, type RowScan } from '../storage/port.ts';
import { type Hit, type HitBatch, type HitSource, NOWHERE, type Reading } from './hit-source.ts';
import { type ScanPlan } from './plan.ts';

const SUFFIX_END = Buffer.from([0xff]);

/** The rows of a plan's scan whose suffixes lie in its range and, in row order, in [from, to). */
export function scanRange({ prefix, range }: ScanPlan, from: Buffer = NOWHERE, to?: Buffer): KeyRange {
  const low = Buffer.compare(range.from, from) > 0 ? range.from : from;
  const high = to && range.to ? (Buffer.compare(to, range.to) < 0 ? to : range.to) : (to ?? range.to);
  return {
    from: Buffer.concat([prefix, low]),
    to: high ? Buffer.concat([prefix, high]) : (keyAfterPrefix(prefix) ?? SUFFIX_END),
  };
}

export class IndexScan implements HitSource {
  readonly #plan: ScanPlan;
  readonly #reading: Reading;
  #from: Buffer;
  #reached: Buffer;
  #scan: RowScan | undefined;
  #done = false;

  /** Starts at the first place that is not below `from`. */
  constructor(plan: ScanPlan, reading: Reading, from: Buffer) {
    this.#plan = plan;
    this.#reading = reading;
    this.#from = from;
    this.#reached = from;
  }

  async next(want: number): Promise<HitBatch> {
    if (this.#done) return { hits: [], reached: this.#reached, done: true };
    this.#scan ??= this.#open();
    const rows = await this.#scan.next(want);
    const [first] = rows;
    this.#done = !first;
    this.#reading.meter.indexRows += rows.length;
    if (first) this.#reading.onRead(first.key, rows.length);
    const { prefix, kind } = this.#plan;
    let hits: Hit[] = rows.map(({ key, value }) => {
      const suffix = key.subarray(prefix.length);
      return { place: kind === 'backward' ? complement(suffix) : suffix, isOneOfMany: isOneOfMany(value) };
    });
    // The upper end of a downward scan is found by complementing `from`, which lets a row just below it through.
    if (kind === 'backward' && this.#from.length > 0) hits = hits.filter(({ place }) => Buffer.compare(place, this.#from) >= 0);
    const last = hits.at(-1);
    if (last) this.#reached = keyAfter(last.place);
    return { hits, reached: this.#reached, done: this.#done };
  }

  /** Goes on at the first place that is not below `from`. */
  async seek(from: Buffer): Promise<void> {
    await this.close();
    this.#from = from;
    this.#reached = from;
    this.#done = false;
  }

  async close(): Promise<void> {
    const scan = this.#scan;
    this.#scan = undefined;
    await scan?.close();
  }

  #open(): RowScan {
    const { kind, hasFlags } = this.#plan;
    const isBackward = kind === 'backward';
    const range = isBackward
      ? scanRange(this.#plan, NOWHERE, this.#from.length > 0 ? keyAfterPrefix(complement(this.#from)) : undefined)
      : scanRange(this.#plan, this.#from);
    return this.#reading.reader.scan(range, { direction: isBackward ? 'backward' : 'forward', keysOnly: !hasFlags });
  }
}
