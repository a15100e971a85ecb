import { describe, expect, it } from 'vitest';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { ReadPace } from './read-pace.ts';

function paced(): { readonly time: VirtualTime; readonly read: (durationMs: number) => boolean } {
  const time = new VirtualTime();
  const pace = new ReadPace(time);
  return { time, read: (durationMs) => pace.try(() => time.advance(durationMs)) !== undefined };
}

describe('read pace', () => {
  it('reads here while reads are quick, an interrupted one among them', () => {
    const { read } = paced();
    const outcomes = Array.from({ length: 1_000 }, (_, at) => read(at === 500 ? 400 : 0.005));
    expect(outcomes.every(Boolean)).toBe(true);
  });

  it('reads elsewhere once reads are slow on average, and tries again after a pause', () => {
    const { time, read } = paced();
    let here = 0;
    while (read(0.2)) here++;
    expect(here).toBeLessThan(60);
    time.advance(249);
    expect(read(0.2)).toBe(false);
    time.advance(1);
    here = 0;
    while (read(0.2)) here++;
    expect(here).toBeGreaterThan(0);
    expect(here).toBeLessThan(30);
  });

  it('gives up after a few reads from a very slow disk', () => {
    const { read } = paced();
    expect([read(10), read(10), read(10), read(10), read(10)]).toEqual([true, true, true, true, false]);
  });
});
