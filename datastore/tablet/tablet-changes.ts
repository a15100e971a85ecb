// Changes of the tablet map: a cut by size or load, a merge. Each is one transaction on METADATA and load rows, so after a
// crash it has happened or it has not; what it means for the map in memory follows in the turn in which it is durable.
// One call at a time.
import { type Clock } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type KeyRange, type Store } from '../storage/port.ts';
import { type CommitsUnderWay } from './commits-under-way.ts';
import { RowCount } from './row-count.ts';
import { shareAbove } from './tablet-decision.ts';
import { newTablet, type RowChange, type Tablet, type TabletMap } from './tablet-map.ts';
import { type TabletRows } from './tablet-rows.ts';
import { type AppBytes } from './app-bytes.ts';

/** Above every key: no family is FF. */
const KEYS_END = Buffer.from([0xff]);
/** A piece of a count is read in one go, in about 2 ms. */
const PIECE_ROWS_MAX = 500;
/** So many pieces at least, so that a cut by size comes near the middle. */
const PIECES_MIN = 64;

export class TabletChanges {
  readonly #store: Store;
  readonly #rows: TabletRows;
  readonly #underWay: CommitsUnderWay;
  readonly #clock: Clock;
  readonly #log: Log;
  #count: RowCount | undefined;
  #isStopping = false;

  constructor(store: Store, rows: TabletRows, underWay: CommitsUnderWay, clock: Clock, log: Log) {
    this.#store = store;
    this.#rows = rows;
    this.#underWay = underWay;
    this.#clock = clock;
    this.#log = log;
  }

  /** Must be told of every commit as it is counted. */
  wrote(appId: string, changes: readonly RowChange[]): void {
    this.#count?.wrote(appId, changes);
  }

  start(): void {
    this.#isStopping = false;
  }

  /** What is under way ends soon without effect. */
  stop(): void {
    this.#isStopping = true;
  }

  /**
   * Counts a tablet's rows; false when stopped before it was done. Recounting all in order also counts what `apps` take:
   * commits are counted in until `endRecount`, which must come in one turn with taking `apps` over.
   */
  async recount(map: TabletMap, tablet: Tablet, apps: AppBytes): Promise<boolean> {
    const count = this.#countOf(map, tablet, { apps });
    while (!count.isDone) if (!(await this.#step(count))) return false;
    tablet.rows = count.rows;
    tablet.bytes = count.bytes;
    return true;
  }

  endRecount(): void {
    this.#count = undefined;
  }

  /** Cuts where half of the bytes lie below; false when there is no such place. */
  async cutBySize(map: TabletMap, tablet: Tablet): Promise<boolean> {
    const count = this.#countOf(map, tablet, {});
    return this.#cutBehind(map, tablet, count, () => count.bytes >= tablet.bytes / 2);
  }

  /** Cuts at `at`, a key inside the tablet; false when stopped. `rightShare` of its load goes with the right side. */
  async cutAt(map: TabletMap, tablet: Tablet, at: Buffer, rightShare?: number): Promise<boolean> {
    const count = this.#countOf(map, tablet, { to: at });
    return this.#cutBehind(map, tablet, count, () => false, rightShare);
  }

  /** Makes `tablet` and the one behind it one. */
  async merge(map: TabletMap, tablet: Tablet, right: Tablet): Promise<void> {
    await this.#rows.merge(tablet, right);
    map.merge(tablet, right, this.#clock.monotonicMs());
    this.#log.info('Two tablets became one', { tablet: tablet.id, right: right.id, bytes: tablet.bytes });
  }

  #countOf(map: TabletMap, tablet: Tablet, { to, apps }: { readonly to?: Buffer; readonly apps?: AppBytes }): RowCount {
    const pieceRows = Math.max(2, Math.min(PIECE_ROWS_MAX, Math.ceil(tablet.rows / PIECES_MIN)));
    const range: KeyRange = { from: tablet.start, to: to ?? endOf(map, tablet) };
    this.#count = new RowCount(this.#store, this.#underWay, range, { pieceRows, ...(apps ? { apps } : {}) });
    return this.#count;
  }

  /** False when everything stops. */
  async #step(count: RowCount): Promise<boolean> {
    if (this.#isStopping) return false;
    await count.step();
    // Between two pieces everybody else has a turn.
    await turnOver();
    return true;
  }

  /** Counts to the end of its range or until `isEnough`, and cuts there. */
  async #cutBehind(map: TabletMap, tablet: Tablet, count: RowCount, isEnough: () => boolean, share?: number): Promise<boolean> {
    try {
      while (!count.isDone && !isEnough()) if (!(await this.#step(count))) return false;
      if (Buffer.compare(count.at, endOf(map, tablet)) >= 0) return false;
      await this.#cut(map, tablet, count, share);
      return true;
    } finally {
      this.#count = undefined;
    }
  }

  async #cut(map: TabletMap, tablet: Tablet, count: RowCount, share?: number): Promise<void> {
    const id = 1 + Math.max(...map.tablets.map((one) => one.id));
    const rightShare = share ?? shareAbove(count.at, tablet.load.sample?.keys ?? []);
    const figures = (): { readonly rows: number; readonly bytes: number } => ({
      rows: tablet.rows - count.rows,
      bytes: tablet.bytes - count.bytes,
    });
    const leftHistory = tablet.load.history.copy();
    const planned = newTablet(id, count.at, this.#clock.monotonicMs(), leftHistory.divide(rightShare));
    await this.#rows.split(tablet, { ...planned, ...figures() }, leftHistory);
    // What was counted and gathered since then is divided now as well, so that the sums stay right.
    const right = { ...planned, ...figures(), load: tablet.load.divide(rightShare, this.#clock.monotonicMs()) };
    map.split(tablet, right);
    this.#log.info('A tablet was cut in two', { tablet: tablet.id, right: id, bytes: tablet.bytes });
  }
}

function endOf(map: TabletMap, tablet: Tablet): Buffer {
  return map.neighbour(tablet)?.start ?? KEYS_END;
}

function turnOver(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
