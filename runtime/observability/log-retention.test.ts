import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { expiredAges, isFull, type KeptFile } from './log-retention.ts';

const limits = { bytesMax: 1_000, retentionMs: 100_000 };
const NOW = 1_000_000;
const file = (age: number, bytes: number, secondsAgo: number): KeptFile => ({ age, bytes, writtenAtMs: NOW - secondsAgo * 1_000 });

describe('what of a log goes', () => {
  it.each<[string, KeptFile[], number[]]>([
    ['nothing while all is within bounds', [file(0, 100, 1), file(1, 400, 50), file(2, 500, 99)], []],
    ['the oldest first, as many as are too much', [file(0, 300, 1), file(1, 400, 5), file(2, 400, 9), file(3, 400, 12)], [3, 2]],
    ['what is past its time, whatever room there is', [file(0, 1, 1), file(1, 1, 101), file(2, 1, 200)], [2, 1]],
    ['even the file that is written to, of an app that has long been silent', [file(0, 1, 101)], [0]],
    ['never the file that is written to for its size', [file(0, 5_000, 1)], []],
    ['beyond the number of files', [file(0, 1, 1), file(LIMITS.logFilesMax + 1, 1, 2)], [LIMITS.logFilesMax + 1]],
  ])('%s', (_, files, ages) => {
    expect(expiredAges(files, limits, NOW)).toEqual(ages);
  });

  it('is cut off in parts, by size and by time', () => {
    expect(isFull({ bytes: 124, firstAtMs: NOW }, limits, NOW)).toBe(false);
    expect(isFull({ bytes: 125, firstAtMs: NOW }, limits, NOW)).toBe(true);
    expect(isFull({ bytes: 1, firstAtMs: NOW - 9_999 }, limits, NOW)).toBe(false);
    expect(isFull({ bytes: 1, firstAtMs: NOW - 10_000 }, limits, NOW)).toBe(true);
    expect(isFull({ bytes: LIMITS.logFileBytesMax, firstAtMs: NOW }, { ...limits, bytesMax: Infinity }, NOW)).toBe(true);
  });
});
