import { beforeEach, describe, expect, it } from 'vitest';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { SampleQueues } from './sample-queues.ts';
import { type CallOutcome } from './task-caller.ts';
import { type NewTask } from './task-queues.ts';

const DEFAULT = { appId: 'shop', queue: 'default' };

let world: SampleQueues;

beforeEach(async () => {
  world = new SampleQueues();
  await world.pass(0);
});

const newTask = (changes: Partial<NewTask> = {}): NewTask => ({
  url: '/work',
  method: 'POST',
  headers: [],
  payload: new Uint8Array(),
  target: '',
  etaMs: world.time.nowMs(),
  ...changes,
});
const add = (changes: Partial<NewTask> = {}, queue = DEFAULT): Promise<unknown> => world.queues.add(queue, [newTask(changes)]);
const figures = async (queue = DEFAULT) => (await world.queues.queue(queue)).figures;
const headersOf = (index: number): Record<string, string> => Object.fromEntries(world.caller.calls[index]?.headers ?? []);
const urls = (): string[] => world.caller.calls.map(({ url }) => url);

/** Calls that wait until the test answers them. */
function held(): ((outcome: CallOutcome) => void)[] {
  const answers: ((outcome: CallOutcome) => void)[] = [];
  world.caller.answer = () => new Promise((resolve) => answers.push(resolve));
  return answers;
}

const OK: CallOutcome = { kind: 'answered', status: 200 };
const FAILED: CallOutcome = { kind: 'answered', status: 500 };

describe('a task', () => {
  it('is sent with what App Engine says of it, and is gone when it is done', async () => {
    await add({ url: '/a?b=c', headers: [['X-Mine', '1']], payload: Buffer.from('x'), target: 'v2.worker', name: 'mine' });
    await world.pass(0);
    const [call] = world.caller.calls;
    expect(call).toMatchObject({
      host: 'v2-dot-worker-dot-shop.localhost',
      method: 'POST',
      url: '/a?b=c',
      deadlineMs: LIMITS.requestDeadlineMs,
    });
    expect(headersOf(0)).toMatchObject({
      'X-Mine': '1',
      'X-Appengine-QueueName': 'default',
      'X-Appengine-TaskName': 'mine',
      'X-Appengine-TaskRetryCount': '0',
      'X-Appengine-TaskExecutionCount': '0',
      'X-Appengine-TaskETA': '1767225600.000000',
      'X-Appengine-User-IP': '0.1.0.2',
    });
    expect(headersOf(0)).not.toHaveProperty('X-Appengine-Cron');
    expect(await figures()).toEqual({ tasks: 0, running: 0, executedLastMinute: 1, failedLastMinute: 0 });
    await expect(add({ name: 'mine' })).rejects.toMatchObject({ code: 'TASK_EXISTS' });
  });

  it('is there before the addition is answered, and after a kill', async () => {
    held();
    await add({ name: 'a' });
    await world.pass(0);
    await world.stop();
    world.caller.answer = () => OK;
    world.start();
    await world.pass(0);
    expect(world.caller.calls.map(({ url }) => url)).toEqual(['/work', '/work']);
    expect(await figures()).toMatchObject({ tasks: 0, running: 0 });
  });

  it('waits for its ETA, and no longer than a timer may be set', async () => {
    const dayMs = 86_400_000;
    await add({ etaMs: world.time.nowMs() + 30 * dayMs });
    await world.pass(30 * dayMs - 1_000);
    expect(world.caller.calls).toEqual([]);
    await world.pass(2_000);
    expect(world.caller.calls).toHaveLength(1);
  });

  it('counts its retries, and not what the platform did not do', async () => {
    const answers: CallOutcome[] = [
      { kind: 'unreachable' },
      { kind: 'refused', status: 503, code: 'ROUTE_STARTING' },
      { kind: 'refused', status: 503, code: 'ROUTE_PENDING_TIMEOUT' },
      FAILED,
      OK,
    ];
    world.caller.answer = () => answers.shift() ?? OK;
    await add();
    await world.pass(10_000);
    const seen = world.caller.calls.map((_, index) => {
      const headers = headersOf(index);
      return [
        headers['X-Appengine-TaskRetryCount'],
        headers['X-Appengine-TaskExecutionCount'],
        headers['X-Appengine-TaskPreviousResponse'],
      ];
    });
    expect(seen).toEqual([
      ['0', '0', undefined],
      ['0', '0', undefined],
      ['0', '0', undefined],
      ['1', '0', '503'],
      ['2', '1', '500'],
    ]);
  });

  it('that is deleted while it runs is not tried again', async () => {
    const answers = held();
    await add({ name: 'a' });
    await world.pass(0);
    expect(await (await world.queues.queue(DEFAULT)).delete(['a', 'b'], 1e15)).toEqual(['a']);
    answers[0]?.(FAILED);
    await world.pass(60_000);
    expect(world.caller.calls).toHaveLength(1);
    expect(await figures()).toMatchObject({ tasks: 0, running: 0 });
    await expect(add({ name: 'a' })).rejects.toMatchObject({ code: 'TASK_EXISTS' });
  });

  it('that is due later runs at once by hand, and once', async () => {
    await add({ name: 'a', etaMs: world.time.nowMs() + 1e9 });
    await (await world.queues.queue(DEFAULT)).runNow('a');
    await world.pass(1);
    expect(world.caller.calls).toHaveLength(1);
    await expect((await world.queues.queue(DEFAULT)).runNow('a')).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
  });

  it('is not given up because the store is away for a while', async () => {
    const remove = world.tasks.remove.bind(world.tasks);
    let failures = 3;
    world.tasks.remove = (...given) => (failures-- > 0 ? Promise.reject(new PlatformError('RPC_UNAVAILABLE')) : remove(...given));
    await add();
    await world.pass(10_000);
    expect(world.caller.calls).toHaveLength(1);
    expect(await figures()).toMatchObject({ tasks: 0 });
  });
});

