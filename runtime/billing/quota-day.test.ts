import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { QuotaDays } from './quota-day.ts';

const HOUR_MS = 3_600_000;

describe('days of the quota clock', () => {
  const pacific = new QuotaDays('America/Los_Angeles');

  it('go from midnight to midnight Pacific time', () => {
    expect(pacific.dayOf(Date.UTC(2026, 10, 26, 7, 59, 59, 999))).toBe('2026-11-25');
    expect(pacific.dayOf(Date.UTC(2026, 10, 26, 8))).toBe('2026-11-26');
    expect(pacific.endOf(Date.UTC(2026, 10, 26, 8))).toBe(Date.UTC(2026, 10, 27, 8));
  });

  it.each([
    ['23 hours, when clocks go forward', Date.UTC(2026, 2, 8, 8), 23],
    ['25 hours, when they go back', Date.UTC(2026, 10, 1, 7), 25],
    ['24 hours otherwise', Date.UTC(2026, 10, 2, 8), 24],
  ])('last %s', (_case, midnight, hours) => {
    expect(pacific.dayOf(midnight - 1)).not.toBe(pacific.dayOf(midnight));
    expect(pacific.endOf(midnight) - midnight).toBe(hours * HOUR_MS);
  });

  it('are listed newest first, over a change of clocks', () => {
    expect(pacific.daysUpTo(Date.UTC(2026, 2, 9, 12), 3)).toEqual(['2026-03-09', '2026-03-08', '2026-03-07']);
  });

  it('follow each other without gap or overlap, in any zone', () => {
    // Apia skipped a whole day, Santiago changes clocks at midnight, Kathmandu is 5:45 off.
    const zones = fc.constantFrom('America/Los_Angeles', 'Europe/Berlin', 'Pacific/Apia', 'America/Santiago', 'Asia/Kathmandu', 'UTC');
    fc.assert(
      fc.property(zones, fc.integer({ min: Date.UTC(2005, 0), max: Date.UTC(2040, 0) }), (zone, atMs) => {
        const days = new QuotaDays(zone);
        const end = days.endOf(atMs);
        expect(end).toBeGreaterThan(atMs);
        expect(days.dayOf(end - 1)).toBe(days.dayOf(atMs));
        expect(days.dayOf(end) > days.dayOf(atMs)).toBe(true);
        expect(end - atMs).toBeLessThanOrEqual(25 * HOUR_MS);
      }),
    );
  });

  it('refuse a zone that there is not', () => {
    expect(() => new QuotaDays('Mars/Olympus')).toThrow('no time zone');
  });
});
