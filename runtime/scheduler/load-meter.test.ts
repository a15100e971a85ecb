import { describe, expect, it } from 'vitest';
import { LoadMeter } from './load-meter.ts';

describe('LoadMeter', () => {
  it('counts each arrival with the level that it found, for a minute', () => {
    const meter = new LoadMeter(0);
    for (let request = 1; request <= 4; request++) meter.change(request, 0, 500);
    meter.change(4, 1, 500);
    // From the queue to an instance is no arrival, and neither is an end.
    meter.change(5, 0, 600);
    meter.change(0, 0, 700);
    // 1 … 5: mean 3, deviation 1.41, and 3 + 1.64 × 1.41 is above the most that was found.
    expect(meter.load(0, 59_000).demandUsual).toBe(5);
    expect(meter.load(0, 61_000).demandUsual).toBe(0);
  });

  it('lets the mean demand follow in half a second, and the mean in flight in ten', () => {
    const meter = new LoadMeter(0);
    meter.change(10, 10, 0);
    expect(meter.load(0, 5).demandMean).toBeLessThan(0.5);
    expect(meter.load(0, 500).demandMean).toBeCloseTo(20 * 0.632, 1);
    expect(meter.load(0, 4_000).demandMean).toBeGreaterThan(19.9);
    expect(meter.load(0, 10_000).inFlightMean).toBeCloseTo(6.32, 1);
    expect(meter.load(0, 80_000).inFlightMean).toBeGreaterThan(9.9);
  });

  it('knows no service or boot time before there was one, then follows slowly', () => {
    const meter = new LoadMeter(0);
    expect(meter.load(0, 0)).toMatchObject({ serviceMs: undefined, bootMs: undefined });
    meter.served(100);
    meter.served(200);
    meter.booted(50);
    expect(meter.load(0, 0)).toMatchObject({ serviceMs: 120, bootMs: 50 });
  });

  it('is active while a request lasts, and from its end on counts the time since', () => {
    const meter = new LoadMeter(0);
    meter.change(1, 0, 10);
    expect(meter.load(0, 5_000).activeAtMs).toBe(5_000);
    meter.change(0, 0, 6_000);
    meter.change(0, 0, 7_000);
    expect(meter.load(0, 9_000).activeAtMs).toBe(6_000);
  });
});
