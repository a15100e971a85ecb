// The answers of the methods that do not read.
import { type CommitResponse, type MutationResult } from '../../../sdk/contract/datastore-wire.ts';
import { type ProtoWriter } from '../../../sdk/contract/protobuf.ts';
import { answer } from './answer.ts';
import { writeMicros } from './timestamp.ts';

/** RollbackResponse, ReserveIdsResponse. */
export const EMPTY_ANSWER = Buffer.alloc(0);

export function transactionAnswer(transaction: Buffer): Buffer {
  return answer((writer) => writer.bytesField(1, transaction));
}

export function keysAnswer(keys: readonly Uint8Array[]): Buffer {
  return answer((writer) => {
    for (const key of keys) writer.bytesField(1, key);
  });
}

/** The time of a commit is told when all of it was one transaction. */
export function commitAnswer({ results, commitTimeMicros }: CommitResponse, isTransactional: boolean): Buffer {
  return answer((writer) => {
    for (const result of results) writer.messageField(3, () => writeResult(writer, result));
    if (isTransactional) writeMicros(writer, 8, commitTimeMicros);
  });
}

function writeResult(writer: ProtoWriter, { key, version }: MutationResult): void {
  if (key) writer.bytesField(3, key);
  writer.varintField(4, version);
}
