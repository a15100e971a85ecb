// gql/ turns GQL text, in both dialects, into a bound query: text → frozen tree with places → query of the contract.
// It must not read or write anything, keep state beyond its bounded cache, or know how a query is answered.
// Read next: gql.ne (the grammar), then parse.ts and bind.ts; docs/gql.md for the language as its users see it.

export type GqlDialect = 'cloud' | 'python';

/** Where a piece of the tree stands in the text. */
export interface Place {
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
  /** UTF-16 offsets of its first token, the end exclusive. */
  readonly start: number;
  readonly end: number;
}

/** A statement as parsed. Deeply frozen, so that a cache can share it. */
export interface GqlStatement {
  readonly dialect: GqlDialect;
  /** The text it came from; later errors show the line at fault. */
  readonly text: string;
  readonly tree: Select | Aggregation;
}

export interface Select {
  readonly kind: 'select';
  readonly selection: Selection;
  /** The kind; absent for a kindless query. */
  readonly from?: Name;
  readonly where?: Condition;
  readonly orders: readonly OrderItem[];
  readonly limit?: Limit;
  readonly offset?: Offset;
  /** Python dialect; has no effect. */
  readonly hint?: Hint;
  readonly at: Place;
}

export type Hint = 'ORDER_FIRST' | 'FILTER_FIRST' | 'ANCESTOR_FIRST';

export interface Aggregation {
  readonly kind: 'aggregation';
  /** `SELECT COUNT(*) FROM …` or `AGGREGATE COUNT(*) OVER (SELECT …)`. */
  readonly form: 'simple' | 'over';
  readonly functions: readonly AggregationItem[];
  readonly over: Select;
  readonly at: Place;
}

export type AggregationItem = {
  readonly alias?: Name;
  readonly at: Place;
} & (
  | { readonly kind: 'count' }
  | { readonly kind: 'count-up-to'; readonly limit: bigint }
  | { readonly kind: 'sum' | 'avg'; readonly property: Property }
);

export interface Selection {
  /** Absent for `*`. */
  readonly properties?: readonly Property[];
  /** `DISTINCT a, b`. */
  readonly distinct: boolean;
  /** `DISTINCT ON (a) …`. */
  readonly distinctOn?: readonly Property[];
  readonly at: Place;
}

export interface Name {
  readonly name: string;
  readonly at: Place;
}

/** A property as written: `Task.address.city` has three components, a quoted name or a Python name always one. */
export interface Property {
  readonly components: readonly string[];
  readonly at: Place;
}

export interface OrderItem {
  readonly property: Property;
  readonly direction: 'asc' | 'desc';
}

export type Comparator = '=' | '<' | '<=' | '>' | '>=' | '!=';

export type Condition =
  | {
      readonly kind: 'comparison';
      readonly property: Property;
      readonly operator: Comparator | 'CONTAINS' | 'HAS ANCESTOR' | 'IN' | 'NOT IN';
      readonly value: GqlValue;
    }
  /** The value stands on the left. */
  | {
      readonly kind: 'reversed';
      readonly value: GqlValue;
      readonly operator: Comparator | 'IN' | 'HAS DESCENDANT';
      readonly property: Property;
    }
  | { readonly kind: 'is-null'; readonly property: Property }
  /** Python dialect: `ANCESTOR IS …`. */
  | { readonly kind: 'ancestor'; readonly value: Binding | Cast; readonly at: Place }
  /** At least two conditions. */
  | { readonly kind: 'and' | 'or'; readonly conditions: readonly Condition[] };

/** `@name` or `@1`; in the Python dialect `:name` or `:1`. A number counts from 1. */
export interface Binding {
  readonly kind: 'binding';
  readonly name: string | number;
  readonly at: Place;
}

export interface IntegerLiteral {
  readonly kind: 'integer';
  /** Fits 64 bits. */
  readonly value: bigint;
  readonly at: Place;
}

export type PlainLiteral =
  | IntegerLiteral
  | { readonly kind: 'string'; readonly value: string; readonly at: Place }
  /** Finite. */
  | { readonly kind: 'double'; readonly value: number; readonly at: Place }
  | { readonly kind: 'boolean'; readonly value: boolean; readonly at: Place }
  | { readonly kind: 'null'; readonly at: Place };

export interface KeyLiteral {
  readonly kind: 'key';
  readonly project?: string;
  readonly namespace?: string;
  /** Root first; a bigint is an id, a string a name. */
  readonly path: readonly { readonly entityKind: string; readonly id: bigint | string; readonly at: Place }[];
  readonly at: Place;
}

export interface ArrayLiteral {
  readonly kind: 'array';
  readonly items: readonly GqlValue[];
  readonly at: Place;
}

export type CastName = 'DATE' | 'DATETIME' | 'GEOPT' | 'KEY' | 'TIME' | 'USER';

/** Python dialect. */
export interface Cast {
  readonly kind: 'cast';
  readonly name: CastName;
  readonly values: readonly (Binding | PlainLiteral)[];
  readonly at: Place;
}

export type GqlValue =
  | Binding
  | PlainLiteral
  | KeyLiteral
  | ArrayLiteral
  | Cast
  /** The text within `BLOB('…')` or `DATETIME('…')`, checked when bound. */
  | { readonly kind: 'blob' | 'datetime'; readonly text: string; readonly at: Place };

/** An operand of LIMIT or OFFSET: a count, or a binding that may also be a cursor. */
export type Position = Binding | IntegerLiteral;

/** One operand, or the two of `FIRST(…, …)`. */
export interface Limit {
  readonly positions: readonly [Position] | readonly [Position, Position];
}

/** `OFFSET base + plus`. */
export interface Offset {
  readonly base: Position;
  readonly plus?: Position;
}
