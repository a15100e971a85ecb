// A scan that says how far it has read.
import { keyAfter } from './key-bytes.ts';
import { type KeyRange, type Row, type RowScan, type ScanOptions } from './port.ts';

/** `scan` of `range`; `onRead` is told after each `next` all of the range read so far: no further, so that a limit keeps it small. */
export function watchedScan(
  scan: RowScan,
  range: KeyRange,
  { direction = 'forward', limit = Infinity }: ScanOptions,
  onRead: (part: KeyRange) => void,
): RowScan {
  let seen = 0;
  return {
    next: async (rowsMax) => {
      const rows = await scan.next(rowsMax);
      seen += rows.length;
      const last = rows.at(-1);
      if (last) onRead(upTo(range, direction, last));
      else if (seen < limit) onRead(range);
      return rows;
    },
    close: () => scan.close(),
  };
}

function upTo(range: KeyRange, direction: 'forward' | 'backward', last: Row): KeyRange {
  return direction === 'forward' ? { from: range.from, to: keyAfter(last.key) } : { from: last.key, to: range.to };
}
