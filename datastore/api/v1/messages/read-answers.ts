// LookupResponse, RunQueryResponse and RunAggregationQueryResponse. Entities go in as the bytes that are stored.
import { encodeValue } from '../../../../sdk/contract/entity-proto.ts';
import { type ProtoWriter } from '../../../../sdk/contract/protobuf.ts';
import { type AggregationQuery, type MoreResults, type Query } from '../../../../sdk/contract/query.ts';
import { bufferOf } from '../../../codec/message-field.ts';
import { maskedMessage } from '../../../codec/property-mask.ts';
import { type PropertyPath } from '../../../codec/property-path.ts';
import { type AggregationAnswer, type FoundEntity, type LookupAnswer, type QueryAnswer } from '../../../read-answer.ts';
import { answer } from './answer.ts';
import { writeExplainMetrics } from './explain-metrics.ts';
import { writeAggregationQuery, writeQuery } from './query-writer.ts';
import { writeMicros } from './timestamp.ts';

const RESULT_TYPES = { full: 1, projection: 2, 'key-only': 3 } as const satisfies Record<QueryAnswer['resultKind'], number>;
const MORE_RESULTS = { 'not-finished': 1, 'after-limit': 2, 'no-more': 3, 'after-cursor': 4 } as const satisfies Record<
  MoreResults,
  number
>;

/** What an answer says besides what was read. */
export interface AnswerContext {
  /** The transaction that was begun with this read. */
  readonly begun?: Buffer;
  /** Whether the request was content with an older state: such answers name no version of what they saw. */
  readonly isEventual: boolean;
}

/** `mask`: the properties that are told. */
export function lookupAnswer(response: LookupAnswer, { begun, isEventual }: AnswerContext, mask?: readonly PropertyPath[]): Buffer {
  const { found, missing, deferred, readTime } = response;
  return answer((writer) => {
    for (const result of found) writer.messageField(1, () => writeResult(writer, result, mask));
    for (const key of missing) {
      writer.messageField(2, () => {
        writer.messageField(1, () => writer.bytesField(1, key));
        if (!isEventual) writer.varintField(4, readTime);
      });
    }
    for (const key of deferred) writer.bytesField(3, key);
    if (begun) writer.bytesField(5, begun);
    writeMicros(writer, 7, readTime);
  });
}

/** What a query's answer has besides its batch. */
export interface QueryExtras<Q> {
  /** What a GQL statement came to. */
  readonly parsed?: Q;
  readonly explain: false | true | 'plan-only';
}

export function queryAnswer(
  batch: QueryAnswer,
  context: AnswerContext,
  { parsed, explain, mask }: QueryExtras<Query> & { readonly mask?: readonly PropertyPath[] },
): Buffer {
  const { begun, isEventual } = context;
  const { plan } = batch;
  return answer((writer) => {
    if (explain !== 'plan-only') writer.messageField(1, () => writeBatch(writer, batch, isEventual, mask));
    if (parsed) writer.messageField(2, () => writeQuery(writer, parsed));
    if (begun) writer.bytesField(5, begun);
    if (plan) writer.messageField(9, () => writeExplainMetrics(writer, plan, explain === true ? batch.results.length : undefined));
  });
}

export function aggregationAnswer(
  { values, readTime, plan }: AggregationAnswer,
  { begun }: AnswerContext,
  { parsed, explain }: QueryExtras<AggregationQuery>,
): Buffer {
  return answer((writer) => {
    if (explain !== 'plan-only') {
      writer.messageField(1, () => {
        writer.messageField(1, () => writeValues(writer, values));
        writer.smallField(2, MORE_RESULTS['no-more']);
        writeMicros(writer, 3, readTime);
      });
    }
    if (parsed) writer.messageField(2, () => writeAggregationQuery(writer, parsed));
    if (begun) writer.bytesField(5, begun);
    if (plan) writer.messageField(9, () => writeExplainMetrics(writer, plan, explain === true ? 1 : undefined));
  });
}

function writeValues(writer: ProtoWriter, values: AggregationAnswer['values']): void {
  for (const { alias, value } of values) {
    writer.messageField(2, () => {
      writer.stringField(1, alias);
      writer.bytesField(2, encodeValue(value));
    });
  }
}

function writeBatch(writer: ProtoWriter, batch: QueryAnswer, isEventual: boolean, mask: readonly PropertyPath[] | undefined): void {
  const { resultKind, results, skipped, skippedCursor, endCursor, more, readTime } = batch;
  writer.smallField(1, RESULT_TYPES[resultKind]);
  for (const result of results) writer.messageField(2, () => writeResult(writer, result, mask));
  if (skippedCursor) writer.bytesField(3, skippedCursor);
  writer.bytesField(4, endCursor);
  writer.smallField(5, MORE_RESULTS[more]);
  if (skipped > 0) writer.smallField(6, skipped);
  if (!isEventual) writer.varintField(7, readTime);
  writeMicros(writer, 8, readTime);
}

type Result = FoundEntity | QueryAnswer['results'][number];

function writeResult(writer: ProtoWriter, result: Result, mask: readonly PropertyPath[] | undefined): void {
  const { entity, version, createdMicros, updatedMicros } = result;
  writer.pieceField(1, mask ? maskedMessage(bufferOf(entity), mask) : entity);
  if ('cursor' in result) writer.bytesField(3, result.cursor);
  // What only an index says of an entity has neither version nor times.
  if (createdMicros === undefined || updatedMicros === undefined) return;
  writer.varintField(4, version);
  writeMicros(writer, 5, updatedMicros);
  writeMicros(writer, 6, createdMicros);
}
