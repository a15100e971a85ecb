import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { USAGE_RESOURCES } from '../../sdk/contract/usage.ts';
import { chargeOf, formatMoney, invoiceLines } from './charge.ts';
import { PRICES_DEFAULT, QUOTAS_DEFAULT } from './quota-policy.ts';
import { RESOURCE_TERMS } from './resource-terms.ts';
import { sumOf } from './usage-amounts.ts';
import { type DayTerms } from './usage-store.ts';

const CPU_HOUR = 4_320_000;
const terms = (more: Partial<DayTerms> = {}): DayTerms => ({
  isBilled: true,
  free: { cpuMegacycles: 6.5 * CPU_HOUR },
  prices: PRICES_DEFAULT,
  ...more,
});

describe('a charge', () => {
  it("is App Engine's own: 10 cents for a CPU-hour beyond 6.5", () => {
    expect(chargeOf({ cpuMegacycles: 6.5 * CPU_HOUR }, terms())).toBe(0);
    expect(chargeOf({ cpuMegacycles: 7.5 * CPU_HOUR }, terms())).toBe(100_000);
    expect(chargeOf({ outgoingBytes: 10_000_000_000 }, terms())).toBe(1_200_000);
  });

  it('is nothing without billing, and for what has no price', () => {
    expect(chargeOf({ cpuMegacycles: 100 * CPU_HOUR }, terms({ isBilled: false }))).toBe(0);
    expect(chargeOf({ requests: 1e9 }, terms())).toBe(0);
  });

  it('does not count parts of a micro-dollar', () => {
    expect(chargeOf({ cpuMegacycles: 6.5 * CPU_HOUR + 43 }, terms())).toBe(0);
    expect(chargeOf({ cpuMegacycles: 6.5 * CPU_HOUR + 44 }, terms())).toBe(1);
  });

  it('is exact where the product passes 2^53', () => {
    const used = 9_000_000_000_000_007;
    const price = 999_999_999;
    const [line] = invoiceLines({ outgoingBytes: used }, { isBilled: true, free: {}, prices: { outgoingBytes: price } });
    expect(line?.amountMicros).toBe(Number((BigInt(used) * BigInt(price)) / 1_000_000_000n));
  });

  it('is the sum of its lines; each line follows from use, free share and price; more use never costs less', () => {
    const amounts = fc.dictionary(fc.constantFrom(...USAGE_RESOURCES), fc.nat({ max: 1e13 }));
    const prices = fc.dictionary(fc.constantFrom(...USAGE_RESOURCES), fc.nat({ max: 1e8 }));
    fc.assert(
      fc.property(amounts, amounts, amounts, prices, (used, more, free, price) => {
        const given: DayTerms = { isBilled: true, free, prices: price };
        const lines = invoiceLines(used, given);
        expect(chargeOf(used, given)).toBe(lines.reduce((sum, line) => sum + line.amountMicros, 0));
        for (const line of lines) {
          expect(line.billed).toBe(line.microsPerUnit === 0 ? 0 : Math.max(0, line.used - line.free));
          const exact = (line.billed / RESOURCE_TERMS[line.resource].amountPerUnit) * line.microsPerUnit;
          expect(Math.abs(line.amountMicros - exact)).toBeLessThanOrEqual(1 + exact * 1e-12);
        }
        expect(chargeOf(sumOf([used, more]), given)).toBeGreaterThanOrEqual(chargeOf(used, given));
      }),
    );
  });

  it('prices only what has terms, and every default is a whole number', () => {
    for (const resource of USAGE_RESOURCES) {
      const rule = QUOTAS_DEFAULT[resource];
      for (const amount of [rule.daily, rule.billedDaily, rule.minute, rule.billedMinute]) {
        if (amount !== undefined) expect(Number.isSafeInteger(amount), resource).toBe(true);
      }
      expect(rule.billedDaily ?? Infinity).toBeGreaterThanOrEqual(rule.daily);
    }
  });
});

it.each([
  [0, '$0.00'],
  [1_250_000, '$1.25'],
  [100, '$0.0001'],
  [1_000_000_000_000, '$1000000.00'],
])('%d micro-dollars are %s', (micros, text) => {
  expect(formatMoney(micros)).toBe(text);
});
