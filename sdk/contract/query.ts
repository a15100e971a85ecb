// A bound query: what GQL, the SDK's query builder and the public v1 API all turn into.
import { type Value } from './entity.ts';

export type PropertyOperator = '=' | '<' | '<=' | '>' | '>=' | '!=' | 'in' | 'not-in' | 'has-ancestor';

/** A condition. `value` of `in` and `not-in` is an array value; of `has-ancestor` a key, on `__key__`. */
export interface PropertyFilter {
  readonly kind: 'property';
  /** `__key__` for the key itself; `a.b` for a property of an embedded entity. */
  readonly property: string;
  readonly operator: PropertyOperator;
  readonly value: Value;
}

export interface CompositeFilter {
  readonly kind: 'and' | 'or';
  readonly filters: readonly Filter[];
}

export type Filter = PropertyFilter | CompositeFilter;

export interface Order {
  readonly property: string;
  readonly direction: 'asc' | 'desc';
}

export interface Query {
  /** Empty for the default database. */
  readonly databaseId: string;
  /** Empty for the default namespace. */
  readonly namespace: string;
  /** Absent for a kindless query. */
  readonly entityKind?: string;
  /** Absent for whole entities; exactly `['__key__']` for keys only. */
  readonly projection?: readonly string[];
  readonly distinctOn?: readonly string[];
  readonly filter?: Filter;
  readonly orders: readonly Order[];
  /** Results at most; absent for all. */
  readonly limit?: number;
  /** Results to skip. */
  readonly offset: number;
  /** Opaque; results start after this position. */
  readonly startCursor?: Uint8Array;
  /** Opaque; results end at this position. */
  readonly endCursor?: Uint8Array;
}

export type AggregationFunction =
  | { readonly kind: 'count'; readonly upTo?: bigint }
  | { readonly kind: 'sum'; readonly property: string }
  | { readonly kind: 'avg'; readonly property: string };

export interface AggregationQuery {
  readonly nested: Query;
  /** 1 to 5. `alias` is unique within the query; default `property_1`, `property_2`, … */
  readonly aggregations: readonly (AggregationFunction & { readonly alias: string })[];
}

/** Position after which a batch ended, and why. */
export type MoreResults = 'not-finished' | 'after-limit' | 'after-cursor' | 'no-more';
