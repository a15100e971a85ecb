// The answers of the methods that do not read.
import { encodeValue } from '../../../../sdk/contract/entity-proto.ts';
import { type ProtoWriter } from '../../../../sdk/contract/protobuf.ts';
import { type CommitOutcome, type CommitResult } from '../../../transaction/mutation.ts';
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
export function commitAnswer({ results, indexUpdates, commitTimeMicros }: CommitOutcome, isTransactional: boolean): Buffer {
  return answer((writer) => {
    for (const result of results) writer.messageField(3, () => writeResult(writer, result));
    if (indexUpdates > 0) writer.smallField(4, indexUpdates);
    if (isTransactional) writeMicros(writer, 8, commitTimeMicros);
  });
}

function writeResult(writer: ProtoWriter, result: CommitResult): void {
  const { key, version, createdMicros, updatedMicros, isConflict, transformResults = [] } = result;
  if (key) writer.bytesField(3, key);
  writer.varintField(4, version);
  if (isConflict) writer.smallField(5, 1);
  if (updatedMicros !== undefined) writeMicros(writer, 6, updatedMicros);
  if (createdMicros !== undefined) writeMicros(writer, 7, createdMicros);
  for (const value of transformResults) writer.bytesField(8, encodeValue(value));
}
