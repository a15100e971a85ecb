import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LATENCY_BUCKETS, latencyBucket, latencyQuantile } from './latency-histogram.ts';

it('tells any quantile within a tenth', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.1, max: 600_000, noNaN: true }), { minLength: 1, maxLength: 200 }),
      fc.constantFrom(0.5, 0.99),
      (latencies, fraction) => {
        const counts = new Map<number, number>();
        for (const latency of latencies) counts.set(latencyBucket(latency), (counts.get(latencyBucket(latency)) ?? 0) + 1);
        const exact = latencies.toSorted((one, other) => one - other)[Math.ceil(fraction * latencies.length) - 1] ?? 0;
        const told = latencyQuantile(counts, fraction) ?? 0;
        expect(Math.abs(told - exact) / exact).toBeLessThan(0.1);
      },
    ),
  );
});

it('has no quantile of nothing, and a bucket for every number', () => {
  expect(latencyQuantile(new Map(), 0.5)).toBeUndefined();
  for (const odd of [0, -1, NaN, 1e12, Infinity]) {
    expect(latencyBucket(odd)).toBeGreaterThanOrEqual(0);
    expect(latencyBucket(odd)).toBeLessThan(LATENCY_BUCKETS);
  }
});
