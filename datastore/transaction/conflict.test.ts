import { describe, expect, it } from 'vitest';
import { key } from '../fixture.ts';
import { conflictOf, type Expectation, isLastingConflict, type StoredTimes } from './conflict.ts';

const STORED: StoredTimes = { version: 100n, updatedMicros: 90n };

describe('what a mutation expects of the entity', () => {
  it.each<[Expectation, StoredTimes | undefined, 'no conflict' | 'conflict' | 'invalid']>([
    [{}, STORED, 'no conflict'],
    [{}, undefined, 'no conflict'],
    [{ baseVersion: 100n }, STORED, 'no conflict'],
    [{ baseVersion: 99n }, STORED, 'conflict'],
    [{ baseVersion: 101n }, STORED, 'invalid'],
    [{ baseVersion: 0n }, STORED, 'conflict'],
    [{ baseVersion: 0n }, undefined, 'no conflict'],
    // It may have been there and be gone.
    [{ baseVersion: 100n }, undefined, 'conflict'],
    [{ baseVersion: 200n }, undefined, 'conflict'],
    [{ updateTime: 90n }, STORED, 'no conflict'],
    [{ updateTime: 91n }, STORED, 'conflict'],
    [{ updateTime: 0n }, undefined, 'conflict'],
    [{ baseVersion: 100n, updateTime: 90n }, STORED, 'no conflict'],
    [{ baseVersion: 100n, updateTime: 89n }, STORED, 'conflict'],
  ])('%o of %o: %s', (expectation, stored, outcome) => {
    const find = (): unknown => conflictOf(expectation, stored, key('K', 'a'));
    if (outcome === 'invalid') {
      expect(find).toThrow(
        expect.objectContaining({
          code: 'DS_INVALID',
          message: expect.stringMatching(/Invalid base version, it is greater than the stored version/) as unknown,
        }),
      );
      return;
    }
    const conflict = conflictOf(expectation, stored, key('K', 'a'));
    expect(conflict?.code).toBe(outcome === 'conflict' ? 'DS_TX_CONFLICT' : undefined);
    // Trying again within the call would only repeat it.
    if (conflict) expect(isLastingConflict(conflict)).toBe(true);
  });
});
