// Which of the 1,000 buckets of visitors each version gets: pure functions. A visitor keeps a bucket for good, so what
// a change of the shares does to visitors is decided here.
import { type BucketRun } from './ports.ts';

export const BUCKETS = 1_000;

/**
 * The runs for `shares` that leave as many buckets of `before` as can be where they are: a version that loses some gives
 * up its last ones, and only those find another version. Without `before`, buckets are cut in the order of the versions' names, so that the order in
 * which shares were written moves nobody.
 */
export function movedBuckets(before: readonly BucketRun[], shares: Readonly<Record<string, number>>): readonly BucketRun[] {
  const wanted = bucketCounts(shares);
  const left = new Map(wanted);
  const cells: (string | undefined)[] = [];
  for (const [version, count] of before) {
    const kept = Math.min(count, left.get(version) ?? 0, BUCKETS - cells.length);
    const given = Math.min(count - kept, BUCKETS - cells.length - kept);
    for (let index = 0; index < kept; index++) cells.push(version);
    for (let index = 0; index < given; index++) cells.push(undefined);
    left.set(version, (left.get(version) ?? 0) - kept);
  }
  while (cells.length < BUCKETS) cells.push(undefined);
  const takers = [...wanted.keys()].sort();
  let taker = takers.find((version) => (left.get(version) ?? 0) > 0);
  for (let cell = 0; cell < BUCKETS && taker !== undefined; cell++) {
    if (cells[cell] !== undefined) continue;
    cells[cell] = taker;
    left.set(taker, (left.get(taker) ?? 0) - 1);
    if (left.get(taker) === 0) taker = takers.find((version) => (left.get(version) ?? 0) > 0);
  }
  return runsOf(cells);
}

/** Whole buckets by version, 1,000 together; what rounding leaves goes to the largest remainders. Empty when nothing has a share. */
function bucketCounts(shares: Readonly<Record<string, number>>): ReadonlyMap<string, number> {
  const positive = Object.entries(shares).filter(([, share]) => share > 0);
  const total = positive.reduce((sum, [, share]) => sum + share, 0);
  const exact = positive.map(([version, share]) => ({ version, part: (share / total) * BUCKETS }));
  // 0.29 × 1,000 is 290 less a hair: such a hair is no bucket lost.
  const whole = new Map(exact.map(({ version, part }) => [version, Math.floor(part + 1e-6)]));
  let rest = BUCKETS - [...whole.values()].reduce((sum, count) => sum + count, 0);
  const byRemainder = exact.toSorted((a, b) => (b.part % 1) - (a.part % 1) || (a.version < b.version ? -1 : 1));
  for (const { version } of byRemainder) {
    if (rest <= 0) break;
    whole.set(version, (whole.get(version) ?? 0) + 1);
    rest--;
  }
  return whole;
}

function runsOf(cells: readonly (string | undefined)[]): BucketRun[] {
  const runs: [string, number][] = [];
  for (const version of cells) {
    if (version === undefined) continue;
    const last = runs.at(-1);
    if (last?.[0] === version) last[1]++;
    else runs.push([version, 1]);
  }
  return runs;
}
