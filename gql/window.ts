// LIMIT and OFFSET: counts and cursors.
import { type Query } from '../sdk/contract/query.ts';
import { type Limit, type Offset, type Position, type Select } from './ast.ts';
import { type Scope } from './scope.ts';

export type Window = Pick<Query, 'limit' | 'offset' | 'startCursor' | 'endCursor'>;

/** Throws GQL_BIND for an argument of the wrong type, GQL_SYNTAX for a literal that cannot stand there. */
export function windowOf({ limit, offset }: Select, scope: Scope): Window {
  return { offset: 0, ...(limit && limitOf(limit, scope)), ...(offset && offsetOf(offset, scope)) };
}

type Clause = 'Limit' | 'Offset';
type Bound = { readonly count: number } | { readonly cursor: Uint8Array };

/** What the public API can carry. */
const INT32_MAX = 2n ** 31n - 1n;

function bound(position: Position, clause: Clause, scope: Scope): Bound {
  if (position.kind === 'integer') {
    scope.literal(position.at);
    const unfit = unfitCount(position.value, clause);
    if (unfit !== undefined) throw scope.error(position.at, unfit);
    return { count: Number(position.value) };
  }
  const argument = scope.argument(position);
  if (argument.kind === 'cursor') return { cursor: argument.cursor };
  if (argument.value.kind !== 'integer') throw scope.mismatch(position, argument.value.kind, 'integer or cursor');
  const unfit = unfitCount(argument.value.value, clause);
  if (unfit !== undefined) throw scope.refusal(position, unfit);
  return { count: Number(argument.value.value) };
}

function unfitCount(value: bigint, clause: Clause): string | undefined {
  if (value < 0n) return `${clause} must be non-negative.`;
  return value > INT32_MAX ? `${clause} must be at most ${INT32_MAX}.` : undefined;
}

function limitOf({ positions: [one, other] }: Limit, scope: Scope): Partial<Window> {
  const first = bound(one, 'Limit', scope);
  if (other === undefined) return asLimit(first);
  const second = bound(other, 'Limit', scope);
  if ('cursor' in first === 'cursor' in second) {
    const [found, want] = 'cursor' in first ? ['cursor', 'integer'] : ['integer', 'cursor'];
    const culprit = other.kind === 'binding' ? other : one;
    if (culprit.kind === 'binding') throw scope.mismatch(culprit, found, want);
    throw scope.error(one.at, 'FIRST takes a cursor and an integer; a cursor is passed as an argument.');
  }
  return { ...asLimit(first), ...asLimit(second) };
}

const asLimit = (limit: Bound): Partial<Window> => ('cursor' in limit ? { endCursor: limit.cursor } : { limit: limit.count });

function offsetOf({ base, plus }: Offset, scope: Scope): Partial<Window> {
  const start = bound(base, 'Offset', scope);
  if (plus === undefined) return 'cursor' in start ? { startCursor: start.cursor } : { offset: start.count };
  if (!('cursor' in start)) {
    if (base.kind === 'binding') throw scope.mismatch(base, 'integer', 'cursor');
    throw scope.error(base.at, 'What + adds to is a cursor, passed as an argument.');
  }
  const skip = bound(plus, 'Offset', scope);
  if ('count' in skip) return { startCursor: start.cursor, offset: skip.count };
  if (plus.kind === 'binding') throw scope.mismatch(plus, 'cursor', 'integer');
  throw new Error('Broken invariant: a literal cursor');
}