describe('a queue', () => {
  it('is there when queue.yaml says so; the default one always', async () => {
    await expect(add({}, { appId: 'shop', queue: 'mail' })).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
    await expect(add({}, { appId: 'nobody', queue: 'default' })).rejects.toMatchObject({ code: 'APP_NOT_FOUND' });
    world.setQueues([{ name: 'mail', target: 'worker' }]);
    await add({}, { appId: 'shop', queue: 'mail' });
    await add();
    await world.pass(0);
    expect(world.caller.calls.map(({ host }) => host)).toEqual(['worker-dot-shop.localhost', 'shop.localhost']);
    expect((await world.queues.queuesOf('shop')).map(({ key }) => key.queue)).toEqual(['default', 'mail']);
  });

  it('that queue.yaml no longer has keeps its tasks, paused, and takes no more', async () => {
    const mail = { appId: 'shop', queue: 'mail' };
    world.setQueues([{ name: 'mail' }]);
    await add({ etaMs: world.time.nowMs() + 1_000 }, mail);
    world.setQueues([]);
    await world.pass(60_000);
    expect(world.caller.calls).toEqual([]);
    await expect(add({}, mail)).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
    expect((await world.queues.queuesOf('shop')).map(({ key, isPaused }) => [key.queue, isPaused])).toEqual([
      ['default', false],
      ['mail', true],
    ]);
    world.setQueues([{ name: 'mail' }]);
    await world.pass(0);
    expect(world.caller.calls).toHaveLength(1);
  });

  it('holds a bounded number of tasks', async () => {
    const queue = await world.queues.queue(DEFAULT);
    const later = world.time.nowMs() + 1e9;
    const batch = Array.from({ length: LIMITS.queueTasksMax - 1 }, () => newTask({ etaMs: later }));
    await world.queues.add(DEFAULT, batch);
    await expect(world.queues.add(DEFAULT, [newTask(), newTask()])).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    await add({ etaMs: later });
    expect(queue.figures.tasks).toBe(LIMITS.queueTasksMax);
    await expect(add()).rejects.toMatchObject({ code: 'QUEUE_FULL' });
  });

  it('runs no more at once than it may', async () => {
    world.setQueues([{ name: 'default', ratePerSecond: 500, bucketSize: 100, concurrentRequestsMax: 3 }]);
    const answers = held();
    await world.queues.add(
      DEFAULT,
      Array.from({ length: 10 }, () => newTask()),
    );
    await world.pass(1_000);
    expect(answers).toHaveLength(3);
    answers[0]?.(OK);
    await world.pass(1_000);
    expect([answers.length, (await figures()).running]).toEqual([4, 3]);
  });

  it('is paused and goes on, also over a restart', async () => {
    const paused = await world.queues.pause(DEFAULT, true);
    expect(paused.isPaused).toBe(true);
    await add();
    await world.stop();
    world.start();
    await world.pass(60_000);
    expect(world.caller.calls).toEqual([]);
    expect((await world.queues.pause(DEFAULT, false)).isPaused).toBe(false);
    await world.pass(0);
    expect(world.caller.calls).toHaveLength(1);
    await world.stop();
    world.start();
    expect((await world.queues.queue(DEFAULT)).isPaused).toBe(false);
  });

  it.each([
    [true, false],
    [false, true],
  ])('that was paused is resumed by a deploy, unless queue.yaml says no (%s)', async (resumePaused, isPaused) => {
    world.setQueues([{ name: 'default' }], resumePaused);
    await world.queues.pause(DEFAULT, true);
    expect((await world.queues.queue(DEFAULT)).isPaused).toBe(true);
    await world.pass(1);
    world.setQueues([{ name: 'default' }], resumePaused);
    expect((await world.queues.queue(DEFAULT)).isPaused).toBe(isPaused);
  });

  it('is purged of what runs and what waits, also when the purge was cut off', async () => {
    const answers = held();
    await world.queues.add(
      DEFAULT,
      Array.from({ length: 20 }, (_, index) => newTask({ url: `/${index}` })),
    );
    await world.pass(0);
    expect(answers).toHaveLength(5);
    const remove = world.tasks.remove.bind(world.tasks);
    world.tasks.remove = () => Promise.reject(new Error('killed'));
    await expect(world.queues.purge(DEFAULT)).rejects.toThrow('killed');
    await world.stop();
    world.tasks.remove = remove;
    world.caller.answer = () => OK;
    world.start();
    await world.pass(60_000);
    expect(world.caller.calls).toHaveLength(5);
    expect(await figures()).toMatchObject({ tasks: 0 });
    await add({ url: '/new' });
    await world.pass(0);
    expect(urls().at(-1)).toBe('/new');
  });

  it('that is longer than the window runs to its end', async () => {
    world.setQueues([{ name: 'default', ratePerSecond: 500, bucketSize: 500 }]);
    const count = 3 * LIMITS.taskWindowEntriesMax + 7;
    await world.queues.pause(DEFAULT, true);
    for (let start = 0; start < count; start += 1_000) {
      const length = Math.min(1_000, count - start);
      await world.queues.add(
        DEFAULT,
        Array.from({ length }, (_, index) => newTask({ url: `/${start + index}` })),
      );
    }
    await world.stop();
    world.start();
    await world.queues.pause(DEFAULT, false);
    for (let round = 0; round < 60 && (await figures()).tasks > 0; round++) await world.pass(1_000);
    expect(new Set(urls()).size).toBe(count);
    expect(urls()).toHaveLength(count);
  });
});

