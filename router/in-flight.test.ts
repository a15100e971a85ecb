import { describe, expect, it } from 'vitest';
import { InFlight } from './in-flight.ts';

describe('InFlight', () => {
  it('forgets exactly what is removed, in any order, twice without harm', () => {
    const set = new InFlight<{ place: number }>();
    const items = Array.from({ length: 5 }, () => ({ place: -1 }));
    for (const item of items) set.add(item);
    for (const index of [1, 4, 0, 1]) set.remove(items[index]!);
    expect(new Set(set.snapshot())).toEqual(new Set([items[2], items[3]]));
    expect(set.size).toBe(2);
  });
});
