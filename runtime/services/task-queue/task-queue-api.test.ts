import { beforeEach, describe, expect, it } from 'vitest';
import { TaskQueue } from '../../../sdk/client/task-queue.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { InProcessRpc, type Rpc } from '../../../sdk/contract/wire/client.ts';
import { SampleQueues } from './sample-queues.ts';
import { taskQueueApi } from './task-queue-api.ts';

let world: SampleQueues;
let rpc: Rpc;
let taskQueue: TaskQueue;

beforeEach(async () => {
  world = new SampleQueues();
  await world.pass(0);
  const caller = { id: 'i1', appId: 'shop', service: 'web', version: 'v7' };
  rpc = new InProcessRpc([taskQueueApi(world.queues, world.time).serviceOf(caller)], world.time);
  taskQueue = new TaskQueue(rpc);
});

/** What the app is asked for a task, after it was added. */
async function sent(options: Parameters<TaskQueue['add']>[0]) {
  await taskQueue.add(options);
  await world.pass(0);
  const call = world.caller.calls.at(-1);
  const headers = Object.fromEntries((call?.headers ?? []).map(([name, value]) => [name.toLowerCase(), value]));
  return { ...call, headers, body: Buffer.from(call?.payload ?? []).toString() };
}

describe('what a task becomes', () => {
  it.each([
    ['nothing at all', {}, { method: 'POST', url: '/_ah/queue/default', body: '' }, undefined],
    [
      'params',
      { url: '/a', params: { x: 1, y: 'a b&ü', z: true } },
      { method: 'POST', url: '/a', body: 'x=1&y=a+b%26%C3%BC&z=true' },
      'application/x-www-form-urlencoded',
    ],
    ['params of a GET', { url: '/a?q=1', method: 'GET', params: { x: 1 } }, { method: 'GET', url: '/a?q=1&x=1', body: '' }, undefined],
    ['text', { url: '/a', payload: 'grüße' }, { body: 'grüße' }, 'text/plain; charset=utf-8'],
    ['bytes', { url: '/a', method: 'PUT', payload: Buffer.from('x') }, { method: 'PUT', body: 'x' }, 'application/octet-stream'],
    ['a value', { url: '/a', payload: { a: [1] } }, { body: '{"a":[1]}' }, 'application/json'],
    ['its own type', { url: '/a', payload: 'x', headers: { 'content-TYPE': 'a/b', 'X-Y': 'z' } }, { body: 'x' }, 'a/b'],
  ] as const)('%s', async (_, options, wanted, type) => {
    const call = await sent(options);
    expect(call).toMatchObject(wanted);
    expect(call.headers['content-type']).toBe(type);
  });

  it('goes to the version that added it, unless it or its queue names another', async () => {
    expect((await sent({})).host).toBe('v7-dot-web-dot-shop.localhost');
    expect((await sent({ target: 'worker' })).host).toBe('worker-dot-shop.localhost');
    world.setQueues([{ name: 'default', target: 'v1.batch' }]);
    expect((await sent({})).host).toBe('v1-dot-batch-dot-shop.localhost');
    expect((await sent({ target: 'worker' })).host).toBe('worker-dot-shop.localhost');
  });

  it('waits for its countdown or its ETA, and has its own deadline', async () => {
    const added = await taskQueue.add({ countdownSeconds: 5, deadlineSeconds: 15 });
    expect(added.eta.getTime()).toBe(world.time.nowMs() + 5_000);
    await taskQueue.add({ eta: new Date(world.time.nowMs() + 6_000) });
    await taskQueue.add({ eta: new Date(0), url: '/past' });
    await world.pass(0);
    expect(world.caller.calls.map(({ url }) => url)).toEqual(['/past']);
    await world.pass(5_000);
    expect(world.caller.calls[1]?.deadlineMs).toBe(15_000);
    await world.pass(1_000);
    expect(world.caller.calls).toHaveLength(3);
  });

  it('has a rule of its own for retries', async () => {
    world.caller.answer = () => ({ kind: 'answered', status: 500 });
    await taskQueue.add({ retry: { retryLimit: 1, minBackoffSeconds: 3 } });
    await world.pass(2_900);
    expect(world.caller.calls).toHaveLength(1);
    await world.pass(100_000);
    expect(world.caller.calls).toHaveLength(2);
  });
});

