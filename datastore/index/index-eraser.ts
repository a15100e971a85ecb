// Takes the rows of a deleted index away, then its own row, in bounded steps that survive a crash.
//
// Nothing is left behind: commits that knew the index before its deletion were submitted before the first step, so that step
// fails when it has not seen what they wrote, and is made again.
import { appCompositesPrefix, compositePrefix, indexDefinitionKey } from '../codec/row-key.ts';
import { prefixRange } from '../storage/key-bytes.ts';
import { type Store } from '../storage/port.ts';
import { type AppIndex, type IndexCatalog } from './index-catalog.ts';
import { counted, nextRows, type RowCounts } from './index-step.ts';

const STEP_ROWS_MAX = 1_000;

export class IndexEraser {
  readonly #store: Store;
  readonly #catalog: IndexCatalog;
  readonly #counts: RowCounts;

  constructor(store: Store, catalog: IndexCatalog, counts: RowCounts) {
    this.#store = store;
    this.#catalog = catalog;
    this.#counts = counts;
  }

  /** Deletes the next rows, or the index when there are none. Throws DS_TX_CONFLICT. */
  async step({ appId, index }: AppIndex): Promise<void> {
    const transaction = this.#store.begin();
    try {
      await transaction.get(indexDefinitionKey(appId, index.id));
      const composites = prefixRange(appCompositesPrefix(appId));
      const prefixIn = (partition: Parameters<typeof compositePrefix>[0]): Buffer => compositePrefix(partition, index.id);
      const { rows, progress } = await nextRows(transaction, composites, prefixIn, index.progress, {
        rowsMax: STEP_ROWS_MAX,
        keysOnly: false,
      });
      for (const { key } of rows) transaction.delete(key);
      const changes = rows.map(({ key, value }) => ({ key, rows: -1, bytes: 0 - key.length - value.length, valueBytes: undefined }));
      await counted(this.#counts, appId, changes, () =>
        progress
          ? this.#catalog.change(appId, index, { ...index, done: index.done + rows.length, progress }, transaction)
          : this.#catalog.remove(appId, index, transaction),
      );
    } finally {
      await transaction.close();
    }
  }
}
