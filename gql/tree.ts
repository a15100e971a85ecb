// Builds drafts of the tree of ast.ts out of what the grammar hands over: the same shapes, with chains for arrays until
// `settle`. Only gql.ne calls this.
import {
  type AggregationItem,
  type CastName,
  type Condition,
  type Hint,
  type IntegerLiteral,
  type KeyLiteral,
  type Limit,
  type Name,
  type Offset,
  type OrderItem,
  type Place,
  type Property,
} from './ast.ts';
import { type Chain } from './chain.ts';
import { type Token } from './token.ts';

/** What the grammar leaves out arrives as null. */
type Maybe<T> = T | null | undefined;

interface Clauses {
  readonly selection: object;
  readonly from?: Maybe<Name>;
  readonly where?: Maybe<object>;
  readonly orders?: Maybe<Chain<OrderItem>>;
  readonly limit?: Maybe<Limit>;
  readonly offset?: Maybe<Offset>;
  readonly hint?: Maybe<Hint>;
}

export function select(first: Token, { selection, from, where, orders, limit, offset, hint }: Clauses) {
  return {
    kind: 'select' as const,
    selection,
    ...(from && { from }),
    ...(where && { where }),
    orders: orders ?? [],
    ...(limit && { limit }),
    ...(offset && { offset }),
    ...(hint && { hint }),
    at: first.at,
  };
}

interface SelectionParts {
  readonly properties?: Chain<Property>;
  readonly distinct?: boolean;
  readonly distinctOn?: Chain<Property>;
}

export function selection(first: { readonly at: Place }, parts: SelectionParts = {}) {
  return { distinct: false, ...parts, at: first.at };
}

export function simpleAggregation(first: Token, functions: Chain<AggregationItem>, from: Maybe<Name>, where: Maybe<object>) {
  const over = select(first, { selection: selection(first), from, where });
  return { kind: 'aggregation' as const, form: 'simple' as const, functions, over, at: first.at };
}

export function aggregationOver(first: Token, functions: Chain<AggregationItem>, over: object) {
  return { kind: 'aggregation' as const, form: 'over' as const, functions, over, at: first.at };
}

/** One condition stands for itself. */
export function junction(kind: 'and' | 'or', conditions: Chain<Condition>) {
  return conditions.length === 1 ? conditions.first : { kind, conditions };
}

export function key(first: Token, project: Maybe<Token<string>>, namespace: Maybe<Token<string>>, path: Chain<KeyLiteral['path'][number]>) {
  return {
    kind: 'key' as const,
    ...(project && { project: project.value }),
    ...(namespace && { namespace: namespace.value }),
    path,
    at: first.at,
  };
}

export function keyElement(kind: Name, id: Token<bigint | string>): KeyLiteral['path'][number] {
  return { entityKind: kind.name, id: id.value, at: id.at };
}

export function name(token: Token<string>): Name {
  return { name: token.value, at: token.at };
}

export function cast(first: Token<CastName>, values: object = []) {
  return { kind: 'cast' as const, name: first.text, values, at: first.at };
}

/** LIMIT and OFFSET of the Python dialect, which takes only numbers. */
export function window(limit: Maybe<IntegerLiteral>, base?: IntegerLiteral): { readonly limit?: Limit; readonly offset?: Offset } {
  return { ...(limit && { limit: { positions: [limit] } }), ...(base && { offset: { base } }) };
}
