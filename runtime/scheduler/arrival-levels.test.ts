import { expect, it } from 'vitest';
import { SeededRandom } from '../../sdk/support/virtual-time.ts';
import { ArrivalLevels } from './arrival-levels.ts';

it('says what 19 of 20 arrivals found at most', () => {
  const levels = new ArrivalLevels(0);
  const random = new SeededRandom(4);
  const drawn: number[] = [];
  for (let atMs = 0; atMs < 60_000; atMs += 10) {
    // The sum of twelve is close to normal: mean 60, standard deviation 10.
    const level = Array.from({ length: 12 }, () => random.fraction() * 10).reduce((sum, each) => sum + each, 0);
    drawn.push(level);
    levels.record(level, atMs);
  }
  drawn.sort((a, b) => a - b);
  expect(levels.usual(59_999) / (drawn[Math.floor(drawn.length * 0.95)] ?? 0)).toBeCloseTo(1, 1);
});

it('is the whole of a burst that comes now and then', () => {
  const levels = new ArrivalLevels(0);
  for (const atMs of [0, 20_000, 40_000]) for (let level = 1; level <= 30; level++) levels.record(level, atMs);
  // The mean of 1 … 30 is 15.5, the deviation 8.7.
  expect(levels.usual(41_000)).toBeGreaterThan(29);
  expect(levels.usual(41_000)).toBeLessThanOrEqual(30);
});

it('is never more than what was found', () => {
  const levels = new ArrivalLevels(0);
  levels.record(1, 10);
  levels.record(9, 20);
  expect(levels.usual(30)).toBe(9);
});

it('forgets after a minute, by the second, from any time of the clock on', () => {
  const levels = new ArrivalLevels(123_456_789.25);
  levels.record(7, 123_456_790);
  levels.record(3, 123_480_000);
  expect(levels.usual(123_515_999)).toBeGreaterThan(3);
  expect(levels.usual(123_516_000)).toBe(3);
  expect(levels.usual(123_540_000)).toBe(0);
});
