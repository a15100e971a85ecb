// LookupResponse, RunQueryResponse and RunAggregationQueryResponse. Entities go in as the bytes that are stored.
import { type LookupResponse, type QueryResult, type StoredEntity } from '../../../sdk/contract/datastore-wire.ts';
import { encodeValue } from '../../../sdk/contract/entity-proto.ts';
import { type ProtoWriter } from '../../../sdk/contract/protobuf.ts';
import { type AggregationQuery, type MoreResults, type Query } from '../../../sdk/contract/query.ts';
import { type AggregationAnswer, type QueryAnswer } from '../../read-answer.ts';
import { answer } from './answer.ts';
import { writeAggregationQuery, writeQuery } from './query-writer.ts';

const RESULT_TYPES = { full: 1, projection: 2, 'key-only': 3 } as const satisfies Record<QueryAnswer['resultKind'], number>;
const MORE_RESULTS = { 'not-finished': 1, 'after-limit': 2, 'no-more': 3, 'after-cursor': 4 } as const satisfies Record<
  MoreResults,
  number
>;

/** What an answer says besides what was read. */
export interface AnswerContext {
  /** The transaction that was begun with this read. */
  readonly begun?: Buffer;
}

export function lookupAnswer({ found, missing, deferred }: LookupResponse, { begun }: AnswerContext): Buffer {
  return answer((writer) => {
    for (const result of found) writer.messageField(1, () => writeResult(writer, result));
    for (const key of missing) writer.messageField(2, () => writer.messageField(1, () => writer.bytesField(1, key)));
    for (const key of deferred) writer.bytesField(3, key);
    if (begun) writer.bytesField(5, begun);
  });
}

/** `parsed` is what a GQL statement came to. */
export function queryAnswer(batch: QueryAnswer, { begun }: AnswerContext, parsed?: Query): Buffer {
  return answer((writer) => {
    writer.messageField(1, () => writeBatch(writer, batch));
    if (parsed) writer.messageField(2, () => writeQuery(writer, parsed));
    if (begun) writer.bytesField(5, begun);
  });
}

export function aggregationAnswer({ values }: AggregationAnswer, { begun }: AnswerContext, parsed?: AggregationQuery): Buffer {
  return answer((writer) => {
    writer.messageField(1, () => {
      writer.messageField(1, () => {
        for (const { alias, value } of values) {
          writer.messageField(2, () => {
            writer.stringField(1, alias);
            writer.bytesField(2, encodeValue(value));
          });
        }
      });
      writer.smallField(2, MORE_RESULTS['no-more']);
    });
    if (parsed) writer.messageField(2, () => writeAggregationQuery(writer, parsed));
    if (begun) writer.bytesField(5, begun);
  });
}

function writeBatch(writer: ProtoWriter, { resultKind, results, skipped, endCursor, more }: QueryAnswer): void {
  writer.smallField(1, RESULT_TYPES[resultKind]);
  for (const result of results) writer.messageField(2, () => writeResult(writer, result));
  writer.bytesField(4, endCursor);
  writer.smallField(5, MORE_RESULTS[more]);
  if (skipped > 0) writer.smallField(6, skipped);
}

function writeResult(writer: ProtoWriter, result: StoredEntity | QueryResult): void {
  writer.pieceField(1, result.entity);
  if ('cursor' in result) writer.bytesField(3, result.cursor);
  if (result.version > 0n) writer.varintField(4, result.version);
}
