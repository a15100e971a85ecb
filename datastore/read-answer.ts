// What reads answer, and how the parts of an answer are put together: keys and entities as the caller names them.
// Must not read.
import { type QueryPlanView, type QueryResult, type StoredEntity } from '../sdk/contract/datastore-wire.ts';
import { encodeKey } from '../sdk/contract/entity-proto.ts';
import { type Key } from '../sdk/contract/key.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type MoreResults, type Query } from '../sdk/contract/query.ts';
import { type EntityRow } from './codec/entity-row.ts';
import { answeredEntity, answeredKey, type DatastoreScope } from './codec/own-key.ts';
import { type AggregateValue } from './query/aggregator.ts';
import { cursorBehind, encodeCursor } from './query/cursor.ts';
import { type PositionedEntity, RESULT_EXTRA_BYTES, type ResultBatch } from './query/executor.ts';
import { type UsedIndex } from './query/plan-text.ts';

/** When an entity was inserted and last written, in microseconds. */
interface EntityTimes {
  readonly createdMicros: bigint;
  readonly updatedMicros: bigint;
}

export type FoundEntity = StoredEntity & EntityTimes;

export interface LookupAnswer {
  readonly found: readonly FoundEntity[];
  /** Key messages; their version is that of the state: `readTime`. */
  readonly missing: readonly Uint8Array[];
  /** Keys not looked at for reasons of size: ask again. */
  readonly deferred: readonly Uint8Array[];
  /** Microseconds: a read at this time sees the state that this one saw. */
  readonly readTime: bigint;
}

export interface QueryAnswer {
  readonly resultKind: 'full' | 'projection' | 'key-only';
  /** With their times where the entities themselves were read. */
  readonly results: readonly (QueryResult & Partial<EntityTimes>)[];
  readonly skipped: number;
  /** Right behind the last one skipped; absent when none was. */
  readonly skippedCursor?: Buffer;
  readonly endCursor: Buffer;
  readonly more: MoreResults;
  /** What was asked, bound. */
  readonly query: Query;
  readonly plan?: PlanView;
  /** As of LookupAnswer. */
  readonly readTime: bigint;
}

export interface AggregationAnswer {
  readonly values: readonly AggregateValue[];
  readonly plan?: PlanView;
  /** As of LookupAnswer. */
  readonly readTime: bigint;
}

export interface PlanView extends QueryPlanView {
  readonly indexesUsed: readonly UsedIndex[];
  /** Of the call, planning included; 0 for a plan alone. */
  readonly durationMs: number;
}

/** The entities and keys of a look-up, one after the other. */
export class LookupAnswers {
  readonly #scope: DatastoreScope;
  readonly #found: FoundEntity[] = [];
  readonly #missing: Uint8Array[] = [];
  #bytes = 0;

  constructor(scope: DatastoreScope) {
    this.#scope = scope;
  }

  /** False, and nothing is added, when the answer would be too large. The first always fits. */
  add(key: Key, row: EntityRow | undefined): boolean {
    const message = row ? answeredEntity(row.message, this.#scope) : this.#message(key);
    const bytes = this.#bytes + message.length + RESULT_EXTRA_BYTES;
    if (this.#bytes > 0 && bytes > LIMITS.queryBatchBytesMax) return false;
    this.#bytes = bytes;
    if (row)
      this.#found.push({ entity: message, version: row.version, createdMicros: row.createdMicros, updatedMicros: row.updatedMicros });
    else this.#missing.push(message);
    return true;
  }

  take(readTime: bigint, deferred: readonly { readonly key: Key }[] = []): LookupAnswer {
    return { found: this.#found, missing: this.#missing, deferred: deferred.map(({ key }) => this.#message(key)), readTime };
  }

  #message(key: Key): Buffer {
    return encodeKey(answeredKey(key, this.#scope));
  }
}

/** What a batch of results is to its caller; `header` is that of the query's cursors. */
export function batchAnswer(
  { results, skipped, skippedTo, reached, more }: ResultBatch,
  header: Buffer,
  scope: DatastoreScope,
): Pick<QueryAnswer, 'results' | 'skipped' | 'skippedCursor' | 'endCursor' | 'more'> {
  return {
    results: results.map((result) => resultAnswer(result, header, scope)),
    skipped,
    ...(skippedTo ? { skippedCursor: encodeCursor(header, skippedTo) } : {}),
    endCursor: encodeCursor(header, reached),
    more,
  };
}

function resultAnswer(result: PositionedEntity, header: Buffer, scope: DatastoreScope): QueryAnswer['results'][number] {
  const { version, position, createdMicros, updatedMicros } = result;
  const entity = answeredEntity(result.entity, scope);
  const cursor = cursorBehind(header, position);
  if (createdMicros === undefined || updatedMicros === undefined) return { entity, version, cursor };
  return { entity, version, cursor, createdMicros, updatedMicros };
}
