// Positions and places (plan.ts) as bytes: taking them apart, and turning one into the other.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Order } from '../../sdk/contract/query.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { skipPath } from '../codec/path-code.ts';
import { complement, skipValue } from '../codec/value-code.ts';
import { keyAfterPrefix } from '../storage/key-bytes.ts';
import { type BranchPlan, type QueryPlan } from './plan.ts';

/** The offset behind each column. Throws DS_CORRUPT. */
export function columnEnds(bytes: Buffer, columns: readonly Order[]): readonly number[] {
  let offset = 0;
  return columns.map(({ direction }) => {
    const reader = new OrderedReader(bytes, offset, { complemented: direction === 'desc' });
    skipValue(reader);
    offset = reader.offset;
    return offset;
  });
}

/** The encoded path at the end of a place or position whose columns end at `from`. */
export function pathAt(bytes: Buffer, from: number, keyDirection: 'asc' | 'desc'): Buffer {
  const path = bytes.subarray(from);
  return keyDirection === 'asc' ? path : complement(path);
}

/** A place with the columns put in that its branch holds fixed. */
export function positionOf(place: Buffer, branch: BranchPlan, ends: readonly number[]): Buffer {
  if (branch.columns.length === branch.fixed.length) return place;
  const parts: Buffer[] = [];
  let column = 0;
  let from = 0;
  for (const fixed of branch.fixed) {
    if (fixed) {
      parts.push(fixed);
      continue;
    }
    const end = ends[column++] ?? from;
    parts.push(place.subarray(from, end));
    from = end;
  }
  parts.push(place.subarray(from));
  return Buffer.concat(parts);
}

/**
 * The place from which a branch's hits have positions not below `position`; undefined when none has. Throws DS_INVALID when
 * `position` is not one (a forged cursor).
 */
export function placeFrom(position: Buffer, plan: QueryPlan, branch: BranchPlan): Buffer | undefined {
  if (position.length === 0 || branch.columns.length === branch.fixed.length) return position;
  const ends = readCursor(() => columnEnds(position, plan.layout));
  const place: Buffer[] = [];
  let from = 0;
  for (const [at, fixed] of branch.fixed.entries()) {
    const end = ends[at] ?? from;
    const column = position.subarray(from, end);
    from = end;
    if (!fixed) {
      place.push(column);
      continue;
    }
    const order = Buffer.compare(fixed, column);
    if (order > 0) return Buffer.concat(place);
    if (order < 0) return place.length === 0 ? undefined : keyAfterPrefix(Buffer.concat(place));
  }
  place.push(position.subarray(from));
  return Buffer.concat(place);
}

/** The first `count` columns of the result that a cursor stands right behind; undefined when it stands elsewhere. */
export function columnsBehindCursor(cursor: Buffer, plan: QueryPlan, count: number): Buffer | undefined {
  if (cursor.length === 0) return undefined;
  return readCursor(() => {
    const ends = columnEnds(cursor, plan.layout);
    const pathFrom = ends.at(-1) ?? 0;
    const path = pathAt(cursor, pathFrom, plan.keyDirection);
    const reader = new OrderedReader(path);
    skipPath(reader);
    return path.length === reader.offset + 1 ? cursor.subarray(0, ends[count - 1] ?? 0) : undefined;
  });
}

function readCursor<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new PlatformError('DS_INVALID', 'the cursor cannot be read', { cause });
  }
}
