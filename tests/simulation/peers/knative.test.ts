import { describe, expect, test } from 'vitest';
import { KNATIVE_DEFAULTS, KnativeAutoscaler } from './knative-autoscaler.ts';
import { KnativeWindow } from './knative-window.ts';
import { knative } from './knative.ts';
import { runWorld, type WorldReport } from '../scheduler-world.ts';
import { constantService, step, type Traffic } from '../traffic.ts';

const SPEC = { ...KNATIVE_DEFAULTS, containerConcurrency: 10 };

describe('the sliding window', () => {
  test('averages over the seconds since its first write until it is full', () => {
    const window = new KnativeWindow(6_000);
    window.record(6, 100_000);
    window.record(12, 101_000);
    expect(window.average(101_500)).toBe(9);
    for (let second = 102; second < 106; second++) window.record(0, second * 1_000);
    expect(window.average(105_900)).toBe(3);
    // The 6 has left.
    window.record(0, 106_000);
    expect(window.average(106_000)).toBe(2);
  });

  test('adds what several reporters say of one second', () => {
    const window = new KnativeWindow(6_000);
    window.record(3, 100_100);
    window.record(4, 100_900);
    expect(window.average(100_999)).toBe(7);
  });

  test('leaves out seconds that nobody wrote since, and is empty after a window of them', () => {
    const window = new KnativeWindow(6_000);
    for (let second = 100; second < 106; second++) window.record(second - 99, second * 1_000);
    // 1 … 6 were written; two seconds on, 1 and 2 have left and nothing stands for the two: 18 / 4.
    expect(window.average(107_000)).toBe(4.5);
    expect(window.isEmpty(110_999)).toBe(false);
    expect(window.isEmpty(111_000)).toBe(true);
    expect(window.average(111_000)).toBe(0);
    window.record(8, 120_000);
    expect(window.average(120_000)).toBe(8);
  });
});

describe('the decision at a tick', () => {
  // 70 % of 10 at once: a pod is to carry 7.
  test.each([
    { stable: 7, ready: 1, desired: 1 },
    { stable: 7.1, ready: 1, desired: 2 },
    { stable: 20, ready: 3, desired: 3 },
    { stable: 0, ready: 1, desired: 0 },
    // Never below half of those ready at once.
    { stable: 0, ready: 9, desired: 4 },
    { stable: 7, ready: 9, desired: 4 },
  ])('stable average $stable with $ready ready wants $desired', ({ stable, ready, desired }) => {
    const observed = { podsReady: ready, stableConcurrency: stable, panicConcurrency: stable };
    const autoscaler = new KnativeAutoscaler(SPEC);
    expect(autoscaler.scale(observed, 0).podsDesired).toBe(desired);
  });

  test('no more than a thousandfold at once', () => {
    const observed = { podsReady: 0, stableConcurrency: 70_000, panicConcurrency: 70_000 };
    expect(new KnativeAutoscaler(SPEC).scale(observed, 0).podsDesired).toBe(1_000);
  });

  test('panic begins at twice the ready pods, follows the short window, and never goes down in it', () => {
    const autoscaler = new KnativeAutoscaler(SPEC);
    const calm = { podsReady: 2, stableConcurrency: 10, panicConcurrency: 21 };
    expect(autoscaler.scale(calm, 0).podsDesired).toBe(2);
    expect(autoscaler.isPanicking).toBe(false);
    // 22 / 7 makes 4 pods, 4 / 2 is the threshold.
    expect(autoscaler.scale({ ...calm, panicConcurrency: 22 }, 2_000).podsDesired).toBe(4);
    expect(autoscaler.isPanicking).toBe(true);
    expect(autoscaler.scale({ podsReady: 4, stableConcurrency: 12, panicConcurrency: 5 }, 4_000).podsDesired).toBe(4);
    // More than a whole stable window after it was last over the threshold.
    expect(autoscaler.scale({ podsReady: 4, stableConcurrency: 12, panicConcurrency: 5 }, 62_000).podsDesired).toBe(4);
    expect(autoscaler.scale({ podsReady: 4, stableConcurrency: 12, panicConcurrency: 5 }, 62_001).podsDesired).toBe(2);
    expect(autoscaler.isPanicking).toBe(false);
  });

  test('what is spare for a burst: the room of the ready pods less 211 and less what they carry', () => {
    const observe = (podsReady: number) =>
      new KnativeAutoscaler(SPEC).scale({ podsReady, stableConcurrency: 0, panicConcurrency: 4.5 }, 0).excessBurstCapacity;
    expect(observe(3)).toBe(-186);
    expect(observe(22)).toBe(4);
  });
});

