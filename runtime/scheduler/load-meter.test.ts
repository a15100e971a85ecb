import { describe, expect, it } from 'vitest';
import { LoadMeter } from './load-meter.ts';

describe('LoadMeter', () => {
  it('remembers the peak of the last minute and no longer', () => {
    const meter = new LoadMeter(0);
    meter.change(5, 3, 500);
    meter.change(1, 0, 600);
    meter.change(0, 0, 700);
    expect(meter.load(0, 59_000).peak).toBe(8);
    expect(meter.load(0, 61_000).peak).toBe(0);
  });

  it('counts a level that lasts without any event', () => {
    const meter = new LoadMeter(0);
    meter.change(4, 0, 0);
    expect(meter.load(0, 500_000).peak).toBe(4);
    meter.change(0, 0, 500_100);
    expect(meter.load(0, 530_000).peak).toBe(4);
    expect(meter.load(0, 561_000).peak).toBe(0);
  });

  it('starts at any time of the clock', () => {
    const meter = new LoadMeter(123_456_789.25);
    meter.change(2, 0, 123_456_790);
    expect(meter.load(0, 123_456_791).peak).toBe(2);
  });

  it('lets the mean follow the level in about a quarter of a second', () => {
    const meter = new LoadMeter(0);
    meter.change(10, 0, 0);
    expect(meter.load(0, 5).inFlightMean).toBeLessThan(0.5);
    expect(meter.load(0, 250).inFlightMean).toBeCloseTo(6.32, 1);
    expect(meter.load(0, 2_000).inFlightMean).toBeGreaterThan(9.9);
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