describe('an app that is deleted', () => {
  it('takes its tasks, names and states with it, but nothing that was made anew', async () => {
    await add({ name: 'done' });
    await world.pass(0);
    await add({ name: 'later', etaMs: world.time.nowMs() + 1_000 });
    await world.queues.pause(DEFAULT, true);
    world.deleteApp('shop');
    world.setApp('shop');
    await add({ url: '/new' });
    await world.pass(60_000);
    expect(urls()).toEqual(['/work', '/new']);
    expect(await world.tasks.queues()).toEqual([]);
    await add({ name: 'done' });
    await add({ name: 'later' });
  });

  it('is dropped by the next start when the platform was down', async () => {
    await add({ etaMs: world.time.nowMs() + 1_000 });
    await world.queues.pause(DEFAULT, true);
    await world.stop();
    world.deleteApp('shop');
    world.start();
    await world.pass(0);
    expect(await world.tasks.queues()).toEqual([]);
    expect(await world.states.load()).toEqual([]);
  });
});

describe('names of done tasks', () => {
  it('stay taken for a week', async () => {
    await add({ name: 'a' });
    await world.pass(LIMITS.taskNameReservedMs - 120_000);
    await expect(add({ name: 'a' })).rejects.toMatchObject({ code: 'TASK_EXISTS' });
    await world.pass(4 * 60_000);
    await add({ name: 'a' });
  }, 60_000);

  it('are bounded: the oldest are forgotten', async () => {
    const kept: number[] = [];
    const release = world.tasks.releaseNames.bind(world.tasks);
    world.tasks.releaseNames = (appId, beforeMs, keep) => {
      kept.push(keep);
      return release(appId, beforeMs, keep);
    };
    await add();
    await world.pass(61_000);
    expect(kept).toContain(LIMITS.taskNamesReservedMax);
  });
});

it('shares its places between the queues of all apps', async () => {
  const count = LIMITS.taskDispatchesInFlightMax;
  world.setQueues([
    { name: 'a', ratePerSecond: 500, bucketSize: 500 },
    { name: 'b', ratePerSecond: 500, bucketSize: 500 },
  ]);
  const answers = held();
  await world.queues.add(
    { appId: 'shop', queue: 'a' },
    Array.from({ length: count + 50 }, () => newTask({ url: '/a' })),
  );
  await world.pass(1_000);
  await world.queues.add({ appId: 'shop', queue: 'b' }, [newTask({ url: '/b' })]);
  await world.pass(1_000);
  expect([answers.length, urls().includes('/b')]).toEqual([count, false]);
  for (const answer of answers.slice(0, 3)) answer(OK);
  await world.pass(1_000);
  expect(urls()).toContain('/b');
  expect((await figures({ appId: 'shop', queue: 'a' })).running + 1).toBe(count);
});
