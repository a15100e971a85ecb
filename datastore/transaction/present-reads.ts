// Reads of the state of now that can say which time it is of.
import { decodeEntityRow, type EntityRow } from '../codec/entity-row.ts';
import { type Store, type StoreSnapshot } from '../storage/port.ts';
import { type LockTable } from './lock-table.ts';
import { type ReadMoment } from './read-moment.ts';
import { type VersionClock } from './version-clock.ts';

export interface TimedRow {
  /** Undefined when there is none. */
  readonly row: EntityRow | undefined;
  readonly readTime: bigint;
}

export class PresentReads {
  readonly #store: Store;
  readonly #versions: VersionClock;
  readonly #locks: LockTable;

  constructor(store: Store, versions: VersionClock, locks: LockTable) {
    this.#store = store;
    this.#versions = versions;
    this.#locks = locks;
  }

  /**
   * One entity's row, read without a snapshot; undefined where only a snapshot tells which time it is of: while somebody commits
   * that entity, or has perhaps just deleted it. Throws DS_CORRUPT.
   */
  async get(rowKey: Buffer): Promise<TimedRow | undefined> {
    // Whoever commits the entity holds its lock until that is acknowledged: without one, all so far is in what is read.
    if (this.#locks.isExclusive(rowKey.toString('latin1'))) return undefined;
    const present = this.#versions.present();
    const { given } = this.#versions;
    const bytes = await this.#store.get(rowKey);
    if (!bytes) return this.#versions.given === given ? { row: undefined, readTime: present } : undefined;
    const row = decodeEntityRow(bytes);
    // It may have been committed since.
    return { row, readTime: row.version > present ? row.version : present };
  }

  /** The state of now, and its moment. */
  async open(appId: string): Promise<{ readonly snapshot: StoreSnapshot; readonly moment: ReadMoment }> {
    const snapshot = this.#store.snapshot();
    const moment = this.#versions.moment(appId);
    try {
      await snapshot.pinned();
      return { snapshot, moment };
    } catch (error) {
      await snapshot.close();
      throw error;
    } finally {
      moment.fix();
    }
  }
}
