// Properties of the order-preserving encodings, against a plain comparison of what they mean.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Value } from '../../sdk/contract/entity.ts';
import { type PathElement } from '../../sdk/contract/key.ts';
import { OrderedReader } from './ordered-reader.ts';
import { OrderedWriter } from './ordered-writer.ts';
import { ancestorPrefixes, pathBytes, pathFromBytes, pathPrefixBytes } from './row-key.ts';
import { complement, readValue, skipValue, writeValue } from './value-code.ts';

const APP = 'app';
// Few characters, so that strings often share prefixes: NUL, 01, a letter, the end of the BMP, a surrogate pair, FF's UTF-8.
const text = fc.oneof(
  fc
    .array(fc.constantFrom('\0', '\x01', '\x02', 'a', 'b', 'ÿ', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{1f600}'), { maxLength: 5 })
    .map((parts) => parts.join('')),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
);
const name = text.filter((value) => value !== '');
const int64 = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -3n, max: 3n }));
const element: fc.Arbitrary<PathElement> = fc.oneof(
  fc.record({ kind: fc.constantFrom('A', 'B', 'A\0'), id: int64.filter((id) => id !== 0n) }),
  fc.record({ kind: name, name }),
);
/** The years 1 to 9999. */
const TIMESTAMP_MIN = -62_135_596_800_000_000n;
const TIMESTAMP_MAX = 253_402_300_799_999_999n;
const path = fc.array(element, { minLength: 1, maxLength: 3 });
const blob = fc.uint8Array({ maxLength: 4 });
const double = fc.oneof(fc.double(), fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 5e-324, -5e-324));
const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constant<Value>({ kind: 'null' }),
  int64.map((integer): Value => ({ kind: 'integer', value: integer })),
  fc
    .oneof(fc.bigInt({ min: TIMESTAMP_MIN, max: TIMESTAMP_MAX }), fc.constantFrom(TIMESTAMP_MIN, TIMESTAMP_MAX, 0n, -1n))
    .map((micros): Value => ({ kind: 'timestamp', micros })),
  fc.boolean().map((boolean): Value => ({ kind: 'boolean', value: boolean })),
  blob.map((bytes): Value => ({ kind: 'blob', value: bytes })),
  text.map((string): Value => ({ kind: 'string', value: string })),
  double.map((number): Value => ({ kind: 'double', value: number })),
  fc
    .tuple(fc.double({ min: -90, max: 90, noNaN: true }), fc.double({ min: -180, max: 180, noNaN: true }))
    .map(([latitude, longitude]): Value => ({ kind: 'geoPoint', latitude, longitude })),
  fc
    .tuple(fc.constantFrom('', 'n'), fc.constantFrom('', 'd'), path)
    .map(([namespace, databaseId, keyPath]): Value => ({ kind: 'key', value: { projectId: APP, databaseId, namespace, path: keyPath } })),
);

const sign = (number: number): number => (number < 0 ? -1 : number > 0 ? 1 : 0);
const compareBig = (left: bigint, right: bigint): number => (left < right ? -1 : left > right ? 1 : 0);
const compareUtf8 = (left: string, right: string): number => sign(Buffer.compare(Buffer.from(left), Buffer.from(right)));

function compareDoubles(left: number, right: number): number {
  if (Number.isNaN(left) || Number.isNaN(right)) return sign(Number(Number.isNaN(left)) - Number(Number.isNaN(right)));
  return left < right ? -1 : left > right ? 1 : 0;
}

function comparePaths(left: readonly PathElement[], right: readonly PathElement[]): number {
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const [one, two] = [left[index]!, right[index]!];
    const byKind = compareUtf8(one.kind, two.kind);
    if (byKind !== 0) return byKind;
    if (one.id !== undefined && two.id !== undefined) {
      if (one.id !== two.id) return compareBig(one.id, two.id);
    } else if (one.id !== undefined) return -1;
    else if (two.id !== undefined) return 1;
    else if (one.name !== two.name) return compareUtf8(one.name!, two.name!);
  }
  return sign(left.length - right.length);
}

const RANKS = ['null', 'integer', 'boolean', 'blob', 'string', 'double', 'geoPoint', 'key'];

/** Timestamps stand among the integers, by their microseconds. */
function comparable(one: Value): Value {
  return one.kind === 'timestamp' ? { kind: 'integer', value: one.micros } : one;
}

function compareValues(one: Value, other: Value): number {
  const [left, right] = [comparable(one), comparable(other)];
  if (left.kind !== right.kind) return sign(RANKS.indexOf(left.kind) - RANKS.indexOf(right.kind));
  if (left.kind === 'integer' && right.kind === 'integer') return compareBig(left.value, right.value);
  if (left.kind === 'boolean' && right.kind === 'boolean') return sign(Number(left.value) - Number(right.value));
  if (left.kind === 'blob' && right.kind === 'blob') return sign(Buffer.compare(left.value, right.value));
  if (left.kind === 'string' && right.kind === 'string') return compareUtf8(left.value, right.value);
  if (left.kind === 'double' && right.kind === 'double') return compareDoubles(left.value, right.value);
  if (left.kind === 'geoPoint' && right.kind === 'geoPoint') {
    return compareDoubles(left.latitude, right.latitude) || compareDoubles(left.longitude, right.longitude);
  }
  if (left.kind === 'key' && right.kind === 'key') {
    const [a, b] = [left.value, right.value];
    return (
      compareUtf8(a.databaseId, b.databaseId) || compareUtf8(a.namespace, b.namespace) || comparePaths(left.value.path, right.value.path)
    );
  }
  return 0;
}

