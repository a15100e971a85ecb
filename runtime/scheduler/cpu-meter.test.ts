import { describe, expect, it } from 'vitest';
import { CpuMeter } from './cpu-meter.ts';

/** An instance of a quarter of a core that uses `share` of it from `fromMs` on, read once a second. */
function run(meter: CpuMeter, id: string, share: number, fromMs: number, toMs: number): number {
  let utilization = 0;
  for (let atMs = fromMs; atMs <= toMs; atMs += 1_000) utilization = meter.read(id, atMs * 1_000 * 0.25 * share, 0.25, atMs);
  return utilization;
}

describe('CpuMeter', () => {
  it('knows nothing before anything was read', () => {
    const meter = new CpuMeter(60_000);
    expect(meter.sum).toBeUndefined();
    expect(meter.peak(0)).toBe(0);
  });

  it('comes to the share that an instance uses of its class', () => {
    const meter = new CpuMeter(60_000);
    expect(run(meter, 'a', 0.8, 0, 30_000)).toBeCloseTo(0.8, 2);
    expect(run(meter, 'b', 2, 0, 30_000)).toBeCloseTo(2, 2);
    expect(meter.sum).toBeCloseTo(2.8, 1);
  });

  it('leaves out what the start took', () => {
    const meter = new CpuMeter(60_000);
    meter.read('a', 900_000, 0.25, 1_000);
    expect(meter.read('a', 900_000, 0.25, 2_000)).toBe(0);
  });

  it('does not take one busy second for load', () => {
    const meter = new CpuMeter(60_000);
    meter.read('a', 0, 0.25, 0);
    expect(meter.read('a', 250_000, 0.25, 1_000)).toBeLessThan(0.2);
  });

  it('remembers the peak for its window, also of instances that are gone', () => {
    const meter = new CpuMeter(10_000);
    run(meter, 'a', 1, 0, 30_000);
    meter.forget('a');
    expect(meter.sum).toBeUndefined();
    expect(meter.peak(39_000)).toBeCloseTo(1, 1);
    expect(meter.peak(41_000)).toBe(0);
  });
});
