import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUCKETS, movedBuckets } from './bucket-runs.ts';
import { type BucketRun } from './ports.ts';

const bucketRuns = (shares: Readonly<Record<string, number>>): readonly BucketRun[] => movedBuckets([], shares);
const cellsOf = (runs: readonly BucketRun[]): string[] => runs.flatMap(([version, count]) => Array.from({ length: count }, () => version));
const countsOf = (runs: readonly BucketRun[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const [version, count] of runs) counts[version] = (counts[version] ?? 0) + count;
  return counts;
};
/** Shares in thousandths, as the control plane records them. */
const split = fc
  .array(fc.integer({ min: 0, max: BUCKETS }), { minLength: 0, maxLength: 4 })
  .map((cuts) => [0, ...cuts.toSorted((a, b) => a - b), BUCKETS])
  .chain((ends) => {
    const parts = ends.slice(1).map((end, index) => end - (ends[index] ?? 0));
    return fc.shuffledSubarray(['a', 'b', 'c', 'd', 'e', 'f'], { minLength: parts.length, maxLength: parts.length }).map((versions) => {
      const shares = versions.map((version, index) => [version, (parts[index] ?? 0) / BUCKETS] as const);
      return Object.fromEntries(shares.filter(([, share]) => share > 0));
    });
  });

describe('the first split', () => {
  it('cuts in the order of names, whatever the order of the shares', () => {
    expect(bucketRuns({ b: 0.75, a: 0.25 })).toEqual([
      ['a', 250],
      ['b', 750],
    ]);
  });

  it.each([
    [
      { a: 1 / 3, b: 1 / 3, c: 1 / 3 },
      { a: 334, b: 333, c: 333 },
    ],
    [
      { a: 0.29, b: 0.71 },
      { a: 290, b: 710 },
    ],
    [
      { a: 3, b: 1, c: 0 },
      { a: 750, b: 250 },
    ],
    [{}, {}],
    [{ a: 0 }, {}],
  ])('gives %j whole buckets', (shares, counts) => expect(countsOf(bucketRuns(shares))).toEqual(counts));
});

describe('movedBuckets', () => {
  it('gives each version its share, and moves no more buckets than the shares differ by, over any history of changes', () => {
    fc.assert(
      fc.property(fc.array(split, { minLength: 2, maxLength: 8 }), (history) => {
        let runs = bucketRuns(history[0] ?? {});
        for (const shares of history.slice(1)) {
          const before = cellsOf(runs);
          const countsBefore = countsOf(runs);
          runs = movedBuckets(runs, shares);
          const after = cellsOf(runs);
          const counts = countsOf(runs);
          expect(after).toHaveLength(BUCKETS);
          for (const [version, share] of Object.entries(shares)) expect(counts[version]).toBe(Math.round(share * BUCKETS));
          const gained = Object.entries(counts).reduce(
            (sum, [version, count]) => sum + Math.max(0, count - (countsBefore[version] ?? 0)),
            0,
          );
          expect(after.filter((version, bucket) => version !== before[bucket])).toHaveLength(gained);
        }
      }),
    );
  });

  it('leaves a version alone whose share stays, also where its neighbours’ change', () => {
    const before = bucketRuns({ v1: 0.5, v2: 0.3, v3: 0.2 });
    const after = cellsOf(movedBuckets(before, { v1: 0.3, v2: 0.3, v3: 0.4 }));
    cellsOf(before).forEach((version, bucket) => {
      if (version === 'v2' || version === 'v3') expect(after[bucket]).toBe(version);
    });
  });

  it('heals runs that are too long', () => {
    expect(countsOf(movedBuckets([['a', 5_000]], { a: 0.5, b: 0.5 }))).toEqual({ a: 500, b: 500 });
  });
});
