import { expect, it } from 'vitest';
import { ageText, platformMidnightText, relativeText } from './time-text.ts';

it.each([
  [0, 'just now'],
  [-4_000, '4 s ago'],
  [90_000, 'in 1 min'],
  [-7_200_000, '2 h ago'],
  [-3 * 86_400_000, '3 d ago'],
])('%d ms from now is "%s"', (distance, text) => {
  expect(relativeText(1_800_000_000_000 + distance, 1_800_000_000_000)).toBe(text);
});

it('gives an age in its largest unit', () => {
  expect([0, 999, 61_000, 86_400_000].map(ageText)).toEqual(['0 s', '0 s', '1 min', '1 d']);
});

// The platform's zone is not told: it follows from when its day ends.
it.each([
  ['Pacific, winter', '2026-11-26', '2026-11-27T08:00:00Z', '2026-11-27 00:00 UTC−8'],
  ['Pacific, summer', '2026-06-30', '2026-07-01T07:00:00Z', '2026-07-01 00:00 UTC−7'],
  ['UTC', '2026-12-31', '2027-01-01T00:00:00Z', '2027-01-01 00:00 UTC'],
  ['India', '2026-11-26', '2026-11-26T18:30:00Z', '2026-11-27 00:00 UTC+5:30'],
])('the reset on the clock of %s', (_, day, resetsAt, text) => {
  expect(platformMidnightText(day, Date.parse(resetsAt))).toBe(text);
});
