import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cacheKeyOf, type CacheValue, decodeCacheValue, encodeCacheValue } from './memcache-value.ts';

const roundTrip = (value: CacheValue): CacheValue => decodeCacheValue(encodeCacheValue(value));

test('what is cached comes back as it was', () => {
  const anything = fc.oneof(fc.string({ unit: 'grapheme' }), fc.double(), fc.integer(), fc.bigInt(), fc.boolean(), fc.constant(null));
  fc.assert(
    fc.property(anything, (value) => {
      expect(Object.is(roundTrip(value), value)).toBe(true);
    }),
  );
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const cached = { value };
      expect(roundTrip(cached)).toEqual(JSON.parse(JSON.stringify(cached)));
    }),
  );
});

test('the worked example of the contract', () => {
  expect(encodeCacheValue(5)).toEqual({ value: Buffer.from([0x35]), flags: 3 });
});

test('bytes come back as a copy', () => {
  const value = new Uint8Array([1, 2]);
  const found = decodeCacheValue({ value, flags: 0 }) as Buffer;
  value[0] = 9;
  expect(found).toEqual(Buffer.from([1, 2]));
});

test.each([1e20, 2 ** 53, -(2 ** 60)])('%d is read as a number although it is not a safe integer', (value) => {
  expect(roundTrip(value)).toBe(value);
});

test('digits that only an increment can have written are read as a bigint', () => {
  expect(decodeCacheValue({ value: Buffer.from('18446744073709551615'), flags: 3 })).toBe(2n ** 64n - 1n);
});

test('what cannot be cached is refused', () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;
  for (const value of [undefined, () => 1, Symbol('s'), circle, { deep: 1n }]) {
    expect(() => encodeCacheValue(value as CacheValue)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  }
  expect(() => decodeCacheValue({ value: Buffer.from('x'), flags: 2 })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});

test('a key stays as it is up to 250 bytes', () => {
  expect(cacheKeyOf('k'.repeat(250))).toBe('k'.repeat(250));
  expect(cacheKeyOf('ü'.repeat(125))).toBe('ü'.repeat(125));
  expect(cacheKeyOf('k'.repeat(251))).toMatch(/^[0-9a-f]{64}$/);
  expect(cacheKeyOf('ü'.repeat(126))).not.toBe(cacheKeyOf('ü'.repeat(127)));
});
