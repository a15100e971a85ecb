import { describe, expect, test } from 'vitest';
import { runWorld, type WorldReport } from '../scheduler-world.ts';
import { type Traffic } from '../traffic.ts';
import { chooseDevAppServerInstance, PeakWindow, requiredInstances } from './dev-appserver-rule.ts';
import { devAppServer } from './dev-appserver.ts';

describe('the rule', () => {
  test.each([
    { peak: 0, required: 0 },
    { peak: 1, required: 1 },
    { peak: 10, required: 1 },
    { peak: 11, required: 2 },
  ])('a peak of $peak outstanding at 10 each requires $required', ({ peak, required }) => {
    expect(requiredInstances(peak, 10)).toBe(required);
  });

  // Of the required ones the roomiest, so that they share; of the others the fullest, so that the rest stays idle.
  test.each([
    { loads: [2, 7, 5], required: 2, chosen: 5 },
    { loads: [2, 7, 5], required: 3, chosen: 2 },
    { loads: [10, 10, 5, 3], required: 2, chosen: 5 },
    { loads: [4, 0], required: 0, chosen: 4 },
    { loads: [10, 10], required: 1, chosen: undefined },
    { loads: [], required: 1, chosen: undefined },
  ])('of $loads with $required required it takes $chosen', ({ loads, required, chosen }) => {
    const instances = loads.map((inFlight) => ({ inFlight }));
    expect(chooseDevAppServerInstance(instances, required, 10)?.inFlight).toBe(chosen);
  });

  test('the peak is that of the last minute', () => {
    const peak = new PeakWindow();
    peak.record(3, 0);
    peak.record(9, 1_000);
    peak.record(4, 2_000);
    peak.record(6, 30_000);
    expect(peak.most(61_000)).toBe(9);
    expect(peak.most(61_001)).toBe(6);
    expect(peak.most(90_001)).toBe(0);
  });
});

describe('a module at work', () => {
  const run = (traffic: Traffic, maxInstances = 20): Promise<WorldReport> =>
    runWorld({ seed: 3, traffic, source: devAppServer, readyMs: 500, scaling: { maxInstances } });
  const together = (count: number, atMs: number, serviceMs: number): Traffic => ({
    name: `${count} together`,
    durationMs: 20_000,
    arrivals: () => Array.from({ length: count }, () => ({ app: 'a', atMs, serviceMs })),
  });

  test('one instance is there before anybody asks, and one more than required from then on, for good', async () => {
    const report = await run(together(1, 5_000, 100));
    expect(report.outcomes.map(({ latencyMs }) => latencyMs)).toEqual([100]);
    expect(report.started).toBe(2);
    expect(report.instancesPeak).toBe(2);
    // From 1 s, the second from 5 or 6 s on.
    expect(report.instanceSeconds).toBeGreaterThan(19 + 13);
  });

  test('who finds no room waits a tenth of a second, then for an instance of its own', async () => {
    const report = await run(together(12, 5_000, 2_000));
    const latencies = report.outcomes.map(({ latencyMs }) => Math.round(latencyMs)).sort((a, b) => a - b);
    expect(latencies).toEqual([...Array.from({ length: 10 }, () => 2_000), 2_600, 2_600]);
    // One for each of the two that found no room, and the idle one ahead of them all; the fourth is the next idle one.
    expect(report.started).toBeGreaterThanOrEqual(3);
  });

  test('at the most instances it waits for room', async () => {
    const report = await run(together(25, 5_000, 1_000), 1);
    expect(report.started).toBe(1);
    expect(report.violations).toEqual([]);
    expect(Math.round(Math.max(...report.outcomes.map(({ latencyMs }) => latencyMs)))).toBe(3_000);
  });
});
