// BeginTransaction, Commit, Rollback, AllocateIds, ReserveIds: from requests that have been read to answers.
import { begin, checkPrevious } from './begin.ts';
import { type Call } from './call.ts';
import { type TransactionOptions } from './messages/read-options.ts';
import { invalid } from './messages/request-fields.ts';
import { type CommitRequest, type KeysRequest } from './messages/requests.ts';
import { transactionOf } from './transaction-id.ts';
import { commitAnswer, EMPTY_ANSWER, keysAnswer, transactionAnswer } from './messages/write-answers.ts';

export async function beginTransaction({ datastore, scope }: Call, { options }: { readonly options: TransactionOptions }): Promise<Buffer> {
  return transactionAnswer(await begin(datastore, scope, options));
}

export async function commit({ datastore, scope, signal, guard }: Call, request: CommitRequest): Promise<Buffer> {
  checkMode(request);
  const { mutations, transaction, mode } = request;
  if (guard && mutations.some(({ op }) => op !== 'delete')) guard.checkGrowth(scope.appId);
  const atomic = mode === 'transactional';
  const outcome = await datastore.commit(scope, mutations, {
    signal,
    atomic,
    ...(transaction && { transaction: transactionOf(transaction, scope.databaseId) }),
  });
  return commitAnswer(outcome, atomic);
}

/** `single_use_transaction` is the commit itself, which is all there is to it. */
function checkMode({ mode, transaction, singleUse, databaseId }: CommitRequest): void {
  if (mode === 'non-transactional') {
    if (transaction || singleUse) throw invalid('Non-transactional commit cannot specify a transaction.');
    return;
  }
  if (!transaction && !singleUse) throw invalid('Transactional commit requires a transaction.');
  if (singleUse) checkReadWrite(singleUse, databaseId);
}

export async function rollback({ datastore, scope }: Call, { transaction }: { readonly transaction: Buffer }): Promise<Buffer> {
  await datastore.rollback(scope, transactionOf(transaction, scope.databaseId));
  return EMPTY_ANSWER;
}

export async function allocateIds({ datastore, scope }: Call, { keys }: KeysRequest): Promise<Buffer> {
  return keysAnswer((await datastore.allocateIds(scope, keys)).keys);
}

export async function reserveIds({ datastore, scope }: Call, { keys }: KeysRequest): Promise<Buffer> {
  await datastore.reserveIds(scope, keys);
  return EMPTY_ANSWER;
}

function checkReadWrite(options: TransactionOptions, databaseId: string): void {
  if (options.kind === 'read-only') throw invalid('single_use_transaction must be read_write');
  checkPrevious(options, databaseId);
}
