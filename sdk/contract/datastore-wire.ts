// The payloads of the service `datastore` on an instance's datastore socket. Keys, entities and values travel as the
// bytes of the public v1 protobuf messages (entity-proto.ts), so that the server stores and returns them as they are.
// The project id inside a key is empty or the instance's own app: the socket is the identity.
import { decodeValue, encodeValue } from './entity-proto.ts';
import { type AggregationQuery, type Filter, type MoreResults, type PropertyOperator, type Query } from './query.ts';

export const DATASTORE_SERVICE = 'datastore';

/** Method names of the service. */
export type DatastoreMethod = 'lookup' | 'runQuery' | 'runAggregation' | 'beginTransaction' | 'commit' | 'rollback' | 'allocateIds';

export interface LookupRequest {
  /** Key messages, complete, at most lookupKeysMax. */
  readonly keys: readonly Uint8Array[];
  readonly transaction?: Uint8Array;
  /** Microseconds since 1970, at most an hour ago: reads the state of then. Not within a transaction. */
  readonly readTime?: bigint;
}

export interface StoredEntity {
  /** An Entity message, its key with the app's project id. */
  readonly entity: Uint8Array;
  /** Commit time in microseconds, strictly increasing within an app. */
  readonly version: bigint;
}

export interface LookupResponse {
  readonly found: readonly StoredEntity[];
  readonly missing: readonly Uint8Array[];
  /** Keys not looked at for reasons of size: ask again. */
  readonly deferred: readonly Uint8Array[];
}

export type WireFilter =
  | { readonly kind: 'property'; readonly property: string; readonly operator: PropertyOperator; readonly value: Uint8Array }
  | { readonly kind: 'and' | 'or'; readonly filters: readonly WireFilter[] };

/** A Query with its values as Value messages. */
export interface WireQuery extends Omit<Query, 'filter'> {
  readonly filter?: WireFilter;
}

export type WireGqlArgument = { readonly value: Uint8Array } | { readonly cursor: Uint8Array };

export interface WireGql {
  readonly text: string;
  readonly databaseId: string;
  readonly namespace: string;
  readonly named: Readonly<Record<string, WireGqlArgument>>;
  readonly positional: readonly WireGqlArgument[];
}

export interface RunQueryRequest {
  /** Exactly one of `query` and `gql`. */
  readonly query?: WireQuery;
  readonly gql?: WireGql;
  readonly transaction?: Uint8Array;
  /** Microseconds since 1970, at most an hour ago: reads the state of then. Not within a transaction. */
  readonly readTime?: bigint;
  /** Whether to return the plan beside the results. */
  readonly explain?: boolean;
}

export interface QueryResult extends StoredEntity {
  /** Position just after this result. */
  readonly cursor: Uint8Array;
}

export interface RunQueryResponse {
  readonly resultKind: 'full' | 'projection' | 'key-only';
  readonly results: readonly QueryResult[];
  readonly skipped: number;
  readonly endCursor: Uint8Array;
  readonly more: MoreResults;
  /** The bound query, for asking for the next batch: set startCursor to endCursor, reduce limit and offset. */
  readonly query: WireQuery;
  readonly plan?: QueryPlanView;
}

export interface QueryPlanView {
  /** One line per index scan, as people read it. */
  readonly scans: readonly string[];
  readonly indexRowsRead: number;
  readonly entitiesRead: number;
}

export interface RunAggregationRequest {
  /** Exactly one of `query` and `gql`. */
  readonly query?: Omit<AggregationQuery, 'nested'> & { readonly nested: WireQuery };
  readonly gql?: WireGql;
  readonly transaction?: Uint8Array;
  /** Microseconds since 1970, at most an hour ago: reads the state of then. Not within a transaction. */
  readonly readTime?: bigint;
  readonly explain?: boolean;
}

export interface RunAggregationResponse {
  /** Each value is a Value message. */
  readonly values: readonly { readonly alias: string; readonly value: Uint8Array }[];
  readonly plan?: QueryPlanView;
}

/** Of the admin service's `bindGql`: the statement as `runQuery` or `runAggregation` takes it. */
export type BindGqlResponse =
  | { readonly kind: 'query'; readonly query: WireQuery }
  | { readonly kind: 'aggregation'; readonly query: Omit<AggregationQuery, 'nested'> & { readonly nested: WireQuery } };

export interface BeginTransactionRequest {
  readonly readOnly?: boolean;
  /** Of a read-only one, in microseconds: its reads see the state of then, not of its start. */
  readonly readTime?: bigint;
}

export interface BeginTransactionResponse {
  readonly transaction: Uint8Array;
}

export type WireMutation =
  | { readonly op: 'insert' | 'update' | 'upsert'; readonly entity: Uint8Array; readonly baseVersion?: bigint }
  | { readonly op: 'delete'; readonly key: Uint8Array; readonly baseVersion?: bigint };

export interface CommitRequest {
  /** At most commitMutationsMax; applied in order, all or none. */
  readonly mutations: readonly WireMutation[];
  readonly transaction?: Uint8Array;
}

export interface MutationResult {
  /** Only when the server allocated an id. */
  readonly key?: Uint8Array;
  readonly version: bigint;
}

export interface CommitResponse {
  readonly results: readonly MutationResult[];
  readonly commitTimeMicros: bigint;
}

export interface RollbackRequest {
  readonly transaction: Uint8Array;
}

export interface AllocateIdsRequest {
  /** Incomplete Key messages, at most allocateIdsMax. */
  readonly keys: readonly Uint8Array[];
}

export interface AllocateIdsResponse {
  readonly keys: readonly Uint8Array[];
}

export function queryToWire(query: Query): WireQuery {
  const { filter, ...rest } = query;
  return filter === undefined ? rest : { ...rest, filter: filterToWire(filter) };
}

/** Throws DS_INVALID when a value's bytes are not a Value message. The rest must have been checked by a schema. */
export function queryFromWire(query: WireQuery): Query {
  const { filter, ...rest } = query;
  return filter === undefined ? rest : { ...rest, filter: filterFromWire(filter) };
}

function filterToWire(filter: Filter): WireFilter {
  if (filter.kind === 'property') return { ...filter, value: encodeValue(filter.value) };
  return { kind: filter.kind, filters: filter.filters.map(filterToWire) };
}

function filterFromWire(filter: WireFilter): Filter {
  if (filter.kind === 'property') return { ...filter, value: decodeValue(filter.value) };
  return { kind: filter.kind, filters: filter.filters.map(filterFromWire) };
}
