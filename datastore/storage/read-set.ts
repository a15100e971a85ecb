// What a transaction read, so that its commit can tell whether that still holds.
import { type KeyRange, type RowScan, type ScanOptions } from './port.ts';
import { watchedScan } from './watched-scan.ts';

export class ReadSet {
  readonly keys: Buffer[] = [];
  readonly ranges: KeyRange[] = [];

  get isEmpty(): boolean {
    return this.keys.length === 0 && this.ranges.length === 0;
  }

  addKey(key: Buffer): void {
    this.keys.push(key);
  }

  /** Wraps a scan so that the range it has read so far is always in this set. */
  watch(scan: RowScan, range: KeyRange, options: ScanOptions): RowScan {
    let slot: number | undefined;
    return watchedScan(scan, range, options, (part) => {
      if (slot === undefined) slot = this.ranges.push(part) - 1;
      else this.ranges[slot] = part;
    });
  }
}
