// Push queues in virtual time: random tasks, handlers that fail, routers that are away, and kills at any moment. What must
// hold whatever the seed: no task is lost, none starts before its ETA or its back-off, and the queue keeps its rate.
import { expect, test } from 'vitest';
import { backoffMs } from '../../runtime/services/task-queue/retry-decision.ts';
import { SampleQueues } from '../../runtime/services/task-queue/sample-queues.ts';
import { type CallOutcome } from '../../runtime/services/task-queue/task-caller.ts';
import { type RetryParameters } from '../../sdk/contract/queue-definition.ts';

const seeds = process.env['SEED'] === undefined ? [1, 2, 3, 4, 5, 6, 7, 8] : [Number(process.env['SEED'])];
const TASKS = 300;
const KEY = { appId: 'shop', queue: 'default' };
const RETRY: RetryParameters = { minBackoffSeconds: 0.5, maxBackoffSeconds: 20, maxDoublings: 3 };
const RATE = 10;
const BUCKET = 7;
const CONCURRENT = 4;
/** Promises settle in turns of virtual time that may come a little late, never early. */
const TOLERANCE_MS = 1;

interface Start {
  readonly url: string;
  readonly atMs: number;
  readonly retries: number;
}

test.each(seeds)('nothing is lost and every bound is kept (SEED=%i)', async (seed) => {
  const world = new SampleQueues({ seed });
  const chance = (share: number): boolean => world.random.fraction() < share;
  await world.pass(0);
  world.setQueues([{ name: 'default', ratePerSecond: RATE, bucketSize: BUCKET, concurrentRequestsMax: CONCURRENT, retry: RETRY }]);

  const starts: Start[] = [];
  const done = new Set<string>();
  const failedAtMs = new Map<string, number>();
  const violations: string[] = [];
  let life = 0;
  let killedAtMs = -Infinity;
  let running = 0;
  let isRouterAway = false;
  world.caller.answer = (call) => {
    if (isRouterAway) return { kind: 'unreachable' };
    const retries = Number(call.headers.find(([name]) => name === 'X-Appengine-TaskRetryCount')?.[1]);
    const nowMs = world.time.nowMs();
    const bornIn = life;
    starts.push({ url: call.url, atMs: nowMs, retries });
    running++;
    // Collected, since the queue would take what is thrown here for a broken caller.
    if (running > CONCURRENT) violations.push(`${running} at once at ${nowMs}`);
    const eta = Number(/eta=(\d+)/.exec(call.url)?.[1]);
    if (nowMs < eta) violations.push(`${call.url} at ${nowMs}`);
    const failed = failedAtMs.get(call.url);
    if (failed !== undefined && retries > 0 && nowMs < failed + backoffMs(retries, RETRY) - TOLERANCE_MS) {
      violations.push(`try ${retries} of ${call.url} at ${nowMs}, failed at ${failed}`);
    }
    return new Promise<CallOutcome>((resolve) => {
      world.time.after(world.random.fraction() * 800, () => {
        // The process that sent it is gone: nobody hears the answer.
        if (bornIn !== life) return;
        running--;
        if (chance(0.3)) {
          failedAtMs.set(call.url, world.time.nowMs());
          resolve({ kind: 'answered', status: 500 });
        } else {
          done.add(call.url);
          resolve({ kind: 'answered', status: 200 });
        }
      });
    });
  };

  const added = new Set<string>();
  for (let step = 0; step < 2_000 && (added.size < TASKS || done.size < added.size); step++) {
    if (added.size < TASKS && chance(0.3)) {
      const etaMs = world.time.nowMs() + Math.floor(world.random.fraction() * 20_000);
      const url = `/t${added.size}?eta=${etaMs}`;
      const task = { url, method: 'POST', headers: [], payload: new Uint8Array(), target: '', etaMs };
      await world.queues.add(KEY, [task]);
      added.add(url);
    }
    if (chance(0.02)) isRouterAway = !isRouterAway;
    if (chance(0.01)) {
      life++;
      running = 0;
      killedAtMs = world.time.nowMs();
      await world.stop();
      await world.pass(world.random.fraction() * 2_000);
      world.start();
    }
    await world.pass(100);
  }
  isRouterAway = false;
  for (let round = 0; round < 400 && done.size < added.size; round++) await world.pass(1_000);
  await world.pass(1_000);

  expect(violations).toEqual([]);
  expect(killedAtMs).toBeGreaterThan(0);
  expect(done.size).toBe(added.size);
  expect((await world.queues.queue(KEY)).figures).toMatchObject({ tasks: 0, running: 0 });
  // A bucket may be full again after a kill, so a window holds what two of them and the rate allow.
  for (const [index, { atMs }] of starts.entries()) {
    const inSecond = starts.slice(index).filter((start) => start.atMs < atMs + 1_000).length;
    expect(inSecond).toBeLessThanOrEqual(RATE + 2 * BUCKET);
  }
  const retried = starts.filter(({ retries }) => retries > 0).length;
  console.log(`seed ${seed}: ${added.size} tasks, ${starts.length} tries, ${retried} of them again, ${life} kills`);
  expect(retried).toBeGreaterThan(TASKS / 10);
});

test('a queue that is always full sends at its rate', async () => {
  const world = new SampleQueues();
  await world.pass(0);
  world.setQueues([{ name: 'default', ratePerSecond: 2.5, bucketSize: 5 }]);
  const task = { url: '/x', method: 'POST', headers: [], payload: new Uint8Array(), target: '', etaMs: world.time.nowMs() };
  for (let batch = 0; batch < 10; batch++)
    await world.queues.add(
      KEY,
      Array.from({ length: 100 }, () => task),
    );
  await world.pass(200_000);
  expect(world.caller.calls.length).toBeGreaterThanOrEqual(5 + 2.5 * 200 - 1);
  expect(world.caller.calls.length).toBeLessThanOrEqual(5 + 2.5 * 200);
});
