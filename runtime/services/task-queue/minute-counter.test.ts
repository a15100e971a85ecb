import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MinuteCounter } from './minute-counter.ts';

it('counts what happened in the last sixty seconds', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 60 }), (gaps) => {
      const counter = new MinuteCounter();
      const seconds: number[] = [];
      let atMs = 5;
      for (const gap of gaps) {
        atMs += gap;
        counter.add(atMs);
        seconds.push(Math.floor(atMs / 1_000));
        const now = Math.floor(atMs / 1_000);
        expect(counter.total(atMs)).toBe(seconds.filter((second) => second > now - 60).length);
      }
    }),
  );
});
