// Rows to be written that are not yet given to the store: they may have to be worked out again after a wait for locks.
import { type StoreTransaction } from '../storage/port.ts';

/** The part of a transaction that takes writes. */
export type RowWriter = Pick<StoreTransaction, 'put' | 'delete'>;

export class HeldRows implements RowWriter {
  readonly #rows: { readonly key: Buffer; readonly value: Buffer | undefined }[] = [];

  get isEmpty(): boolean {
    return this.#rows.length === 0;
  }

  put(key: Buffer, value: Buffer): void {
    this.#rows.push({ key, value });
  }

  delete(key: Buffer): void {
    this.#rows.push({ key, value: undefined });
  }

  /** Throws DS_LIMIT. */
  writeTo(transaction: RowWriter): void {
    for (const { key, value } of this.#rows) {
      if (value) transaction.put(key, value);
      else transaction.delete(key);
    }
  }
}
