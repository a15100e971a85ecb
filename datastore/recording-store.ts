// A store for tests that notes which rows leave it.
import { type Row, type RowScan, type ScanOptions, type KeyRange, type StoreReader, type StoreSnapshot } from './storage/port.ts';
import { MemoryStore } from './storage/memory-store.ts';

export class RecordingStore extends MemoryStore {
  /** Keys of rows that scans and reads of snapshots returned, since the last `forget`. */
  readonly scanned: Buffer[] = [];
  readonly got: Buffer[] = [];

  forget(): void {
    this.scanned.length = 0;
    this.got.length = 0;
  }

  override snapshot(): StoreSnapshot {
    const snapshot = super.snapshot();
    return { ...this.#recorded(snapshot), pinned: () => snapshot.pinned(), close: () => snapshot.close() };
  }

  #recorded(reader: StoreReader): StoreReader {
    return {
      get: async (key) => {
        const found = await reader.get(key);
        if (found) this.got.push(key);
        return found;
      },
      getMany: async (keys) => {
        const found = await reader.getMany(keys);
        keys.forEach((key, at) => found[at] && this.got.push(key));
        return found;
      },
      scan: (range: KeyRange, options?: ScanOptions): RowScan => {
        const scan = reader.scan(range, options);
        return {
          next: async (rowsMax: number): Promise<readonly Row[]> => {
            const rows = await scan.next(rowsMax);
            this.scanned.push(...rows.map(({ key }) => key));
            return rows;
          },
          close: () => scan.close(),
        };
      },
    };
  }
}
