import { describe, expect, it } from 'vitest';
import { userRange } from './user-range.ts';

const EVERYTHING = '         0          0 4294967295\n';

describe('userRange', () => {
  it('gives each data directory numbers that nobody uses, below what is signed', () => {
    expect(userRange(EVERYTHING, 0)).toEqual({ first: 0x7000_0000, count: 65_536 });
    expect(userRange(EVERYTHING, 1)).toEqual({ first: 0x7001_0000, count: 65_536 });
    const last = userRange(EVERYTHING, 4_095);
    expect((last?.first ?? 0) + 65_535).toBe(0x7fff_ffff);
    expect(userRange(EVERYTHING, 4_096)).toEqual(userRange(EVERYTHING, 0));
  });

  it('keeps to the numbers that a container has', () => {
    expect(userRange('0 100000 65536\n', 7)).toEqual({ first: 40_000, count: 20_000 });
    // As `unshare --map-root-user --map-auto` gives them.
    expect(userRange('0 1000 1\n1 100000 65536\n', 7)).toEqual({ first: 40_000, count: 20_000 });
    expect(userRange('0 100000 1000\n1000 1000 1\n', 7)).toBeUndefined();
    expect(userRange('', 7)).toBeUndefined();
  });
});