describe('what is refused', () => {
  it.each([
    ['a url of another host', { url: 'http://example.com/' }, 'TASK_INVALID'],
    ['a url with a space', { url: '/a b' }, 'TASK_INVALID'],
    ['a url that splits the request', { url: '/a\r\nX-Appengine-Cron: true' }, 'TASK_INVALID'],
    ['a url with a fragment', { url: '/a#b' }, 'TASK_INVALID'],
    ['a url beyond ASCII', { url: '/ü' }, 'TASK_INVALID'],
    ['a long url', { url: `/${'a'.repeat(LIMITS.taskUrlCharactersMax)}` }, 'TASK_INVALID'],
    ['a body of a GET', { method: 'GET', payload: 'x' }, 'TASK_INVALID'],
    ['params and a payload', { params: { a: 1 }, payload: 'x' }, 'TASK_INVALID'],
    ['params of a GET without url', { method: 'GET', params: { a: 1 } }, 'TASK_INVALID'],
    ['an unknown method', { method: 'PATCH' }, 'INVALID_ARGUMENT'],
    ['a header with a line break', { headers: { a: 'b\r\nX-Appengine-Cron: true' } }, 'TASK_INVALID'],
    ['a header without name', { headers: { '': 'b' } }, 'TASK_INVALID'],
    ["a header of the platform's", { headers: { 'X_AppEngine-Cron': 'true' } }, 'TASK_INVALID'],
    ['the host', { headers: { Host: 'other' } }, 'TASK_INVALID'],
    ['the framing', { headers: { 'Transfer-Encoding': 'chunked' } }, 'TASK_INVALID'],
    [
      'many headers',
      { headers: Object.fromEntries(Array.from({ length: LIMITS.taskHeadersMax + 1 }, (_, i) => [`h${i}`, 'x'])) },
      'INVALID_ARGUMENT',
    ],
    ['a name with a slash', { name: 'a/b' }, 'INVALID_ARGUMENT'],
    ['a long name', { name: 'a'.repeat(501) }, 'INVALID_ARGUMENT'],
    ['an ETA in 31 days', { countdownSeconds: 31 * 86_400 }, 'TASK_INVALID'],
    ['an ETA that is none', { eta: new Date(NaN) }, 'INVALID_ARGUMENT'],
    ['an ETA and a countdown', { eta: new Date(), countdownSeconds: 1 }, 'TASK_INVALID'],
    ['a short deadline', { deadlineSeconds: 14 }, 'TASK_INVALID'],
    ['a long deadline', { deadlineSeconds: 601 }, 'TASK_INVALID'],
    ['a target of another app', { target: 'v1.web.other' }, 'INVALID_ARGUMENT'],
    ['a back-off of two days', { retry: { minBackoffSeconds: 2 * 86_400 } }, 'INVALID_ARGUMENT'],
    ['a large payload', { payload: 'x'.repeat(LIMITS.taskBytesMax + 1) }, 'TASK_TOO_LARGE'],
    ['large headers', { payload: 'x'.repeat(LIMITS.taskBytesMax - 100), headers: { a: 'b'.repeat(200) } }, 'TASK_TOO_LARGE'],
  ])('%s', async (_, options, code) => {
    const add = async (): Promise<unknown> => taskQueue.add(options as object);
    await expect(add()).rejects.toMatchObject({ code });
    expect(await world.tasks.queues()).toEqual([]);
  });

  it('a task at the limits is taken', async () => {
    await taskQueue.add({ url: '/a', payload: 'x'.repeat(LIMITS.taskBytesMax - 60), name: 'n'.repeat(500) });
    await taskQueue.addAll(Array.from({ length: LIMITS.tasksPerAddMax }, () => ({ countdownSeconds: 30 * 86_400 })));
  });

  it('more tasks at once than may be, or two of one name', async () => {
    const many = Array.from({ length: LIMITS.tasksPerAddMax + 1 }, () => ({}));
    await expect(taskQueue.addAll(many)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(taskQueue.addAll([{ name: 'a' }, { name: 'a' }])).rejects.toMatchObject({ code: 'TASK_INVALID' });
    await expect(taskQueue.addAll([])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it.each(['add', 'delete', 'purge', 'stats'])('%s of the queue of cron jobs, or of a queue that is not there', async (method) => {
    const payload = (queue: string) => ({
      queue,
      ...(method === 'add' ? { tasks: [{}] } : {}),
      ...(method === 'delete' ? { names: ['a'] } : {}),
    });
    const call = async (queue: string): Promise<unknown> => rpc.call('taskqueue', method, payload(queue));
    await expect(call('__cron')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(call('missing')).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
  });
});

it('deletes, purges and counts', async () => {
  await taskQueue.addAll([{ name: 'a', countdownSeconds: 9 }, { countdownSeconds: 5 }, { countdownSeconds: 7 }]);
  expect(await taskQueue.statistics()).toEqual({
    tasks: 3,
    running: 0,
    executedLastMinute: 0,
    oldestEta: new Date(world.time.nowMs() + 5_000),
  });
  expect([await taskQueue.delete('a'), await taskQueue.delete('a')]).toEqual([true, false]);
  expect(await taskQueue.purge()).toBe(2);
  expect(await taskQueue.statistics()).toEqual({ tasks: 0, running: 0, executedLastMinute: 0 });
});
