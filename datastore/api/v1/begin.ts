// Beginning a transaction, by itself or with the first read in it.
import { type Call } from './call.ts';
import { type TransactionOptions } from './messages/read-options.ts';
import { invalid } from './messages/request-fields.ts';
import { isTransactionId, transactionId } from './transaction-id.ts';

/** Its id as clients have it. Throws DS_INVALID, and what the datastore throws. */
export async function begin(datastore: Call['datastore'], scope: Call['scope'], options: TransactionOptions): Promise<Buffer> {
  const { databaseId } = scope;
  if (options.kind === 'read-write') {
    checkPrevious(options, databaseId);
    return transactionId(await datastore.beginTransaction(scope), databaseId);
  }
  const { readTime } = options;
  const begun = await datastore.beginTransaction(scope, { readOnly: true, ...(readTime === undefined ? {} : { readTime }) });
  return transactionId(begun, databaseId);
}

/**
 * Of a transaction that is tried again. It is a hint to be patient with it, for which the order of waiting for locks is enough;
 * what cannot be a transaction is refused.
 */
export function checkPrevious({ previous }: { readonly previous?: Buffer }, databaseId: string): void {
  if (previous && !isTransactionId(previous, databaseId)) throw invalid('previous_transaction is no transaction of this database');
}
