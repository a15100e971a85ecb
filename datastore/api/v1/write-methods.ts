// BeginTransaction, Commit, Rollback, AllocateIds, ReserveIds: from requests that have been read to answers.
import { type Call } from './call.ts';
import { type TransactionOptions } from './read-options.ts';
import { invalid, unsupported } from './request-fields.ts';
import { type CommitRequest, type KeysRequest } from './requests.ts';
import { commitAnswer, EMPTY_ANSWER, keysAnswer, transactionAnswer } from './write-answers.ts';

export async function beginTransaction({ datastore, scope }: Call, { options }: { readonly options: TransactionOptions }): Promise<Buffer> {
  const { kind, ...rest } = options;
  return transactionAnswer(await datastore.beginTransaction(scope, { readOnly: kind === 'read-only', ...rest }));
}

export async function commit({ datastore, scope, signal, guard }: Call, request: CommitRequest): Promise<Buffer> {
  checkMode(request);
  const { mutations, transaction, mode } = request;
  if (guard && mutations.some(({ op }) => op !== 'delete')) guard.checkGrowth(scope.appId);
  const response = await datastore.commit(scope, mutations, { signal, ...(transaction && { transaction }) });
  return commitAnswer(response, mode === 'transactional');
}

function checkMode({ mode, transaction, singleUse }: CommitRequest): void {
  if (mode === 'non-transactional') {
    if (transaction || singleUse) throw invalid('Non-transactional commit cannot specify a transaction.');
    return;
  }
  if (!transaction && !singleUse) throw invalid('Transactional commit requires a transaction.');
  if (singleUse?.kind === 'read-only') throw invalid('single_use_transaction must be read_write');
}

export async function rollback({ datastore, scope }: Call, { transaction }: { readonly transaction: Buffer }): Promise<Buffer> {
  await datastore.rollback(scope, transaction);
  return EMPTY_ANSWER;
}

export async function allocateIds({ datastore, scope }: Call, { keys }: KeysRequest): Promise<Buffer> {
  return keysAnswer((await datastore.allocateIds(scope, keys)).keys);
}

export function reserveIds(): Promise<Buffer> {
  return Promise.reject(unsupported('ReserveIds'));
}
