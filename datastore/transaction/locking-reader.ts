// Reads of a pessimistic transaction: an entity is locked before it is read, a range of rows as far as a scan has read it. What
// changed between the begin and the lock shows at the commit, which the store then refuses.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type KeyRange, type RowScan, type ScanOptions, type StoreReader, type StoreTransaction } from '../storage/port.ts';
import { watchedScan } from '../storage/watched-scan.ts';
import { type LockOwner, type Patience } from './lock.ts';
import { type LockTable } from './lock-table.ts';

/** Whose reads these are. */
export interface ReadingTransaction {
  readonly owner: LockOwner;
  toRead(options?: { readonly hasWaited: boolean }): StoreTransaction;
}

export class LockingReader implements StoreReader {
  readonly #transaction: ReadingTransaction;
  readonly #locks: LockTable;
  readonly #patience: Patience;
  readonly #onRefused: () => void;

  constructor(transaction: ReadingTransaction, locks: LockTable, patience: Patience, onRefused: () => void) {
    this.#transaction = transaction;
    this.#locks = locks;
    this.#patience = patience;
    this.#onRefused = onRefused;
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    return (await this.#locked([key])).get(key);
  }

  async getMany(keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    return (await this.#locked(keys)).getMany(keys);
  }

  scan(range: KeyRange, options: ScanOptions = {}): RowScan {
    return watchedScan(this.#transaction.toRead().scan(range, options), range, options, (part) => {
      this.#locks.lockRange(this.#transaction.owner, part);
    });
  }

  async #locked(keys: readonly Buffer[]): Promise<StoreTransaction> {
    const names = keys.map((key) => key.toString('latin1'));
    const wait = this.#locks.lock(this.#transaction.owner, names, 'shared', this.#patience);
    if (wait) await wait.catch((error: unknown) => this.#refused(error));
    return this.#transaction.toRead({ hasWaited: wait !== undefined });
  }

  #refused(error: unknown): never {
    // Those who wait for this transaction need not wait for its client to hear of it.
    if (error instanceof PlatformError && error.code === 'DS_TX_CONFLICT') this.#onRefused();
    throw error;
  }
}