describe('a revision at work', () => {
  const run = (traffic: Traffic, scaling = {}): Promise<WorldReport> =>
    runWorld({ seed: 3, traffic, source: knative, readyMs: 500, scaling });
  const at = (...seconds: readonly number[]): Traffic => ({
    name: 'given moments',
    durationMs: 200_000,
    arrivals: () => seconds.map((second) => ({ app: 'a', atMs: second * 1_000, serviceMs: 100 })),
  });

  test('the first request starts a pod at once and waits for it alone', async () => {
    const report = await run(at(10.3));
    expect(report.outcomes.map(({ latencyMs, isCold }) => [latencyMs, isCold])).toEqual([[600, true]]);
    // Active from 10.8 s; its report of 11 s is the last with traffic, out of the window at 71 s; the tick is at 72 s.
    expect(report.instanceSeconds).toBeCloseTo(72 - 10.3, 1);
  });

  test('a request before the pod has gone keeps it', async () => {
    const report = await run(at(10.3, 60, 110));
    expect(report.started).toBe(1);
    expect(report.outcomes.map(({ latencyMs }) => Math.round(latencyMs))).toEqual([600, 100, 100]);
  });

  test('a step is met after panic: pods for the level of the last 6 s at the next tick', async () => {
    const report = await run(step(200, 10_000, 40_000, constantService(100)));
    expect(report.outcomes.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(report.instancesPeak).toBeGreaterThan(3);
    expect(Math.max(...report.outcomes.map(({ latencyMs }) => latencyMs))).toBeGreaterThan(1_000);
  });

  test('max-scale bounds it', async () => {
    const report = await run(step(200, 10_000, 20_000, constantService(100)), { maxInstances: 3 });
    expect(report.instancesPeak).toBe(3);
    expect(report.violations).toEqual([]);
  });

  test.each([
    { concurrency: 10, shares: [2, 2, 2] },
    { concurrency: 3, shares: [3, 3, 0] },
  ])('with $concurrency at once on a pod, six requests go to three pods as $shares', async ({ concurrency, shares }) => {
    // Long requests bring three pods; then six come together while all three are idle.
    const warm = Array.from({ length: 3 * concurrency }, () => ({ app: 'a', atMs: 1_000, serviceMs: 6_000 }));
    const six = Array.from({ length: 6 }, (_, index) => ({ app: 'a', atMs: 20_000 + index, serviceMs: 500 }));
    const traffic: Traffic = { name: 'six', durationMs: 30_000, arrivals: () => [...warm, ...six] };
    const placed = new Map<string, number>();
    const counting: typeof knative = (parts) => {
      const source = knative(parts);
      return {
        ...source,
        acquire: async (target, options) => {
          const lease = await source.acquire(target, options);
          if (parts.clock.nowMs() >= 1_020_000) placed.set(lease.instanceId, (placed.get(lease.instanceId) ?? 0) + 1);
          return lease;
        },
      };
    };
    const report = await runWorld({
      seed: 1,
      traffic,
      source: counting,
      readyMs: 500,
      scaling: { maxConcurrentRequests: concurrency, maxInstances: 3 },
    });
    expect(report.instancesPeak).toBe(3);
    expect([...placed.values(), 0, 0].slice(0, 3)).toEqual(shares);
  });
});
