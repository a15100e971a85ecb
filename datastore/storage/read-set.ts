// What a transaction read, so that its commit can tell whether that still holds.
import { keyAfter } from './key-bytes.ts';
import { type KeyRange, type Row, type RowScan } from './port.ts';

export class ReadSet {
  readonly keys: Buffer[] = [];
  readonly ranges: KeyRange[] = [];

  get isEmpty(): boolean {
    return this.keys.length === 0 && this.ranges.length === 0;
  }

  addKey(key: Buffer): void {
    this.keys.push(key);
  }

  /** Wraps a scan so that the range it has read so far is always in this set: no further, so that a limit keeps it small. */
  watch(scan: RowScan, range: KeyRange, direction: 'forward' | 'backward', limit = Infinity): RowScan {
    let slot: number | undefined;
    let seen = 0;
    const read = (part: KeyRange): void => {
      if (slot === undefined) slot = this.ranges.push(part) - 1;
      else this.ranges[slot] = part;
    };
    return {
      next: async (rowsMax) => {
        const rows = await scan.next(rowsMax);
        seen += rows.length;
        const last = rows.at(-1);
        if (last) read(upTo(range, direction, last));
        else if (seen < limit) read(range);
        return rows;
      },
      close: () => scan.close(),
    };
  }
}

function upTo(range: KeyRange, direction: 'forward' | 'backward', last: Row): KeyRange {
  return direction === 'forward' ? { from: range.from, to: keyAfter(last.key) } : { from: last.key, to: range.to };
}
