// Tablets: the one key space cut into contiguous ranges, each with its statistics. All tablets of a server share one
// store (one log, as in Bigtable), so that cutting one is a change of METADATA rows and moves no data.
// Must not know entities or indexes: a key is bytes here.
// Read next: tablet-server.ts, which keeps the map on disk, cuts what grows and merges what has shrunk.
//
// Only starts are kept. A tablet ends where the next one starts, so no set of METADATA rows can leave a gap or an overlap.
import { assert } from '../../sdk/support/assert.ts';
import { type LoadHistory } from './load-history.ts';
import { TabletLoad } from './tablet-load.ts';

export interface TabletStatistics {
  readonly rows: number;
  /** Of keys and values, before compression. */
  readonly bytes: number;
  /** Since the server started. */
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

export interface TabletView extends TabletStatistics {
  readonly id: number;
  /** Inclusive; empty for the first tablet. */
  readonly start: Buffer;
  /** Exclusive; absent for the last tablet. */
  readonly end?: Buffer;
}

export interface Tablet {
  readonly id: number;
  readonly start: Buffer;
  rows: number;
  bytes: number;
  rowsRead: number;
  rowsWritten: number;
  readonly load: TabletLoad;
}

/** A row that a commit put or deleted. */
export interface RowChange {
  readonly key: Buffer;
  /** +1 for a new row, −1 for a deleted one, 0 for one that was there before. */
  readonly rows: number;
  /** What it adds to the bytes of keys and values. */
  readonly bytes: number;
  /** Of the value that is there now; undefined for a deleted row. */
  readonly valueBytes: number | undefined;
  /** The value that it replaced or deleted, where a read at an earlier time needs that to have been there. */
  readonly superseded?: Buffer;
}

/** A tablet without rows; `atMs` is of the monotonic clock. */
export function newTablet(id: number, start: Buffer, atMs: number, history?: LoadHistory): Tablet {
  return { id, start, rows: 0, bytes: 0, rowsRead: 0, rowsWritten: 0, load: new TabletLoad(atMs, history ? { history } : {}) };
}

export class TabletMap {
  /** Ascending by start; the first starts at the empty key. */
  #tablets: readonly Tablet[];

  constructor(tablets: readonly Tablet[]) {
    assert(tablets[0]?.start.length === 0, 'the first tablet starts at the empty key');
    this.#tablets = tablets;
  }

  get tablets(): readonly Tablet[] {
    return this.#tablets;
  }

  /** The tablet that holds `key`. */
  route(key: Buffer): Tablet {
    const tablet = this.#tablets[this.#indexOf(key)];
    assert(tablet, 'every key lies in a tablet');
    return tablet;
  }

  /** The one behind it; undefined for the last tablet. */
  neighbour(tablet: Tablet): Tablet | undefined {
    return this.#tablets[this.#indexOf(tablet.start) + 1];
  }

  wrote(changes: readonly RowChange[]): void {
    for (const { key, rows, bytes } of changes) {
      const tablet = this.route(key);
      tablet.rows += rows;
      tablet.bytes += bytes;
      tablet.rowsWritten++;
      tablet.load.sample?.count(key, 1);
    }
  }

  /** Counts rows read at `key` and close behind it. */
  read(key: Buffer, rows: number): void {
    const tablet = this.route(key);
    tablet.rowsRead += rows;
    tablet.load.sample?.count(key, rows);
  }

  /** Cuts `tablet` at `right.start`; what `right` has is taken from it. */
  split(tablet: Tablet, right: Tablet): void {
    const at = this.#indexOf(tablet.start);
    assert(this.#tablets[at] === tablet && this.#indexOf(right.start) === at, 'a tablet is cut inside');
    assert(Buffer.compare(tablet.start, right.start) < 0, 'a tablet is not cut at its start');
    tablet.rows -= right.rows;
    tablet.bytes -= right.bytes;
    this.#tablets = [...this.#tablets.slice(0, at + 1), right, ...this.#tablets.slice(at + 1)];
  }

  /** Adds the tablet behind `tablet` to it. `atMs` is of the monotonic clock. */
  merge(tablet: Tablet, right: Tablet, atMs: number): void {
    const at = this.#indexOf(tablet.start);
    assert(this.#tablets[at] === tablet && this.#tablets[at + 1] === right, 'neighbours become one');
    tablet.rows += right.rows;
    tablet.bytes += right.bytes;
    tablet.rowsRead += right.rowsRead;
    tablet.rowsWritten += right.rowsWritten;
    tablet.load.absorb(right.load, atMs);
    this.#tablets = this.#tablets.filter((one) => one !== right);
  }

  list(): readonly TabletView[] {
    return this.#tablets.map((tablet, at) => {
      const end = this.#tablets[at + 1]?.start;
      const { id, start, rows, bytes, rowsRead, rowsWritten } = tablet;
      return { id, start, ...(end ? { end } : {}), rows: Math.max(0, rows), bytes: Math.max(0, bytes), rowsRead, rowsWritten };
    });
  }

  #indexOf(key: Buffer): number {
    let low = 0;
    let high = this.#tablets.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const tablet = this.#tablets[middle];
      if (tablet && Buffer.compare(tablet.start, key) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
