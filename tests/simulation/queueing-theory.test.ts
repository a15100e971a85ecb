// Whether the simulator is to be believed: what it measures against what queueing theory proves.
import { expect, test } from 'vitest';
import { runWorld } from './scheduler-world.ts';
import { constantService, exponentialService, poisson, type ServiceTime } from './traffic.ts';
import { ourScheduler } from './serving-source.ts';

const SERVICE_MS = 100;
/** The run's own spread of the mean, at these loads and lengths, is some 2 %. */
const TOLERANCE = 0.05;

async function meanWaitMs(servers: number, load: number, serviceTime: ServiceTime, seconds: number): Promise<number> {
  const rate = (load * servers * 1_000) / SERVICE_MS;
  const report = await runWorld({
    seed: 11,
    traffic: poisson('steady', seconds * 1_000, rate, () => rate, serviceTime),
    // As many single servers as there may be, all there before the first request.
    scaling: { minInstances: servers, maxInstances: servers, maxConcurrentRequests: 1 },
    source: ourScheduler({ pendingMsMax: 600_000, holdQueueEntriesMax: 100_000 }),
    readyMs: 0,
  });
  expect(report.violations).toEqual([]);
  return report.outcomes.reduce((sum, { waitMs }) => sum + waitMs, 0) / report.outcomes.length;
}

/** Erlang's C: the chance to wait in M/M/c, times the mean wait of those who do. */
function waitMsOfMMc(servers: number, load: number): number {
  const offered = load * servers;
  let term = 1;
  let sum = 1;
  for (let busy = 1; busy < servers; busy++) sum += term *= offered / busy;
  const last = (term * offered) / servers / (1 - load);
  return ((last / (sum + last)) * SERVICE_MS) / (servers * (1 - load));
}

test.each([
  { servers: 1, load: 0.6 },
  { servers: 4, load: 0.8 },
])('M/M/$servers at load $load waits as Erlang C says', async ({ servers, load }) => {
  const expected = waitMsOfMMc(servers, load);
  const measured = await meanWaitMs(servers, load, exponentialService(SERVICE_MS), 10_000 / servers);
  console.log(`  M/M/${servers}: measured ${measured.toFixed(1)} ms, theory ${expected.toFixed(1)} ms`);
  expect(Math.abs(measured / expected - 1)).toBeLessThan(TOLERANCE);
});

test('M/D/1 waits half as long as M/M/1: Pollaczek and Khinchine', async () => {
  const load = 0.7;
  const expected = (load * SERVICE_MS) / (2 * (1 - load));
  const measured = await meanWaitMs(1, load, constantService(SERVICE_MS), 10_000);
  console.log(`  M/D/1: measured ${measured.toFixed(1)} ms, theory ${expected.toFixed(1)} ms`);
  expect(Math.abs(measured / expected - 1)).toBeLessThan(TOLERANCE);
});
