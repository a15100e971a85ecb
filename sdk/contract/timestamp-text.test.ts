import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTimestamp, parseStoredTimestamp, parseTimestamp } from './timestamp-text.ts';

const FIRST = -62_135_596_800_000_000n;
const LAST = 253_402_300_799_999_999n;

describe('a timestamp as text', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: FIRST, max: LAST }), (micros) => {
        expect(parseTimestamp(formatTimestamp(micros))).toBe(micros);
      }),
    );
  });

  it('comes back as it was outside the years 0001 to 9999 too, where such text is taken', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.bigInt({ min: -(2n ** 66n), max: 2n ** 66n }), fc.bigInt({ min: FIRST - 10n ** 15n, max: FIRST })),
        (micros) => {
          expect(parseStoredTimestamp(formatTimestamp(micros))).toBe(micros);
        },
      ),
    );
  });

  it.each([
    [0n, '1970-01-01T00:00:00Z'],
    [-1n, '1969-12-31T23:59:59.999999Z'],
    [1_500_000n, '1970-01-01T00:00:01.500Z'],
    [1_000_001n, '1970-01-01T00:00:01.000001Z'],
    [FIRST, '0001-01-01T00:00:00Z'],
    [LAST, '9999-12-31T23:59:59.999999Z'],
    [LAST + 1n, '+010000-01-01T00:00:00Z'],
    [2n ** 63n - 1n, '9223372036854775807us'],
    [9_223_372_036_854_000_000n, '9223372036854s'],
  ])('%s is %s', (micros, text) => {
    expect(formatTimestamp(micros)).toBe(text);
  });

  it.each([
    ['2026-01-02T03:04:05.1234567891', undefined],
    ['2026-01-02T03:04:05.123456789Z', 1_767_323_045_123_456n],
    ['2026-01-02t03:04:05z', 1_767_323_045_000_000n],
    ['2026-01-02T05:04:05+02:00', 1_767_323_045_000_000n],
    ['2026-01-01T21:34:05.5-05:30', 1_767_323_045_500_000n],
    ['2026-02-29T00:00:00Z', undefined],
    ['2024-02-29T00:00:00Z', 1_709_164_800_000_000n],
    ['2026-01-02T24:00:00Z', undefined],
    ['2026-01-02T23:59:60Z', undefined],
    ['2026-01-02T03:04:05+24:00', undefined],
    ['2026-01-02T03:04:05', undefined],
    ['2026-01-02', undefined],
    ['0000-12-31T23:59:59Z', undefined],
    ['0001-01-01T00:00:00+01:00', undefined],
    ['9999-12-31T23:59:59-01:00', undefined],
    [' 2026-01-02T03:04:05Z', undefined],
    ['', undefined],
  ])('%s is read as %s', (text, micros) => {
    expect(parseTimestamp(text)).toBe(micros);
  });
});
