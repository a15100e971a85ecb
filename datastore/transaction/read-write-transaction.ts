// A read-write transaction between its begin and its end: its state of the store, and the locks on what it reads.
//
// Its state is that of its begin. Only when nothing has been read of it yet, and a lock had to be waited for, does it begin
// anew: otherwise whoever queues for the lock of a busy entity would, once let in, read what is known to be out of date.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Store, type StoreReader, type StoreTransaction } from '../storage/port.ts';
import { type LockOwner, type Patience } from './lock.ts';
import { type LockTable } from './lock-table.ts';
import { LockingReader } from './locking-reader.ts';
import { type ReadMoment } from './read-moment.ts';

export interface ReadWriteOptions {
  /** Whether reads take locks. */
  readonly isLocking: boolean;
  /** Told each time somebody begins to wait for what it has locked. */
  readonly onBlocking: () => void;
  /** The moment of a state that is taken in the same turn. */
  readonly moment: () => ReadMoment;
}

export class ReadWriteTransaction {
  readonly owner: LockOwner;
  readonly #store: Store;
  readonly #locks: LockTable;
  readonly #isLocking: boolean;
  readonly #nextMoment: () => ReadMoment;
  #transaction: StoreTransaction;
  #moment: ReadMoment;
  #hasRead = false;

  constructor(store: Store, locks: LockTable, { isLocking, onBlocking, moment }: ReadWriteOptions) {
    this.#store = store;
    this.#locks = locks;
    this.#isLocking = isLocking;
    this.owner = locks.owner({ givesWay: false, onBlocking });
    this.#nextMoment = moment;
    this.#transaction = store.begin();
    this.#moment = moment();
  }

  /** As StoreTransaction.pinned. */
  async pinned(): Promise<void> {
    const moment = this.#moment;
    try {
      await this.#transaction.pinned();
    } finally {
      moment.fix();
    }
  }

  /** The time of the state that its reads see, once it has read. Throws what reads throw. */
  async readTime(): Promise<bigint> {
    await this.pinned();
    const transaction = this.#transaction;
    return this.#moment.readTime((key) => transaction.peek(key));
  }

  /** Reads for one call. `onRefused` is told when a lock is refused, which ends the transaction. */
  reader(patience: Patience, onRefused: () => void): StoreReader {
    if (this.#isLocking) return new LockingReader(this, this.#locks, patience, onRefused);
    return this.toRead();
  }

  /** The state to read. `hasWaited`: a lock had to be waited for before. Throws DS_TX_INVALID. */
  toRead({ hasWaited = false } = {}): StoreTransaction {
    // It may have ended between the grant of the lock and now, and would then be opened once more for nobody to close.
    if (this.owner.hasEnded) throw new PlatformError('DS_TX_INVALID');
    if (hasWaited && !this.#hasRead) {
      this.#beginAnew('snapshot');
      this.#moment = this.#nextMoment();
      // Who reads it next learns of a failure.
      void this.pinned().catch(() => undefined);
    }
    this.#hasRead = true;
    return this.#transaction;
  }

  /** What to commit with once all written entities are locked: where nothing was read, the newest state does. */
  toCommit(): StoreTransaction {
    if (!this.#hasRead) this.#beginAnew('latest');
    return this.#transaction;
  }

  /** Gives up what is not committed, and all locks; twice without harm. */
  async close(): Promise<void> {
    this.#locks.release(this.owner);
    await this.#transaction.close();
  }

  #beginAnew(reads: 'snapshot' | 'latest'): void {
    const former = this.#transaction;
    this.#transaction = this.#store.begin({ reads });
    void former.close();
  }
}
