import { describe, expect, it } from 'vitest';
import { encodeEntity } from '../../sdk/contract/entity-proto.ts';
import { type Properties, type Value } from '../../sdk/contract/entity.ts';
import { key, value } from '../fixture.ts';
import { isSameEntity } from './same-entity.ts';

const message = (properties: Properties, name = 'k'): Buffer => encodeEntity({ key: key('K', name), properties });
const entity = (properties: Properties, rest: object = {}): Value => ({ kind: 'entity', value: { properties }, ...rest });
const array = (...values: Value[]): Value => ({ kind: 'array', values });
const [one, two] = [value(1n), value(2n)];
const long = value('x'.repeat(5_000));

describe('two messages say the same', () => {
  it.each<[string, Buffer, Buffer, boolean]>([
    ['themselves', message({ a: one }), message({ a: one }), true],
    ['properties in another order', message({ a: one, b: two }), message({ b: two, a: one }), true],
    ['of a long entity too', message({ a: one, b: long }), message({ b: long, a: one }), true],
    ['embedded ones in another order', message({ e: entity({ a: one, b: two }) }), message({ e: entity({ b: two, a: one }) }), true],
    ['those in arrays', message({ l: array(entity({ a: one, b: two })) }), message({ l: array(entity({ b: two, a: one })) }), true],
    ['elements in another order', message({ l: array(one, two) }), message({ l: array(two, one) }), false],
    ['values exchanged', message({ a: one, b: two }), message({ a: two, b: one }), false],
    ['values of a long entity exchanged', message({ a: one, b: two, l: long }), message({ a: two, b: one, l: long }), false],
    ['names exchanged', message({ ab: one, cd: one }), message({ ad: one, cb: one }), false],
    [
      'marks exchanged',
      message({ a: entity({}, { meaning: 9 }), b: entity({}, { meaning: 8 }) }),
      message({ a: entity({}, { meaning: 8 }), b: entity({}, { meaning: 9 }) }),
      false,
    ],
    ['kinds exchanged', message({ a: entity({}), b: array() }), message({ a: array(), b: entity({}) }), false],
    ['another key', message({}, 'ab'), message({}, 'ba'), false],
    ['one more', message({ a: one }), message({}), false],
  ])('%s', (_, left, right, isSame) => {
    expect(isSameEntity(left, right)).toBe(isSame);
    expect(isSameEntity(right, left)).toBe(isSame);
  });
});
