// Reads of the store as it was at an earlier time: which times may be asked for, and what is read from.
import { LIMITS } from '../../sdk/contract/limits.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Clock } from '../../sdk/support/clock.ts';
import { HistoricReader } from '../history/historic-reader.ts';
import { type History } from '../history/history.ts';
import { type IndexCatalog } from '../index/index-catalog.ts';
import { type Store, type StoreSnapshot } from '../storage/port.ts';
import { type VersionClock } from './version-clock.ts';

export class HistoricReads {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #history: History;
  readonly #catalog: IndexCatalog;
  readonly #versions: VersionClock;

  constructor(store: Store, clock: Clock, history: History, catalog: IndexCatalog, versions: VersionClock) {
    this.#store = store;
    this.#clock = clock;
    this.#history = history;
    this.#catalog = catalog;
    this.#versions = versions;
  }

  /**
   * The app's data as all commits up to `readTime`, in microseconds, left it: the same at every call. Throws DS_INVALID for a
   * time in the future, DS_TOO_OLD for one that is not kept. Its reads throw DEADLINE_EXCEEDED when one goes on for too long.
   */
  async open(appId: string, readTime: bigint): Promise<StoreSnapshot> {
    this.#history.check(appId, readTime, this.#versions.last);
    await this.#versions.settle(readTime);
    const snapshot = this.#store.snapshot();
    try {
      await snapshot.pinned();
      // Rows that were deleted in the state that is read now could not be asked for any more before they were.
      this.#history.check(appId, readTime, this.#versions.last);
    } catch (error) {
      await snapshot.close();
      throw error;
    }
    return new HistoricReader(snapshot, { readTime, indexesOf: (owner) => this.#catalog.list(owner), deadline: () => this.#deadline() });
  }

  /** Rows written since may have to be passed over without a result, so the rows that are returned do not bound a read. */
  #deadline(): () => void {
    const endMs = this.#clock.monotonicMs() + LIMITS.aggregationMs;
    return () => {
      if (this.#clock.monotonicMs() <= endMs) return;
      throw new PlatformError(
        'DEADLINE_EXCEEDED',
        `a scan at an earlier time has ${LIMITS.aggregationMs} ms: too many rows have changed since`,
      );
    };
  }
}
