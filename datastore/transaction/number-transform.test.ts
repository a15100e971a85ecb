import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Value } from '../../sdk/contract/entity.ts';
import { increment, maximum, minimum, type NumberValue } from './number-transform.ts';

const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);
/** A bigint is an integer, a number a double. */
const of = (plain: bigint | number): NumberValue =>
  typeof plain === 'bigint' ? { kind: 'integer', value: plain } : { kind: 'double', value: plain };
type Row = [bigint | number, bigint | number, bigint | number];

describe('increment', () => {
  it.each<Row>([
    [1n, 2n, 3n],
    [1n, -2n, -1n],
    [MAX, 1n, MAX],
    [MAX, MAX, MAX],
    [MIN, -1n, MIN],
    [MIN, MIN, MIN],
    [MAX, MIN, -1n],
    [1n, 0.5, 1.5],
    [0.5, 1n, 1.5],
    [2n ** 53n + 1n, 0, 2 ** 53],
    [MAX, 1.5, 2 ** 63],
    [0.1, 0.2, 0.1 + 0.2],
    [1e308, 1e308, Infinity],
    [Infinity, -Infinity, NaN],
    [NaN, 1n, NaN],
    [-0, -0, -0],
    [0n, -0, 0],
  ])('of %s by %s is %s', (stored, operand, sum) => {
    expect(increment(of(stored), of(operand))).toStrictEqual(of(sum));
  });
});

describe('maximum and minimum', () => {
  it.each<[...Row, bigint | number]>([
    [1n, 2n, 2n, 1n],
    [2n, 1n, 2n, 1n],
    [1n, 2.5, 2.5, 1n],
    [2.5, 1n, 2.5, 1n],
    [3n, 3.0, 3n, 3n],
    [3.0, 3n, 3.0, 3.0],
    [0n, -0, 0n, 0n],
    [0n, 0.0, 0n, 0n],
    [-0, 0n, -0, -0],
    [-0, 0.0, -0, -0],
    [0.0, -0, 0.0, 0.0],
    [1n, NaN, NaN, NaN],
    [NaN, 1n, NaN, NaN],
    [NaN, -Infinity, NaN, NaN],
    [Infinity, MAX, Infinity, MAX],
    // As doubles these are the same number, as numbers they are not.
    [2n ** 53n + 1n, 2 ** 53, 2n ** 53n + 1n, 2 ** 53],
    [2 ** 53, 2n ** 53n + 1n, 2n ** 53n + 1n, 2 ** 53],
    [MAX, 2 ** 63, 2 ** 63, MAX],
    [MIN, -(2 ** 63), MIN, MIN],
  ])('of %s and %s are %s and %s', (stored, operand, greater, lesser) => {
    expect(maximum(of(stored), of(operand))).toStrictEqual(of(greater));
    expect(minimum(of(stored), of(operand))).toStrictEqual(of(lesser));
  });

  it('are the stored value itself where it stays', () => {
    const marked: NumberValue = { kind: 'integer', value: 3n, excludeFromIndexes: true, meaning: 9 };
    expect(maximum(marked, of(3.0))).toBe(marked);
    expect(minimum(marked, of(4n))).toBe(marked);
  });
});

it.each<[string, Value | undefined]>([
  ['nothing', undefined],
  ['null', { kind: 'null' }],
  ['a timestamp', { kind: 'timestamp', micros: 5n }],
  ['a boolean', { kind: 'boolean', value: true }],
  ['text', { kind: 'string', value: '5' }],
  ['an array', { kind: 'array', values: [of(5n)] }],
])('what is %s becomes the operand', (_, stored) => {
  const operand = of(-7n);
  for (const transform of [increment, maximum, minimum]) expect(transform(stored, operand)).toBe(operand);
});

it('integers stay within 64 bits', () => {
  const int64 = fc.bigInt({ min: MIN, max: MAX });
  fc.assert(
    fc.property(int64, int64, (stored, operand) => {
      const exact = stored + operand;
      expect(increment(of(stored), of(operand)).value).toBe(exact > MAX ? MAX : exact < MIN ? MIN : exact);
    }),
  );
});
