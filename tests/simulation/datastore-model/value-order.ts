// The order of values and keys as App Engine documents it, written from the documentation and not from our encoding:
// null, integers and timestamps (as microseconds), booleans, byte strings, text by code points, doubles with NaN last,
// geo points, keys.
import { type Value } from '../../../sdk/contract/entity.ts';
import { type Key } from '../../../sdk/contract/key.ts';

const RANKS: Readonly<Record<Value['kind'], number>> = {
  null: 1,
  integer: 2,
  timestamp: 2,
  boolean: 3,
  blob: 4,
  string: 5,
  double: 6,
  geoPoint: 7,
  key: 8,
  entity: 9,
  array: 9,
};

/** Negative, zero or positive. Values that no index holds apart are equal: 5 and the timestamp of 5 µs, 0 and −0. */
export function compareValues(left: Value, right: Value): number {
  const byRank = RANKS[left.kind] - RANKS[right.kind];
  if (byRank !== 0) return byRank;
  switch (left.kind) {
    case 'null':
      return 0;
    case 'integer':
    case 'timestamp':
      return compareIntegers(integerOf(left), integerOf(right));
    case 'boolean':
      return right.kind === 'boolean' ? Number(left.value) - Number(right.value) : 0;
    case 'blob':
      return right.kind === 'blob' ? compareBytes(left.value, right.value) : 0;
    case 'string':
      return right.kind === 'string' ? compareTexts(left.value, right.value) : 0;
    case 'double':
      return right.kind === 'double' ? compareDoubles(left.value, right.value) : 0;
    case 'geoPoint':
      return right.kind === 'geoPoint'
        ? compareDoubles(left.latitude, right.latitude) || compareDoubles(left.longitude, right.longitude)
        : 0;
    case 'key':
      return right.kind === 'key' ? compareKeys(left.value, right.value) : 0;
    default:
      throw new Error(`a value of the kind ${left.kind} has no place in an index`);
  }
}

/** By database and namespace, then element by element, a parent before its children, ids before names. */
export function compareKeys(left: Key, right: Key): number {
  const byPartition = compareTexts(left.databaseId, right.databaseId) || compareTexts(left.namespace, right.namespace);
  if (byPartition !== 0) return byPartition;
  for (const [at, one] of left.path.entries()) {
    const other = right.path[at];
    if (!other) return 1;
    const byKind = compareTexts(one.kind, other.kind);
    if (byKind !== 0) return byKind;
    if (one.id !== undefined || other.id !== undefined) {
      if (one.id === undefined) return 1;
      if (other.id === undefined) return -1;
      const byId = compareIntegers(one.id, other.id);
      if (byId !== 0) return byId;
    } else {
      const byName = compareTexts(one.name ?? '', other.name ?? '');
      if (byName !== 0) return byName;
    }
  }
  return left.path.length - right.path.length;
}

/** By code points, which JavaScript's own comparison is not. */
export function compareTexts(left: string, right: string): number {
  const [ones, others] = [Array.from(left), Array.from(right)];
  for (const [at, one] of ones.entries()) {
    const other = others[at];
    if (other === undefined) return 1;
    const difference = (one.codePointAt(0) ?? 0) - (other.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return ones.length - others.length;
}

function integerOf(value: Value): bigint {
  return value.kind === 'integer' ? value.value : value.kind === 'timestamp' ? value.micros : 0n;
}

function compareIntegers(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareDoubles(left: number, right: number): number {
  if (Number.isNaN(left) || Number.isNaN(right)) return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareBytes(left: Uint8Array, right: Uint8Array): number {
  for (const [at, one] of left.entries()) {
    const other = right[at];
    if (other === undefined) return 1;
    if (one !== other) return one - other;
  }
  return left.length - right.length;
}
