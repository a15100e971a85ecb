// Basic and manual scaling, and a machine short of memory, by the scheduler that the router runs.
import { describe, expect, it } from 'vitest';
import { Scheduler } from '../../runtime/scheduler/scheduler.ts';
import { type BasicScaling, type ManualScaling } from '../../sdk/contract/app-manifest/manifest.ts';
import { runWorld, type WorldReport, type WorldSpec } from './scheduler-world.ts';
import { type SourceFactory } from './serving-source.ts';
import { constantService, exponentialService, poisson, sparse, step, type Traffic } from './traffic.ts';

/** Our scheduler, every version scaling that way. */
const scaled =
  (scaling: BasicScaling | ManualScaling): SourceFactory =>
  ({ host, plans, clock, timers, random, log }) => {
    const planOf = (id: string) => {
      const plan = plans.get(id);
      return plan && { ...plan, scaling };
    };
    const scheduler = new Scheduler(host, { planOf }, clock, timers, random, log, { lifecycle: () => Promise.resolve(200) });
    return {
      start: () => {
        scheduler.start();
        scheduler.setDeployed(new Map([...plans.keys()].map((id) => [id, { isStopped: false }])));
      },
      acquire: (target, options) => scheduler.acquire(target, options),
      openRequests: () => scheduler.view().pools.reduce((sum, { inFlight, queued }) => sum + inFlight + queued, 0),
      close: () => scheduler.close(),
    };
  };

async function run(spec: WorldSpec): Promise<WorldReport> {
  const report = await runWorld(spec);
  expect(report.violations, `seed ${spec.seed}`).toEqual([]);
  return report;
}

const errorsOf = (report: WorldReport): readonly string[] => report.outcomes.flatMap(({ error }) => (error === undefined ? [] : [error]));
const BASIC: BasicScaling = { kind: 'basic', maxInstances: 3, idleTimeoutMs: 60_000 };

describe.each([1, 20_261])('in virtual time, seed %i', (seed) => {
  it('basic scaling carries its bound of requests, and is gone after its idle time', async () => {
    const spec = { seed, traffic: step(150, 0, 30_000, constantService(100)), source: scaled(BASIC), afterMs: 62_000 };
    const report = await run(spec);
    expect(errorsOf(report)).toEqual([]);
    expect(report.instancesPeak).toBeGreaterThan(1);
    expect(report.instancesPeak).toBeLessThanOrEqual(3);
    expect(report.decisions.filter((line) => line.includes('Stopping an instance'))).toHaveLength(report.started);
  });

  it('basic scaling starts again for each request that comes after its idle time', async () => {
    const report = await run({ seed, traffic: sparse(120_000, 4 * 3_600_000, constantService(20)), source: scaled(BASIC) });
    expect(errorsOf(report)).toEqual([]);
    const gaps = report.outcomes.map(({ arrivedMs }, index) => arrivedMs - (report.outcomes[index - 1]?.arrivedMs ?? -Infinity));
    // Idle time is noticed once a second.
    expect(report.started).toBeGreaterThanOrEqual(gaps.filter((gapMs) => gapMs > BASIC.idleTimeoutMs + 2_000).length);
    expect(report.started).toBeLessThanOrEqual(gaps.filter((gapMs) => gapMs > BASIC.idleTimeoutMs - 2_000).length);
  });

  it('manual scaling loses no request while its instances die, and replaces each', async () => {
    const spec = {
      seed,
      traffic: step(60, 0, 60_000, constantService(100)),
      source: scaled({ kind: 'manual', instances: 3 }),
      deathGapMs: 2_000,
    };
    const report = await run(spec);
    expect(errorsOf(report)).toEqual([]);
    expect(report.deaths).toBeGreaterThan(15);
    expect(report.started).toBe(report.deaths + 3);
    expect(report.instancesPeak).toBeLessThanOrEqual(3);
  });

  it('a machine short of memory serves more apps than it can hold, one in the place of another', async () => {
    // Of 3 an instance needs 1 to start and keeps a quarter of it: at most 9 at a time, for 24 apps.
    const report = await run({ seed, traffic: manyApps(24), memoryBudget: 3, afterMs: 60_000 });
    expect(errorsOf(report)).toEqual([]);
    expect(report.instancesPeak).toBe(9);
    expect(report.started).toBeGreaterThan(24);
  });
});

/** Each asks for one place every half a minute or so. */
function manyApps(count: number): Traffic {
  const durationMs = 600_000;
  const service = exponentialService(50);
  const perApp = Array.from({ length: count }, (_, index) => poisson(`app ${index}`, durationMs, 1 / 30, () => 1 / 30, service));
  return {
    name: `${count} apps`,
    durationMs,
    arrivals: (random) =>
      perApp
        .flatMap((traffic, index) => traffic.arrivals(random).map((arrival) => ({ ...arrival, app: `app-${index}` })))
        .sort((a, b) => a.atMs - b.atMs),
  };
}
