import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LoadHistory } from './load-history.ts';

const HOUR = 60;
const DAY = 1_440;
const NOON = 500_000 * HOUR;

function totals(history: LoadHistory): readonly [reads: number, writes: number] {
  let [reads, writes] = [0, 0];
  for (const { counts } of history.hours().values()) {
    counts.forEach((count, at) => {
      if (at % 2 === 0) reads += count;
      else writes += count;
    });
  }
  return [reads, writes];
}

describe('load history', () => {
  it('shows the last full minute, the peak of a day, and a series that ends with the minute at hand', () => {
    const history = new LoadHistory();
    history.add(NOON - DAY, 9_999, 9_999);
    history.add(NOON - DAY + 1, 70, 1);
    history.add(NOON - 1, 5, 6);
    history.add(NOON, 1, 2);
    history.add(NOON, 1, 2);
    expect(history.figures(NOON)).toEqual({ reads: 5, writes: 6, readsPeak: 70, writesPeak: 6 });
    const { fromMinute, reads, writes } = history.series(NOON, 60);
    expect([fromMinute, reads.length]).toEqual([NOON - 23 * HOUR, 24]);
    expect([...reads.subarray(-2), ...writes.subarray(-2)]).toEqual([5, 2, 6, 4]);
    expect([...history.series(NOON, 1).reads.subarray(0, 2)]).toEqual([70, 0]);
  });

  it('forgets what is older than a day, hour by hour, and says which rows to delete', () => {
    const history = new LoadHistory();
    for (let minute = NOON; minute < NOON + 3 * DAY; minute += 30) {
      history.add(minute, 1, 1);
      history.keepUntil(minute);
    }
    expect(history.hours().size).toBe(25);
    const { gone } = history.takeChanges();
    expect(gone).toHaveLength(3 * 24 - 25);
    expect(history.takeChanges()).toEqual({ changed: [], gone: [] });
  });

  it('survives gaps, and a clock that is set back: later minutes are forgotten', () => {
    const history = new LoadHistory();
    history.add(NOON, 1, 0);
    history.add(NOON + 30 * DAY, 2, 0);
    history.keepUntil(NOON + 30 * DAY);
    expect(totals(history)).toEqual([2, 0]);
    history.add(NOON + 30 * DAY + 5, 4, 0);
    history.add(NOON + 30 * DAY + HOUR, 8, 0);
    history.takeChanges();
    history.keepUntil(NOON + 30 * DAY + 2);
    expect(totals(history)).toEqual([2, 0]);
    const { changed, gone } = history.takeChanges();
    expect([changed.map(([hour]) => hour), gone]).toEqual([[(NOON + 30 * DAY) / HOUR], [(NOON + 30 * DAY) / HOUR + 1]]);
    history.keepUntil(0);
    expect(totals(history)).toEqual([0, 0]);
  });

  it('keeps its sums when it is divided and added up again', () => {
    const minute = fc.record({ at: fc.integer({ min: 0, max: DAY }), reads: fc.nat(1_000), writes: fc.nat(1_000) });
    fc.assert(
      fc.property(fc.array(minute), fc.double({ min: 0, max: 1, noNaN: true }), (minutes, share) => {
        const history = new LoadHistory();
        for (const { at, reads, writes } of minutes) history.add(NOON + at, reads, writes);
        const before = [totals(history), history.series(NOON + DAY, 1)];
        const right = history.divide(share);
        const [left, moved] = [totals(history), totals(right)];
        expect([[left[0] + moved[0], left[1] + moved[1]], totals(history.copy())]).toEqual([before[0], left]);
        history.absorb(right);
        expect([totals(history), history.series(NOON + DAY, 1)]).toEqual(before);
      }),
    );
  });

  it('writes again what a failed write took', () => {
    const history = new LoadHistory();
    history.add(NOON, 1, 1);
    history.add(NOON - 3 * DAY, 1, 1);
    history.keepUntil(NOON);
    const taken = history.takeChanges();
    history.giveBack(taken);
    expect(history.takeChanges()).toEqual(taken);
  });

  it('counts to 2^32 − 1 and no further', () => {
    const history = new LoadHistory();
    history.add(NOON - 1, 0xffffffff, 0);
    history.add(NOON - 1, 5, 0);
    expect(history.figures(NOON).reads).toBe(0xffffffff);
  });
});
