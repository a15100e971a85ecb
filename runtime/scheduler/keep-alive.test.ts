import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeepAlive } from './keep-alive.ts';

const MINUTE = 60_000;

function after(...pauses: readonly (readonly [count: number, ms: number])[]): number {
  const keepAlive = new KeepAlive();
  for (const [count, ms] of pauses) for (let index = 0; index < count; index++) keepAlive.paused(ms);
  return keepAlive.ms;
}

describe('KeepAlive', () => {
  it.each([
    ['fifteen minutes while little is known', [[9, 3 * MINUTE]], 15 * MINUTE],
    ['the minute in which the pauses end', [[10, 3 * MINUTE]], 3 * MINUTE],
    ['that minute whole', [[10, 3 * MINUTE + 1]], 4 * MINUTE],
    [
      'what bridges 99 of 100 pauses',
      [
        [99, 2.5 * MINUTE],
        [1, 25 * MINUTE],
      ],
      3 * MINUTE,
    ],
    [
      'and not only 97',
      [
        [97, 2.5 * MINUTE],
        [3, 25 * MINUTE],
      ],
      25 * MINUTE,
    ],
    ['at most half an hour', [[20, 30 * MINUTE]], 30 * MINUTE],
    [
      'what bridges the pauses of the day, whatever the nights',
      [
        [40, 5 * MINUTE],
        [20, 600 * MINUTE],
      ],
      5 * MINUTE,
    ],
    [
      'a minute when hardly any pause can be bridged',
      [
        [1, 5 * MINUTE],
        [20, 60 * MINUTE],
      ],
      MINUTE,
    ],
    [
      'the same whatever happens within a minute',
      [
        [5_000, MINUTE],
        [10, 5 * MINUTE],
      ],
      5 * MINUTE,
    ],
  ] as const)('is %s', (_, pauses, want) => {
    expect(after(...pauses)).toBe(want);
  });

  it('follows a change of habit', () => {
    expect(after([300, 20 * MINUTE], [10, 2 * MINUTE])).toBe(20 * MINUTE);
    expect(after([300, 20 * MINUTE], [4_000, 2 * MINUTE])).toBe(2 * MINUTE);
  });

  it('stays within its bounds whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 400 * MINUTE }), { maxLength: 600 }), (pauses) => {
        const keepAlive = new KeepAlive();
        for (const pauseMs of pauses) keepAlive.paused(pauseMs);
        return keepAlive.ms >= MINUTE && keepAlive.ms <= 30 * MINUTE;
      }),
    );
  });
});
