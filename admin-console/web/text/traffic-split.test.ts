import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type VersionView } from '../../../sdk/contract/admin/admin.ts';
import { evenly, percentagesOf, previousVersion, splitOf, sumOf, withRest, withShare } from './traffic-split.ts';

const version = (name: string, trafficShare: number, createdAtMs = 1): VersionView => ({
  appId: 'app',
  service: 'default',
  version: name,
  url: '',
  runtime: 'nodejs',
  createdAtMs,
  trafficShare,
  shardBy: 'cookie',
  instances: 0,
});

describe('a split of traffic', () => {
  it('begins as the shares are', () => {
    expect(percentagesOf([version('a', 1 / 3), version('b', 2 / 3)])).toEqual({ a: 33.3, b: 66.7 });
  });

  it('of two versions always adds up', () => {
    fc.assert(
      fc.property(fc.float({ min: -10, max: 110, noNaN: true }), (percent) => {
        expect(sumOf(withShare({ a: 50, b: 50 }, 'a', percent))).toBe(100);
      }),
    );
  });

  it('of more versions leaves the others, and the rest can be given to one', () => {
    const changed = withShare({ a: 50, b: 30, c: 20 }, 'a', 10);
    expect(changed).toEqual({ a: 10, b: 30, c: 20 });
    expect(sumOf(changed)).toBe(60);
    expect(withRest(changed, 'c')).toEqual({ a: 10, b: 30, c: 60 });
    expect(withRest({ a: 80, b: 60 }, 'b')).toEqual({ a: 80, b: 20 });
  });

  it('split evenly adds up for any number of versions, and what is sent adds up to 1', () => {
    for (let count = 1; count <= 210; count += 1) {
      const percentages = evenly(Array.from({ length: count }, (_, index) => `v${index}`));
      expect(sumOf(percentages)).toBe(100);
      const sent = Object.values(splitOf(percentages)).reduce((sum, share) => sum + share, 0);
      expect(sent).toBeCloseTo(1, 9);
    }
  });

  it('sends no version without traffic', () => {
    expect(splitOf({ a: 100, b: 0 })).toEqual({ a: 1 });
  });
});

describe('rolling back', () => {
  it('goes to the newest version that is older than the one with the most traffic', () => {
    const versions = [version('v1', 0, 1), version('v2', 0.1, 2), version('v3', 0.9, 3), version('v4', 0, 4)];
    expect(previousVersion(versions)?.version).toBe('v2');
  });

  it('goes nowhere from the oldest', () => {
    expect(previousVersion([version('v1', 1, 1), version('v2', 0, 2)])).toBeUndefined();
    expect(previousVersion([])).toBeUndefined();
  });
});
