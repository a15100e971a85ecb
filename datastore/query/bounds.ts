// Queries: a bound query becomes a plan over index rows (planner.ts, pure), and a plan becomes results (executor.ts).
// Must not write, and never reads an entity that is not a result or a candidate for one.
// Read next: normal-query.ts (what a query means), planner.ts, then executor.ts.
import { complement } from '../codec/value-code.ts';
import { keyAfterPrefix } from '../storage/key-bytes.ts';

export interface Bound {
  /** An encoded value or path, ascending. */
  readonly value: Buffer;
  readonly inclusive: boolean;
}

/** An interval of encoded values or paths; open where a side is absent. */
export interface Bounds {
  readonly low?: Bound;
  readonly high?: Bound;
}

/** What an interval is in a column: bytes from `from`, inclusive, to `to`, exclusive; absent `to` for no end. */
export interface ColumnRange {
  readonly from: Buffer;
  readonly to?: Buffer;
}

const EMPTY = Buffer.alloc(0);
export const EVERYTHING: ColumnRange = { from: EMPTY };

/** The part of both. */
export function intersect(left: Bounds, right: Bounds): Bounds {
  const low = left.low && right.low ? tighter(left.low, right.low, 1) : (left.low ?? right.low);
  const high = left.high && right.high ? tighter(left.high, right.high, -1) : (left.high ?? right.high);
  return { ...(low ? { low } : {}), ...(high ? { high } : {}) };
}

export function isEmptyBounds({ low, high }: Bounds): boolean {
  if (!low || !high) return false;
  const order = Buffer.compare(low.value, high.value);
  return order > 0 || (order === 0 && !(low.inclusive && high.inclusive));
}

/** The single value that the bounds leave, if it is one. */
export function singlePoint({ low, high }: Bounds): Buffer | undefined {
  return low?.inclusive && high?.inclusive && low.value.equals(high.value) ? low.value : undefined;
}

export function contains({ low, high }: Bounds, value: Buffer): boolean {
  if (low) {
    const order = Buffer.compare(value, low.value);
    if (order < 0 || (order === 0 && !low.inclusive)) return false;
  }
  if (!high) return true;
  const order = Buffer.compare(value, high.value);
  return order < 0 || (order === 0 && high.inclusive);
}

/** Relies on encoded values being prefix-free: what follows a value in a row never reaches the next value. */
export function columnRange({ low, high }: Bounds, direction: 'asc' | 'desc'): ColumnRange {
  const [first, last] = direction === 'asc' ? [low, high] : [flip(high), flip(low)];
  const from = first ? (first.inclusive ? first.value : keyAfterPrefix(first.value)) : EMPTY;
  const to = last ? (last.inclusive ? keyAfterPrefix(last.value) : last.value) : undefined;
  // Nothing lies behind a value of FFs only.
  if (from === undefined) return { from: EMPTY, to: EMPTY };
  return to ? { from, to } : { from };
}

export function isInColumnRange(bytes: Buffer, { from, to }: ColumnRange): boolean {
  return Buffer.compare(bytes, from) >= 0 && (to === undefined || Buffer.compare(bytes, to) < 0);
}

function flip(bound: Bound | undefined): Bound | undefined {
  return bound && { value: complement(bound.value), inclusive: bound.inclusive };
}

function tighter(left: Bound, right: Bound, sign: 1 | -1): Bound {
  const order = Buffer.compare(left.value, right.value) * sign;
  if (order !== 0) return order > 0 ? left : right;
  return left.inclusive ? right : left;
}
