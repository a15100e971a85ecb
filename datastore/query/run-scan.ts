// An ascending property index read in descending order of values but ascending order of keys.
//
// App Engine keeps a second, descending row per value for this. We read each run of equal values upwards instead: no
// second row to write, and the rows read are those returned, save a run's first RUN_ROWS when it is longer than that. Long
// runs are entered from their start with one more seek.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { complement, skipValue } from '../codec/value-code.ts';
import { isOneOfMany } from '../index/index-rows.ts';
import { keyAfter, keyAfterPrefix } from '../storage/key-bytes.ts';
import { type KeyRange, type Row, type RowScan } from '../storage/port.ts';
import { type Hit, type HitBatch, type HitSource, type Reading } from './hit-source.ts';
import { scanRange } from './index-scan.ts';
import { type ScanPlan } from './plan.ts';

/** Rows of one run that are turned around in memory. */
const RUN_ROWS = 64;

interface RunRow {
  readonly suffix: Buffer;
  readonly value: Buffer;
  readonly flag: Buffer;
}

export class RunScan implements HitSource {
  readonly #plan: ScanPlan;
  readonly #reading: Reading;
  /** Rows of the run being collected, in descending order. */
  #run: RunRow[] = [];
  /** Reads runs downwards. */
  #down: RowScan | undefined;
  /** Reads one long run upwards. */
  #up: RowScan | undefined;
  /** Suffixes below this are still to be read downwards; absent at the upper end. */
  #to: Buffer | undefined;
  #reached: Buffer;
  #done = false;

  /** Starts at the first place that is not below `from`. Throws DS_INVALID when that is not a place (a forged cursor). */
  constructor(plan: ScanPlan, reading: Reading, from: Buffer) {
    this.#plan = plan;
    this.#reading = reading;
    this.#reached = from;
    if (from.length === 0) return;
    const { value, rest } = splitPlace(from);
    this.#to = value;
    const after = keyAfterPrefix(value);
    this.#up = this.#open(scanRange(plan, Buffer.concat([value, rest]), after), 'forward');
  }

  async next(want: number): Promise<HitBatch> {
    const hits: Hit[] = [];
    while (hits.length === 0 && !this.#done) {
      const rows = this.#up ? await this.#readUp(want) : await this.#readDown(want);
      for (const { suffix, value, flag } of rows) {
        hits.push({ place: Buffer.concat([complement(value), suffix.subarray(value.length)]), isOneOfMany: isOneOfMany(flag) });
      }
      const last = hits.at(-1);
      if (last) this.#reached = keyAfter(last.place);
      else if (this.#reading.meter.isSpent) break;
    }
    return { hits, reached: this.#reached, done: this.#done };
  }

  async close(): Promise<void> {
    await this.#closeUp();
    await this.#closeDown();
  }

  async #readUp(want: number): Promise<readonly RunRow[]> {
    const rows = (await this.#up?.next(want)) ?? [];
    this.#count(rows);
    if (rows.length === 0) await this.#closeUp();
    return rows.map((row) => this.#runRow(row));
  }

  /** The next whole runs, turned around; none when a long run was met, which is then read upwards. */
  async #readDown(want: number): Promise<readonly RunRow[]> {
    this.#down ??= this.#open(scanRange(this.#plan, undefined, this.#to), 'backward');
    // One row more than wanted, to see that the last run is whole.
    const rows = await this.#down.next(Math.max(2, Math.min(want + 1, RUN_ROWS)));
    this.#count(rows);
    if (rows.length === 0) {
      this.#done = true;
      return this.#takeRun();
    }
    const turned: RunRow[] = [];
    for (const row of rows.map((one) => this.#runRow(one))) {
      const [newest] = this.#run;
      if (newest && !newest.value.equals(row.value)) turned.push(...this.#takeRun());
      this.#run.push(row);
    }
    if (this.#run.length >= RUN_ROWS) await this.#enterRun();
    return turned;
  }

  #takeRun(): readonly RunRow[] {
    const run = this.#run.reverse();
    this.#run = [];
    return run;
  }

  async #enterRun(): Promise<void> {
    const [first] = this.#run;
    if (!first) return;
    this.#run = [];
    await this.#closeDown();
    this.#to = first.value;
    this.#up = this.#open(scanRange(this.#plan, first.value, keyAfterPrefix(first.value)), 'forward');
  }

  #runRow({ key, value: flag }: Row): RunRow {
    const suffix = key.subarray(this.#plan.prefix.length);
    const reader = new OrderedReader(suffix);
    skipValue(reader);
    return { suffix, value: suffix.subarray(0, reader.offset), flag };
  }

  #open(range: KeyRange, direction: 'forward' | 'backward'): RowScan {
    return this.#reading.reader.scan(range, { direction });
  }

  #count(rows: readonly Row[]): void {
    const [first] = rows;
    if (!first) return;
    this.#reading.meter.indexRows += rows.length;
    this.#reading.onRead(first.key, rows.length);
  }

  async #closeUp(): Promise<void> {
    const scan = this.#up;
    this.#up = undefined;
    await scan?.close();
  }

  async #closeDown(): Promise<void> {
    const scan = this.#down;
    this.#down = undefined;
    await scan?.close();
  }
}

/** A place `~value path` as the value and what follows it. */
function splitPlace(place: Buffer): { readonly value: Buffer; readonly rest: Buffer } {
  try {
    const reader = new OrderedReader(place, 0, { complemented: true });
    skipValue(reader);
    return { value: complement(place.subarray(0, reader.offset)), rest: place.subarray(reader.offset) };
  } catch (cause) {
    throw new PlatformError('DS_INVALID', 'the cursor cannot be read', { cause });
  }
}
