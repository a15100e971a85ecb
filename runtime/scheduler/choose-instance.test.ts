import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, chooseInstance } from './choose-instance.ts';

const candidate = (inFlight: number, startedAtMs: number, isOpen = true): Candidate => ({ isOpen, inFlight, startedAtMs });

describe('chooseInstance', () => {
  it('takes the fullest with room', () => {
    const fuller = candidate(7, 2);
    expect(chooseInstance([candidate(3, 1), fuller, candidate(10, 0), candidate(6, 0)], 10)).toBe(fuller);
  });

  it('takes the oldest of equally full ones', () => {
    const older = candidate(2, 5);
    expect(chooseInstance([candidate(2, 9), older, candidate(2, 7)], 10)).toBe(older);
  });

  it('passes over those that are not open, and finds none when all are full', () => {
    expect(chooseInstance([candidate(1, 0, false), candidate(4, 0)], 4)).toBeUndefined();
    expect(chooseInstance([], 4)).toBeUndefined();
  });

  it('never chooses a closed or full one, nor an emptier one than it could', () => {
    const anyCandidate = fc.record({ isOpen: fc.boolean(), inFlight: fc.nat(12), startedAtMs: fc.nat(50) });
    fc.assert(
      fc.property(fc.array(anyCandidate), fc.integer({ min: 1, max: 12 }), (candidates, concurrentMax) => {
        const possible = candidates.filter((each) => each.isOpen && each.inFlight < concurrentMax);
        const chosen = chooseInstance(candidates, concurrentMax);
        if (possible.length === 0) return chosen === undefined;
        return chosen !== undefined && possible.includes(chosen) && possible.every((each) => each.inFlight <= chosen.inFlight);
      }),
    );
  });
});
