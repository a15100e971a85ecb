// The ids of transactions as the public API gives them out.
//
//   id := 16 random bytes, then the id of the database in UTF-8
//
// A transaction is of one database, though for the datastore beneath it is only the app's: elsewhere its id is worth nothing.
import { PlatformError } from '../../../sdk/contract/errors.ts';

const RANDOM_BYTES = 16;

export function transactionId(transaction: Buffer, databaseId: string): Buffer {
  return databaseId === '' ? transaction : Buffer.concat([transaction, Buffer.from(databaseId)]);
}

/** Throws DS_TX_INVALID for one that was not given out for this database. */
export function transactionOf(id: Buffer, databaseId: string): Buffer {
  if (!isTransactionId(id, databaseId)) throw new PlatformError('DS_TX_INVALID');
  return id.subarray(0, RANDOM_BYTES);
}

export function isTransactionId(id: Buffer, databaseId: string): boolean {
  return id.length === RANDOM_BYTES + Buffer.byteLength(databaseId) && id.subarray(RANDOM_BYTES).equals(Buffer.from(databaseId));
}
