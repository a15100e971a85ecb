import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeEntity, encodeEntity } from '../contract/entity-proto.ts';
import { LIMITS } from '../contract/limits.ts';
import { appEntity, DatastoreKey, Double, GeoPoint, naturalFromValue, propertiesFromNatural, valueFromNatural } from './natural-value.ts';

const natural = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.double({ noInteger: true }),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
    fc.string({ unit: 'binary' }),
    fc.date({ noInvalidDate: true, min: new Date('0001-01-01'), max: new Date('9999-12-31') }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.constant(new GeoPoint(1.5, -2)),
    fc.constant(new DatastoreKey([{ kind: 'K', id: 5n }])),
    fc.array(fc.oneof(fc.maxSafeInteger(), fc.string({ unit: 'binary' })), { maxLength: 4 }),
    fc.dictionary(fc.string({ unit: 'binary', minLength: 1 }), tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

test('what an app writes is what it reads back, through the bytes', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: 'binary', minLength: 1 }), natural, { maxKeys: 5, noNullPrototype: true }),
      (properties) => {
        const key = new DatastoreKey([{ kind: 'Thing', name: 'x' }]);
        const bytes = encodeEntity({ key, properties: propertiesFromNatural(properties, []) });
        const back = appEntity(decodeEntity(bytes));
        expect(back.properties).toEqual(properties);
        expect(back.key.toString()).toBe(key.toString());
      },
    ),
  );
});

test.each([
  [4, { kind: 'integer', value: 4n }],
  [new Double(4), { kind: 'double', value: 4 }],
  [4.5, { kind: 'double', value: 4.5 }],
  [2n ** 62n, { kind: 'integer', value: 2n ** 62n }],
  [new Date(1.5e12), { kind: 'timestamp', micros: 1_500_000_000_000_000n }],
])('%s is stored as its own type', (item, value) => {
  expect(valueFromNatural(item, 'p')).toEqual(value);
});

test('integers beyond 2^53 come back as bigint, others as number', () => {
  expect(naturalFromValue({ kind: 'integer', value: 2n ** 53n - 1n })).toBe(Number.MAX_SAFE_INTEGER);
  expect(naturalFromValue({ kind: 'integer', value: 2n ** 53n })).toBe(2n ** 53n);
  expect(naturalFromValue({ kind: 'integer', value: -(2n ** 63n) })).toBe(-(2n ** 63n));
});

test('what holds itself is refused; as many entities as are allowed, each in a list, are not', () => {
  const endless: Record<string, unknown> = {};
  endless['self'] = endless;
  const list: unknown[] = [];
  list.push(list);
  for (const value of [endless, list]) {
    expect(() => valueFromNatural(value, 'p')).toThrow(expect.objectContaining({ code: 'DS_LIMIT' }));
  }
  const nested = (levels: number): unknown => (levels === 0 ? 1 : [{ inner: nested(levels - 1) }]);
  const encoded = (levels: number) => (): Buffer =>
    encodeEntity({ key: new DatastoreKey([{ kind: 'K', id: 5n }]), properties: { p: valueFromNatural(nested(levels), 'p') } });
  expect(encoded(LIMITS.entityDepthMax)).not.toThrow();
  expect(encoded(LIMITS.entityDepthMax + 1)).toThrow(expect.objectContaining({ code: 'DS_LIMIT' }));
});

test.each([
  [2n ** 63n, 'beyond 64 bits'],
  [() => 1, 'of type function'],
  [Symbol('s'), 'of type symbol'],
  [new Map(), 'of class Map'],
  [new Date('never'), 'an invalid date'],
])('%o has no place in the datastore and is refused by property name', (item, words) => {
  expect(() => propertiesFromNatural({ odd: item }, [])).toThrow(
    expect.objectContaining({ code: 'DS_INVALID', message: expect.stringContaining('"odd"') }),
  );
  expect(() => propertiesFromNatural({ odd: item }, [])).toThrow(words);
});

test('undefined leaves a property out, and an unindexed one stays so when it is written back', () => {
  const properties = propertiesFromNatural({ gone: undefined, text: 'long', list: ['a', 'b'], kept: 1 }, ['text', 'list']);
  expect(Object.keys(properties)).toEqual(['text', 'list', 'kept']);
  const entity = appEntity({ key: new DatastoreKey([{ kind: 'K' }]), properties });
  expect(entity.unindexed).toEqual(['text', 'list']);
  expect(propertiesFromNatural(entity.properties, entity.unindexed ?? [])).toEqual(properties);
});

test('a property may be called __proto__ and changes nothing but itself', () => {
  const read = naturalFromValue({
    kind: 'entity',
    value: { properties: Object.assign(Object.create(null) as object, JSON.parse('{"__proto__":{"kind":"boolean","value":true}}')) },
  });
  expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
  expect(Object.getOwnPropertyDescriptor(read, '__proto__')?.value).toBe(true);
});
