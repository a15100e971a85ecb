import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, chooseInstance } from './choose-instance.ts';

const candidate = (inFlight: number, startedAtMs: number, change: Partial<Candidate> = {}): Candidate => ({
  isOpen: true,
  isHot: false,
  inFlight,
  startedAtMs,
  ...change,
});

describe('chooseInstance', () => {
  it('takes the fullest below the target', () => {
    const fuller = candidate(5, 2);
    expect(chooseInstance([candidate(3, 1), fuller, candidate(6, 0), candidate(10, 0), candidate(4, 0)], 6, 10)).toBe(fuller);
  });

  it('takes the oldest of equally full ones', () => {
    const older = candidate(2, 5);
    expect(chooseInstance([candidate(2, 9), older, candidate(2, 7)], 6, 10)).toBe(older);
  });

  it('passes over those that are not open, and finds none when all are full', () => {
    expect(chooseInstance([candidate(1, 0, { isOpen: false }), candidate(4, 0)], 3, 4)).toBeUndefined();
    expect(chooseInstance([], 3, 4)).toBeUndefined();
  });

  it('spreads once all are at their target', () => {
    const emptier = candidate(7, 5);
    expect(chooseInstance([candidate(9, 0), emptier, candidate(8, 1)], 6, 10)).toBe(emptier);
  });

  it('takes an emptier one before one that is hot', () => {
    const cool = candidate(0, 9);
    expect(chooseInstance([candidate(5, 0, { isHot: true }), cool, candidate(1, 0, { isHot: true })], 6, 10)).toBe(cool);
  });

  it('takes one above its target before one that is hot, and the emptiest of the hot when there is nothing else', () => {
    const full = candidate(8, 9);
    expect(chooseInstance([candidate(1, 0, { isHot: true }), full], 6, 10)).toBe(full);
    const calmer = candidate(1, 9, { isHot: true });
    expect(chooseInstance([candidate(3, 0, { isHot: true }), calmer], 6, 10)).toBe(calmer);
  });

  it('takes the emptiest when nothing is to be packed, as of instances that run in any case', () => {
    const emptiest = candidate(0, 9);
    expect(chooseInstance([candidate(3, 0), emptiest, candidate(1, 0)], 0, 10)).toBe(emptiest);
  });

  it('never chooses a closed or full one, and one whenever one has room', () => {
    const anyCandidate = fc.record({ isOpen: fc.boolean(), isHot: fc.boolean(), inFlight: fc.nat(12), startedAtMs: fc.nat(50) });
    fc.assert(
      fc.property(fc.array(anyCandidate), fc.nat(12), fc.integer({ min: 1, max: 12 }), (candidates, concurrentTarget, concurrentMax) => {
        const possible = candidates.filter((each) => each.isOpen && each.inFlight < concurrentMax);
        const chosen = chooseInstance(candidates, concurrentTarget, concurrentMax);
        if (possible.length === 0) return chosen === undefined;
        const preferred = possible.filter((each) => each.inFlight < concurrentTarget && !each.isHot);
        if (chosen === undefined || !possible.includes(chosen)) return false;
        return preferred.length === 0 || (preferred.includes(chosen) && preferred.every((each) => each.inFlight <= chosen.inFlight));
      }),
    );
  });
});
