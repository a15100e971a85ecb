import { beforeEach, describe, expect, it } from 'vitest';
import { SampleQueues } from './sample-queues.ts';
import { type CallOutcome } from './task-caller.ts';

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2026, 0, 1);

let world: SampleQueues;

beforeEach(async () => {
  world = new SampleQueues();
  await world.pass(0);
});

/** Minutes after the start at which the app was called. */
let called: number[];
beforeEach(() => {
  called = [];
  answer(() => ({ kind: 'answered', status: 200 }));
});

function answer(by: () => CallOutcome | Promise<CallOutcome>): void {
  world.caller.answer = () => {
    called.push(Math.floor((world.time.nowMs() - START_MS) / MINUTE_MS));
    return by();
  };
}

async function minutes(count: number): Promise<void> {
  for (let minute = 0; minute < count; minute++) await world.pass(MINUTE_MS);
}

describe('a cron job', () => {
  it('is asked with GET as App Engine does, when it is due', async () => {
    world.setCron([{ schedule: 'every day 00:10', url: '/tick?x=1', target: 'worker', deadlineSeconds: 30 }]);
    await minutes(11);
    expect(called).toEqual([10]);
    const [call] = world.caller.calls;
    expect(call).toMatchObject({ host: 'worker-dot-shop.localhost', method: 'GET', url: '/tick?x=1', deadlineMs: 30_000 });
    expect(Object.fromEntries(call?.headers ?? [])).toMatchObject({
      'X-Appengine-Cron': 'true',
      'X-Appengine-QueueName': '__cron',
      'X-Appengine-User-IP': '0.1.0.1',
    });
    const [view] = await world.cron.jobs('shop');
    expect(view).toMatchObject({
      lastRunAtMs: START_MS + 10 * MINUTE_MS,
      lastStatus: 200,
      nextRunAtMs: START_MS + (1_440 + 10) * MINUTE_MS,
    });
  });

  it('counts an interval from the end of the last run, and never runs beside itself', async () => {
    const answers: ((outcome: CallOutcome) => void)[] = [];
    answer(() => new Promise((resolve) => answers.push(resolve)));
    world.setCron([{ schedule: 'every 10 minutes' }]);
    await minutes(45);
    expect(called).toEqual([10]);
    answers[0]?.({ kind: 'answered', status: 200 });
    await minutes(11);
    expect(called).toEqual([10, 55]);
  });

  it('on a grid skips what it missed while it ran', async () => {
    const answers: ((outcome: CallOutcome) => void)[] = [];
    answer(() => new Promise((resolve) => answers.push(resolve)));
    world.setCron([{ schedule: 'every 10 minutes synchronized' }]);
    await minutes(35);
    expect(called).toEqual([10]);
    answers[0]?.({ kind: 'answered', status: 200 });
    await minutes(1);
    // One run for the two that were missed.
    expect(called).toHaveLength(2);
    answers[1]?.({ kind: 'answered', status: 200 });
    await minutes(5);
    expect(called.slice(2)).toEqual([40]);
  });

  it('makes up once for what was missed while the platform was down', async () => {
    world.setCron([{ schedule: 'every 10 minutes synchronized' }]);
    await minutes(11);
    await world.stop();
    await minutes(60);
    world.start();
    await minutes(1);
    expect(called).toEqual([10, 71]);
    await minutes(10);
    expect(called).toEqual([10, 71, 80]);
  });

  it('does not run again after a kill when it was done, and does when it was not', async () => {
    world.setCron([{ schedule: 'every day 00:10' }]);
    await minutes(11);
    await world.stop();
    world.start();
    await minutes(5);
    expect(called).toEqual([10]);
    answer(() => new Promise(() => undefined));
    await minutes(1_440);
    expect(called).toHaveLength(2);
    await world.stop();
    answer(() => ({ kind: 'answered', status: 200 }));
    world.start();
    await minutes(2);
    expect(called).toHaveLength(3);
    await minutes(30);
    expect(called).toHaveLength(3);
  });

  it.each([
    [0, 1],
    [2, 3],
  ])('with job_retry_limit %i is asked %i times at most', async (retryLimit, count) => {
    answer(() => ({ kind: 'answered', status: 500 }));
    world.setCron([{ schedule: 'every day 00:10', retry: { retryLimit, minBackoffSeconds: 1, maxBackoffSeconds: 5, maxDoublings: 2 } }]);
    await minutes(20);
    expect(called).toHaveLength(count);
    expect((await world.cron.jobs('shop'))[0]).toMatchObject({ lastStatus: 500 });
  });

  it('runs by hand at any time; that counts as a run', async () => {
    world.setCron([{ schedule: 'every 10 minutes' }]);
    await minutes(5);
    expect(await world.cron.runNow('shop', 'job')).toMatchObject({ id: 'job', lastRunAtMs: START_MS + 5 * MINUTE_MS });
    await minutes(11);
    expect(called).toEqual([5, 15]);
    await expect(world.cron.runNow('shop', 'other')).rejects.toMatchObject({ code: 'CRON_JOB_NOT_FOUND' });
    await expect(world.cron.runNow('nobody', 'job')).rejects.toMatchObject({ code: 'APP_NOT_FOUND' });
  });

  it('by hand while it runs is no second run', async () => {
    answer(() => new Promise(() => undefined));
    world.setCron([{ schedule: 'every 10 minutes' }]);
    await minutes(11);
    await world.cron.runNow('shop', 'job');
    await minutes(1);
    expect(called).toHaveLength(1);
  });

  it('that is removed runs no more, and is forgotten; one that comes back starts anew', async () => {
    world.setCron([{ schedule: 'every 10 minutes' }]);
    await minutes(11);
    world.setCron([]);
    await minutes(30);
    expect(await world.states.load()).toEqual([]);
    world.setCron([{ schedule: 'every 10 minutes' }]);
    await minutes(5);
    expect(called).toEqual([10]);
    await minutes(6);
    expect(called).toEqual([10, 51]);
  });

  it('that never runs is shown without a next run', async () => {
    world.setCron([{ schedule: '31 of feb 00:00' }]);
    await minutes(2);
    expect((await world.cron.jobs('shop'))[0]).not.toHaveProperty('nextRunAtMs');
  });

  it('stands in no list of queues', async () => {
    answer(() => new Promise(() => undefined));
    world.setCron([{ schedule: 'every 1 minutes' }]);
    await minutes(2);
    expect((await world.queues.queuesOf('shop')).map(({ key }) => key.queue)).toEqual(['default']);
  });
});
