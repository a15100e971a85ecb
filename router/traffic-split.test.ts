import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../sdk/support/virtual-time.ts';
import { TrafficSplit, type SplitClient } from './traffic-split.ts';

const client = (overrides: Partial<SplitClient> = {}): SplitClient => ({
  address: '192.0.2.1',
  cookie: undefined,
  fraction: () => 0.5,
  ...overrides,
});

describe('TrafficSplit', () => {
  it('sends everyone to the only version without giving out buckets', () => {
    expect(new TrafficSplit({ v1: 1 }, 'cookie').choose(client())).toEqual({ version: 'v1' });
  });

  it('has nobody to choose when nothing serves', () => {
    expect(new TrafficSplit({ v1: 0 }, 'ip').choose(client())).toBeUndefined();
  });

  it('follows the cookie, and gives a new client the bucket that it was routed by', () => {
    const split = new TrafficSplit({ a: 0.25, b: 0.75 }, 'cookie');
    expect(split.choose(client({ cookie: 'x=1; GOOGAPPUID=249' }))).toEqual({ version: 'a' });
    expect(split.choose(client({ cookie: 'GOOGAPPUID=250;y=2' }))).toEqual({ version: 'b' });
    expect(split.choose(client({ cookie: 'NOTGOOGAPPUID=1', fraction: () => 0.1 }))).toEqual({ version: 'a', newBucket: 100 });
    expect(split.choose(client({ cookie: 'GOOGAPPUID=1000', fraction: () => 0.9 }))).toEqual({ version: 'b', newBucket: 900 });
  });

  it('keeps an address at its version and spreads addresses by the shares', () => {
    const split = new TrafficSplit({ a: 0.2, b: 0.8 }, 'ip');
    let hits = 0;
    for (let index = 0; index < 5_000; index++) {
      const address = `10.${index >> 8}.${index & 255}.7`;
      const first = split.choose(client({ address }))?.version;
      expect(split.choose(client({ address }))?.version).toBe(first);
      if (first === 'a') hits++;
    }
    expect(hits / 5_000).toBeGreaterThan(0.17);
    expect(hits / 5_000).toBeLessThan(0.23);
  });

  it('spreads requests by the shares at random, whatever they add up to', () => {
    const random = new SeededRandom(7);
    const split = new TrafficSplit({ a: 3, b: 1 }, 'random');
    let hits = 0;
    for (let index = 0; index < 4_000; index++) if (split.choose(client({ fraction: () => random.fraction() }))?.version === 'a') hits++;
    expect(hits / 4_000).toBeGreaterThan(0.72);
    expect(hits / 4_000).toBeLessThan(0.78);
  });
});
