import { describe, expect, it } from 'vitest';
import { keyAfter } from '../storage/key-bytes.ts';
import { endVersionOf, historyKey, historyOf, rowKeyOf } from './history-row.ts';

const bytes = (...numbers: readonly number[]): Buffer => Buffer.from(numbers);
const isIn = (key: Buffer, range: ReturnType<typeof historyOf>): boolean =>
  Buffer.compare(key, range.from) >= 0 && Buffer.compare(key, range.to) < 0;

describe('history rows', () => {
  it('say whose history they are, and when it ended', () => {
    const key = historyKey(bytes(0x45, 1, 0), 1_700_000_000_000_000n);
    expect([rowKeyOf(key), endVersionOf(key)]).toEqual([bytes(0x45, 1, 0), 1_700_000_000_000_000n]);
  });

  it('lie in the range of their rows, whatever zeros it ends in', () => {
    const version = 1_700_000_000_000_000n;
    // Keys as rows have them: prefix-free, and their last byte 00.
    const rows = [bytes(0x45, 1, 0), bytes(0x45, 2, 0, 0), bytes(0x45, 2, 0, 1, 0), bytes(0x45, 2, 1, 0)];
    const edges = [...rows, ...rows.map(keyAfter), ...rows.map((row) => keyAfter(keyAfter(row))), bytes(0x45), bytes(0x46)];
    for (const from of edges) {
      for (const to of edges) {
        for (const row of rows) {
          if (Buffer.compare(row, from) < 0 || Buffer.compare(row, to) >= 0) continue;
          expect(
            isIn(historyKey(row, version), historyOf({ from, to })),
            `${row.toString('hex')} in ${from.toString('hex')}–${to.toString('hex')}`,
          ).toBe(true);
        }
      }
    }
  });
});
