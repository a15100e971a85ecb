// What a caller may ask who may only read: what neither writes, nor locks, nor takes ids. Pure.
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { type V1Method } from './port.ts';
import { type Consistency, type TransactionOptions } from './messages/read-options.ts';

/** The parts of requests that say so. */
export interface Doing {
  readonly options?: TransactionOptions;
  readonly consistency?: Consistency;
  readonly singleUse?: TransactionOptions;
  readonly mutations?: readonly unknown[];
}

/** Throws V1_READ_ONLY. */
export function checkReadsOnly(method: V1Method, { options, consistency, singleUse, mutations = [] }: Doing): void {
  const begun = method === 'BeginTransaction' ? options : consistency?.kind === 'new-transaction' ? consistency.options : singleUse;
  if (begun?.kind === 'read-write') throw new PlatformError('V1_READ_ONLY', 'transactions must be begun as read-only ones');
  // A commit of nothing ends a transaction, and clients end those that read in this way as well.
  if (mutations.length > 0) throw new PlatformError('V1_READ_ONLY', `the commit has mutations: ${mutations.length}`);
  if (method === 'AllocateIds' || method === 'ReserveIds') throw new PlatformError('V1_READ_ONLY', `${method} takes ids`);
}
