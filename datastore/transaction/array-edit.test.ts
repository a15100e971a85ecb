import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeValue, encodeValue } from '../../sdk/contract/entity-proto.ts';
import { type Value } from '../../sdk/contract/entity.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { key, type Plain, value } from '../fixture.ts';
import { ArrayEdit } from './array-edit.ts';

const NULL: Value = { kind: 'null' };
const array = (...values: Value[]): Value => ({ kind: 'array', values });
const entity = (properties: Readonly<Record<string, Plain>>, own?: Key): Value => ({
  kind: 'entity',
  value: {
    ...(own ? { key: own } : {}),
    properties: Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, value(one)])),
  },
});
const geo = (latitude: number, longitude: number): Value => ({ kind: 'geoPoint', latitude, longitude });
const blob = (text: string): Value => ({ kind: 'blob', value: Buffer.from(text) });

describe('elements are the same', () => {
  it.each<[Value, Value, boolean]>([
    [value(3n), value(3.0), true],
    [value(3n), value(3.5), false],
    [value(0n), value(-0), true],
    [value(0.0), value(-0), true],
    [value(NaN), value(NaN), true],
    [value(NaN), NULL, false],
    [NULL, NULL, true],
    [value(2n ** 53n + 1n), value(2 ** 53), false],
    [value(2n ** 63n - 1n), value(2 ** 63), false],
    [value(-(2n ** 63n)), value(-(2 ** 63)), true],
    [value(1e300), value(1e300), true],
    [value('3'), value(3n), false],
    [value(true), value(1n), false],
    [value(false), value(true), false],
    [value(new Date(3)), value(3_000n), false],
    [value(new Date(3)), value(new Date(3)), true],
    [blob('a'), value('a'), false],
    [blob('a'), blob('a'), true],
    [geo(0, 1), geo(-0, 1), true],
    [geo(0, 1), geo(1, 0), false],
    [value(key('K', 'a')), value(key('K', 'a')), true],
    [value(key('K', 'a')), value(key('K', 'b')), false],
    [entity({ a: 1n, b: 'x' }), entity({ b: 'x', a: 1.0 }), true],
    [entity({ a: 1n }), entity({ a: 2n }), false],
    [entity({ a: 1n }), entity({ a: 1n, b: null }), false],
    [entity({}, key('K')), entity({}), false],
    [entity({ a: [1n, 2n] }), entity({ a: [1.0, 2n] }), true],
    [entity({ a: [1n, 2n] }), entity({ a: [2n, 1n] }), false],
    [entity({ a: ['ab', 'c'] }), entity({ a: ['a', 'bc'] }), false],
    [{ ...value('m'), meaning: 9, excludeFromIndexes: true }, value('m'), true],
  ])('%#', (left, right, isSame) => {
    for (const [stored, element] of [
      [left, right],
      [right, left],
    ] as const) {
      const appended = new ArrayEdit(array(stored));
      appended.appendMissing([element]);
      expect(appended.value).toStrictEqual(isSame ? array(stored) : array(stored, element));
      const removed = new ArrayEdit(array(stored));
      removed.removeAll([element]);
      expect(removed.value).toStrictEqual(isSame ? array() : array(stored));
    }
  });
});

it.each<[string, Value | undefined]>([
  ['nothing', undefined],
  ['a number', value(1n)],
  ['an entity', entity({})],
])('what is %s becomes an empty array first', (_, stored) => {
  const appended = new ArrayEdit(stored);
  appended.appendMissing([value(1n), value(1.0), value(2n)]);
  expect(appended.value).toStrictEqual(value([1n, 2n]));
  const removed = new ArrayEdit(stored);
  removed.removeAll([value(1n)]);
  expect(decodeValue(removed.toMessage())).toStrictEqual(array());
});

it('keeps what is said about elements, and the bytes of an array that does not change', () => {
  const marked = { ...value(1n), meaning: 9, excludeFromIndexes: true };
  // A field that this code does not know, as from a later version.
  const bytes = Buffer.concat([encodeValue(array(marked, value(2n))), Buffer.from([0xc0, 0x3e, 0x07])]);
  const edit = new ArrayEdit(decodeValue(bytes), bytes);
  edit.appendMissing([value(2.0)]);
  edit.removeAll([value(3n)]);
  expect(edit.toMessage()).toBe(bytes);
  edit.removeAll([value(2n)]);
  expect(decodeValue(edit.toMessage())).toStrictEqual(array(marked));
});

it('does what one transform after another does to a list', () => {
  const element = fc.constantFrom<Plain>(0n, 0, -0, 1n, 1, NaN, null, 'a', 2.5).map(value);
  const elements = fc.array(element, { maxLength: 6 });
  const step = fc.record({ kind: fc.constantFrom('append', 'remove'), elements });
  const isSame = (left: Value, right: Value): boolean => {
    const [one, other] = [left, right].map((it) => ('value' in it ? it.value : null));
    const areNumbers = [one, other].every((it) => typeof it === 'number' || typeof it === 'bigint');
    return areNumbers ? Number(one) === Number(other) || (Number.isNaN(one) && Number.isNaN(other)) : one === other;
  };
  fc.assert(
    fc.property(elements, fc.array(step, { maxLength: 5 }), (start, steps) => {
      const edit = new ArrayEdit(array(...start));
      let model = start;
      for (const { kind, elements: given } of steps) {
        if (kind === 'append') {
          edit.appendMissing(given);
          for (const one of given) if (!model.some((other) => isSame(one, other))) model = [...model, one];
        } else {
          edit.removeAll(given);
          model = model.filter((other) => !given.some((one) => isSame(one, other)));
        }
      }
      expect(edit.value).toStrictEqual(array(...model));
    }),
  );
});
