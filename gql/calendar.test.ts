import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { microsOf, microsOfRfc3339 } from './calendar.ts';

const micros = (iso: string): bigint => BigInt(Date.parse(iso)) * 1000n;

describe('RFC 3339 text', () => {
  it.each([
    ['1970-01-01T00:00:00Z', 0n],
    ['1970-01-01t00:00:00.000001z', 1n],
    ['1969-12-31T23:59:59.999999Z', -1n],
    ['2024-02-29T18:30:00.5+05:30', micros('2024-02-29T13:00:00.500Z')],
    ['2024-02-29T18:30:00-23:59', micros('2024-03-01T18:29:00Z')],
    ['0001-01-01T00:00:00Z', micros('0001-01-01T00:00:00Z')],
    ['0099-03-01T00:00:00Z', micros('0099-03-01T00:00:00Z')],
    ['9999-12-31T23:59:59.999999Z', micros('9999-12-31T23:59:59Z') + 999_999n],
  ])('%s', (text, expected) => {
    expect(microsOfRfc3339(text)).toBe(expected);
  });

  it.each([
    '2023-02-29T00:00:00Z',
    '2024-13-01T00:00:00Z',
    '2024-00-01T00:00:00Z',
    '2024-01-00T00:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T00:60:00Z',
    '2024-01-01T23:59:60Z',
    '2024-01-01T00:00:00',
    '2024-01-01 00:00:00Z',
    '2024-01-01T00:00:00.1234567Z',
    '2024-01-01T00:00:00.Z',
    '2024-01-01T00:00:00+00:00',
    '2024-01-01T00:00:00-00:00',
    '2024-01-01T00:00:00+24:00',
    '2024-01-01T00:00:00+01:60',
    '0000-01-01T00:00:00Z',
    '0001-01-01T00:00:00+01:00',
    '9999-12-31T23:59:59-01:00',
    '',
  ])('refuses %j', (text) => {
    expect(microsOfRfc3339(text)).toBeUndefined();
  });

  it('agrees with the calendar of JavaScript', () => {
    const dates = fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true });
    fc.assert(
      fc.property(dates, (date) => {
        expect(microsOfRfc3339(date.toISOString())).toBe(BigInt(date.getTime()) * 1000n);
      }),
    );
  });
});

it('refuses parts that are no whole numbers', () => {
  expect(microsOf({ year: 2024, month: 1.5, day: 1 })).toBeUndefined();
  expect(microsOf({ year: Number.NaN, month: 1, day: 1 })).toBeUndefined();
});