const writer = new OrderedWriter();
const encode = (one: Value): Buffer => writeValue(writer.clear(), one, APP).take();

/** What an index keeps: −0 is 0. */
function indexed(one: Value): Value {
  if (one.kind === 'timestamp') return comparable(one);
  if (one.kind === 'double' && one.value === 0) return { kind: 'double', value: 0 };
  if (one.kind === 'geoPoint') return { kind: 'geoPoint', latitude: one.latitude || 0, longitude: one.longitude || 0 };
  return one;
}

describe('value encoding', () => {
  it('orders bytes as the values are ordered, and descending columns the other way', () => {
    fc.assert(
      fc.property(value, value, (left, right) => {
        const wanted = compareValues(left, right);
        expect(sign(Buffer.compare(encode(left), encode(right)))).toBe(wanted);
        expect(sign(Buffer.compare(complement(encode(left)), complement(encode(right))))).toBe(0 - wanted);
      }),
      { numRuns: 2_000 },
    );
  });

  it('reads back what it wrote, ascending and descending, and stops where it ended', () => {
    fc.assert(
      fc.property(value, blob, (one, behind) => {
        const bytes = encode(one);
        const ascending = new OrderedReader(Buffer.concat([bytes, behind]));
        const back = readValue(ascending);
        expect(back.kind === 'blob' ? { ...back, value: Uint8Array.from(back.value) } : back).toEqual(indexed(one));
        expect(ascending.offset).toBe(bytes.length);
        const descending = new OrderedReader(Buffer.concat([complement(bytes), behind]), 0, { complemented: true });
        expect(encode(readValue(descending)).equals(bytes)).toBe(true);
        expect(descending.offset).toBe(bytes.length);
        const skipping = new OrderedReader(Buffer.concat([bytes, behind]));
        skipValue(skipping);
        expect(skipping.offset).toBe(bytes.length);
      }),
      { numRuns: 1_000 },
    );
  });

  it('gives a timestamp the place of its microseconds and fills in the app of a key', () => {
    expect(encode({ kind: 'timestamp', micros: 5n })).toEqual(encode({ kind: 'integer', value: 5n }));
    const key = (projectId: string): Value => ({
      kind: 'key',
      value: { projectId, databaseId: '', namespace: '', path: [{ kind: 'K', id: 1n }] },
    });
    expect(encode(key(''))).toEqual(encode(key(APP)));
  });

  it('refuses what has no place in the order', () => {
    expect(() => encode({ kind: 'array', values: [] })).toThrow(expect.objectContaining({ code: 'DS_INVALID' }));
    expect(() => encode({ kind: 'entity', value: { properties: {} } })).toThrow(expect.objectContaining({ code: 'DS_INVALID' }));
    expect(() => encode({ kind: 'string', value: 'half \ud800 pair' })).toThrow(expect.objectContaining({ code: 'DS_INVALID' }));
  });

  it('never reads past bytes that end early', () => {
    fc.assert(
      fc.property(value, fc.nat(), (one, cut) => {
        const bytes = encode(one);
        const reader = new OrderedReader(bytes.subarray(0, cut % bytes.length));
        expect(() => readValue(reader)).toThrow(expect.objectContaining({ code: 'DS_CORRUPT' }));
      }),
    );
  });
});

describe('path encoding', () => {
  it('orders bytes as keys are ordered', () => {
    fc.assert(
      fc.property(path, path, (left, right) => {
        expect(sign(Buffer.compare(pathBytes(left), pathBytes(right)))).toBe(comparePaths(left, right));
      }),
      { numRuns: 2_000 },
    );
  });

  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(path, (one) => {
        expect(pathFromBytes(pathBytes(one))).toEqual(one);
      }),
    );
  });

  it('has a prefix that holds exactly the key and its descendants', () => {
    fc.assert(
      fc.property(path, path, (ancestor, other) => {
        const isBelow = other.length >= ancestor.length && comparePaths(other.slice(0, ancestor.length), ancestor) === 0;
        expect(pathBytes(other).subarray(0, pathPrefixBytes(ancestor).length).equals(pathPrefixBytes(ancestor))).toBe(isBelow);
        const own = [...ancestor, ...other];
        expect(ancestorPrefixes(pathBytes(own))).toEqual(own.map((_, index) => pathPrefixBytes(own.slice(0, index + 1))));
      }),
      { numRuns: 500 },
    );
  });

  it('refuses an incomplete path', () => {
    expect(() => pathBytes([{ kind: 'K' }])).toThrow(expect.objectContaining({ code: 'DS_INVALID' }));
  });
});
