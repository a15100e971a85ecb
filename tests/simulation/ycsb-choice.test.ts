// The choices of the YCSB bench: a wrong distribution would make every figure of it worthless.
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../sdk/support/virtual-time.ts';
import { type KeyChoice, Latest, scatter, ScrambledZipfian, Uniform, Zipfian } from '../bench/ycsb-parts/key-choice.ts';
import { fieldsOf, keyOf, WORKLOADS } from '../bench/ycsb-parts/workload.ts';

const RECORDS = 1_000;
const DRAWS = 200_000;

function sharesOf(choice: KeyChoice, records = RECORDS): number[] {
  const counts = new Array<number>(records).fill(0);
  for (let draw = 0; draw < DRAWS; draw++) counts[choice.next(records)]!++;
  return counts.map((count) => count / DRAWS);
}

/** What the definition says of the rank, counted from 0. */
function zipfianShare(rank: number, records = RECORDS): number {
  let zeta = 0;
  for (let one = 1; one <= records; one++) zeta += 1 / one ** 0.99;
  return 1 / (rank + 1) ** 0.99 / zeta;
}

describe('YCSB', () => {
  it('chooses zipfian ranks as often as 1 ÷ rank^0.99 says', () => {
    const shares = sharesOf(new Zipfian(new SeededRandom(1)));
    for (const rank of [0, 1]) expect(shares[rank]).toBeCloseTo(zipfianShare(rank), 2);
    const upTo = (ranks: number, of: (rank: number) => number): number =>
      Array.from({ length: ranks }, (_, at) => of(at)).reduce((a, b) => a + b);
    for (const ranks of [10, 100, 500]) expect(upTo(ranks, (at) => shares[at]!)).toBeCloseTo(upTo(ranks, zipfianShare), 1);
    expect(upTo(RECORDS, (at) => shares[at]!)).toBeCloseTo(1, 9);
  });

  it('scatters the popular ones over all records', () => {
    const shares = sharesOf(new ScrambledZipfian(new SeededRandom(2)));
    const popular = shares.indexOf(Math.max(...shares));
    expect(popular).toBe(Number(scatter(0) % BigInt(RECORDS)));
    expect(shares[popular]).toBeGreaterThan(0.9 * zipfianShare(0));
  });

  it('prefers the latest, also when records come to be', () => {
    const choice = new Latest(new SeededRandom(3));
    const shares = sharesOf(choice);
    expect(shares[RECORDS - 1]).toBeCloseTo(zipfianShare(0), 2);
    expect(shares[RECORDS - 1]).toBeGreaterThan(shares[0]! * 50);
    expect(sharesOf(choice, 2 * RECORDS)[2 * RECORDS - 1]).toBeCloseTo(zipfianShare(0, 2 * RECORDS), 2);
  });

  it('chooses each record alike when it should', () => {
    const shares = sharesOf(new Uniform(new SeededRandom(4)));
    expect(Math.max(...shares)).toBeLessThan(2 / RECORDS);
    expect(Math.min(...shares)).toBeGreaterThan(0.5 / RECORDS);
  });

  it('has workloads whose shares add up, records of ten times 100 bytes, and keys apart', () => {
    for (const { mix } of WORKLOADS) expect(Object.values(mix).reduce((sum, share) => sum + share)).toBeCloseTo(1, 9);
    const fields = Object.values(fieldsOf(new SeededRandom(5)));
    expect(fields.map((text) => text.length)).toEqual(new Array(10).fill(100));
    expect(new Set(Array.from({ length: 10_000 }, (_, record) => keyOf(record))).size).toBe(10_000);
  });
});
