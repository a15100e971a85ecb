import { describe, expect, it } from 'vitest';
import { runWorld, type WorldReport, type WorldSpec } from './scheduler-world.ts';
import { ourScheduler } from './serving-source.ts';
import { burst, constantService, exponentialService, ramp, sparse, step } from './traffic.ts';
import { settlingMs, summary } from './world-figures.ts';

const SEEDS = [1, 20_260];

async function run(spec: WorldSpec): Promise<WorldReport> {
  const report = await runWorld(spec);
  console.log(summary(spec, report));
  expect(report.violations, `seed ${spec.seed}`).toEqual([]);
  return report;
}

const errorsOf = (report: WorldReport): readonly string[] => report.outcomes.flatMap(({ error }) => (error === undefined ? [] : [error]));

describe.each(SEEDS)('the scheduler in virtual time, seed %i', (seed) => {
  it('takes a step to 200 requests a second without an error, and settles within the budget', async () => {
    const spec = { seed, traffic: step(200, 2_000, 20_000, constantService(100)) };
    const report = await run(spec);
    expect(errorsOf(report)).toEqual([]);
    // Budget: p99 back under 1.2 × steady within 3 s. Steady is the service time itself.
    const settledMs = settlingMs(report.outcomes, 2_000, 120);
    console.log(`  settled after ${settledMs} ms`);
    expect(settledMs).toBeLessThanOrEqual(3_000);
    expect(report.instancesPeak).toBeLessThanOrEqual(8);
  });

  it('follows a ramp up, and comes down after it', async () => {
    const spec = { seed, traffic: ramp(100, 60_000, exponentialService(80)), afterMs: 180_000 };
    const report = await run(spec);
    expect(errorsOf(report)).toEqual([]);
    const stops = report.decisions.filter((line) => line.includes('Stopping an instance'));
    expect(stops.length).toBe(report.started - 1);
  });

  it('serves sparse traffic from one instance, cold only after the keep-alive time', async () => {
    const keepAliveMs = 300_000;
    const spec = {
      seed,
      traffic: sparse(240_000, 8 * 3_600_000, constantService(20)),
      source: ourScheduler({ keepAliveMs: () => keepAliveMs }),
    };
    const report = await run(spec);
    expect(errorsOf(report)).toEqual([]);
    const gaps = report.outcomes.map(({ arrivedMs }, index) => arrivedMs - (report.outcomes[index - 1]?.arrivedMs ?? -Infinity));
    // Idle time is noticed once a second, and a start more or less at the border depends on that.
    const coldMin = gaps.filter((gapMs) => gapMs > keepAliveMs + 2_000).length;
    const coldMax = gaps.filter((gapMs) => gapMs > keepAliveMs - 2_000).length;
    expect(report.started).toBeGreaterThanOrEqual(coldMin);
    expect(report.started).toBeLessThanOrEqual(coldMax);
    expect(report.instancesPeak).toBe(1);
  });

  it('takes a burst at zero without an error, and without an instance for each request', async () => {
    const spec = { seed, traffic: burst(300, 10_000, exponentialService(100)) };
    const report = await run(spec);
    expect(errorsOf(report)).toEqual([]);
    expect(report.instancesPeak).toBeLessThanOrEqual(20);
    const slowestMs = Math.max(...report.outcomes.map(({ latencyMs }) => latencyMs));
    // 300 × 100 ms on the two instances of the first quarter second alone would be 1.65 s.
    expect(slowestMs).toBeLessThan(1_650);
  });

  it('loses no request when instances die under load', async () => {
    const spec = { seed, traffic: step(100, 0, 60_000, constantService(100)), deathGapMs: 2_000 };
    const report = await run(spec);
    expect(report.deaths).toBeGreaterThan(15);
    expect(errorsOf(report)).toEqual([]);
    expect(report.outcomes.some(({ tries }) => tries > 1)).toBe(true);
  });

  it('keeps to max_instances under more than they can carry, answering or refusing everyone', async () => {
    const spec = { seed, traffic: step(200, 0, 30_000, constantService(300)), scaling: { maxInstances: 3 }, afterMs: 60_000 };
    const report = await run(spec);
    expect(report.instancesPeak).toBe(3);
    // 3 instances × 10 at once / 0.3 s = 100 a second, half of what comes.
    const answered = report.outcomes.filter(({ error }) => error === undefined).length;
    expect(answered / report.arrivals).toBeGreaterThan(0.45);
    expect(new Set(errorsOf(report).map((message) => message.split(':')[0]))).toEqual(
      new Set([
        'Too many requests wait for an instance',
        ...errorsOf(report).filter((message) => message === 'No instance became free in time'),
      ]),
    );
  });

  it('decides the same again from the same seed', async () => {
    const spec = { seed, traffic: ramp(150, 20_000, exponentialService(120)), deathGapMs: 3_000 };
    const [first, second, other] = [await runWorld(spec), await runWorld(spec), await runWorld({ ...spec, seed: seed + 1 })];
    expect(first.decisions.length).toBeGreaterThan(10);
    expect(second.decisions).toEqual(first.decisions);
    expect(second.outcomes).toEqual(first.outcomes);
    expect(other.decisions).not.toEqual(first.decisions);
  });
});
