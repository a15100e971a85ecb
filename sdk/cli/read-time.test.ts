import { expect, test } from 'vitest';
import { absoluteTime } from './read-time.ts';

const NOW_MS = Date.UTC(2026, 0, 1, 12);

test.each([
  ['-10m', '2026-01-01T11:50:00Z'],
  ['-90s', '2026-01-01T11:58:30Z'],
  ['-1h', '2026-01-01T11:00:00Z'],
  ['-0s', '2026-01-01T12:00:00Z'],
  ['2026-01-01T11:59:59.123456Z', '2026-01-01T11:59:59.123456Z'],
  ['2026-01-01T13:00:00+02:00', '2026-01-01T13:00:00+02:00'],
])('%s is %s', (text, wanted) => {
  expect(absoluteTime(text, NOW_MS)).toBe(wanted);
});

test.each(['', '10m', '-10', '-m', '-10d', '-1.5h', '-12345678s', 'yesterday', '2026-01-01', '2026-02-30T00:00:00Z'])(
  '"%s" is none',
  (text) => {
    expect(() => absoluteTime(text, NOW_MS)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  },
);
