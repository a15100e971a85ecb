import express from 'express';
import request from 'supertest';
import { beforeEach, expect, test } from 'vitest';
import { SampleQueues } from '../runtime/services/task-queue/sample-queues.ts';
import { TaskDesk } from '../runtime/services/task-queue/task-desk.ts';
import { type QueueView, type TaskView } from '../sdk/contract/admin/tasks.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { errorAnswer, notFound } from './error-answer.ts';
import { taskRoutes } from './task-routes.ts';

let world: SampleQueues;
let server: express.Express;

beforeEach(async () => {
  world = new SampleQueues();
  await world.pass(0);
  world.setQueues([{ name: 'mail', rate: '20/s', ratePerSecond: 20, bucketSize: 40, concurrentRequestsMax: 3 }]);
  world.setCron([{ id: 'a1', url: '/tick', description: 'd', target: 'worker' }]);
  server = express();
  server.set('query parser', 'simple');
  server.use(taskRoutes(new TaskDesk(world.queues, world.cron)), notFound, errorAnswer(new MemoryLog()));
});

async function add(name: string, inMs: number): Promise<void> {
  const task = {
    name,
    url: `/${name}`,
    method: 'POST',
    headers: [],
    payload: Buffer.from('xyz'),
    target: '',
    etaMs: world.time.nowMs() + inMs,
  };
  await world.queues.add({ appId: 'shop', queue: 'mail' }, [task]);
}

const codeOf = async (asked: request.Test): Promise<unknown> => {
  const { status, body } = await asked;
  return [status, (body as { error: { code: string } }).error.code];
};

test('queues are listed, paused, resumed and purged', async () => {
  await add('b', 2_000);
  await add('a', 1_000);
  const { body } = await request(server).get('/apps/shop/queues');
  const mail: QueueView = {
    ...{ name: 'mail', rate: '20/s', bucketSize: 40, concurrentRequestsMax: 3, isPaused: false, tasks: 2, running: 0 },
    ...{ oldestEtaMs: world.time.nowMs() + 1_000, executedLastMinute: 0, failedLastMinute: 0 },
  };
  expect(body).toMatchObject({ queues: [{ name: 'default', rate: '5/s', tasks: 0 }, mail] });
  expect((await request(server).post('/apps/shop/queues/mail/pause')).body).toEqual({ ...mail, isPaused: true });
  expect((await request(server).post('/apps/shop/queues/mail/resume')).body).toEqual(mail);
  expect((await request(server).post('/apps/shop/queues/mail/purge')).body).toEqual({ purged: 2 });
});

test('tasks are listed by ETA, run and deleted', async () => {
  await add('b', 2_000);
  await add('a', 1_000);
  const nowMs = world.time.nowMs();
  const list = async (query: object = {}) =>
    ((await request(server).get('/apps/shop/queues/mail/tasks').query(query)).body as { tasks: TaskView[] }).tasks;
  expect(await list()).toEqual([
    { name: 'a', method: 'POST', url: '/a', etaMs: nowMs + 1_000, createdAtMs: nowMs, retries: 0, state: 'waiting', bytes: 5 },
    { name: 'b', method: 'POST', url: '/b', etaMs: nowMs + 2_000, createdAtMs: nowMs, retries: 0, state: 'waiting', bytes: 5 },
  ]);
  expect(await list({ limit: 1 })).toHaveLength(1);
  world.caller.answer = () => new Promise(() => undefined);
  expect((await request(server).post('/apps/shop/queues/mail/tasks/b/run')).body).toEqual({});
  await world.pass(0);
  expect((await list()).map(({ name, state }) => [name, state])).toEqual([
    ['b', 'running'],
    ['a', 'waiting'],
  ]);
  expect((await request(server).delete('/apps/shop/queues/mail/tasks/a')).body).toEqual({});
  expect(await codeOf(request(server).delete('/apps/shop/queues/mail/tasks/a'))).toEqual([404, 'TASK_NOT_FOUND']);
  expect(await codeOf(request(server).post('/apps/shop/queues/mail/tasks/a/run'))).toEqual([404, 'TASK_NOT_FOUND']);
});

test('cron jobs are listed and run', async () => {
  const { body } = await request(server).get('/apps/shop/cron');
  const view = { id: 'a1', description: 'd', url: '/tick', schedule: 'every 10 minutes', timezone: 'UTC', target: 'worker' };
  expect(body).toEqual({ jobs: [{ ...view, nextRunAtMs: world.time.nowMs() + 600_000 }] });
  expect((await request(server).post('/apps/shop/cron/a1/run')).body).toMatchObject({ ...view, lastRunAtMs: world.time.nowMs() });
  await world.pass(0);
  expect(world.caller.calls.map(({ url }) => url)).toEqual(['/tick']);
  expect(await codeOf(request(server).post('/apps/shop/cron/b2/run'))).toEqual([404, 'CRON_JOB_NOT_FOUND']);
});

test.each([
  ['/apps/nobody/queues', 'APP_NOT_FOUND'],
  ['/apps/nobody/cron', 'APP_NOT_FOUND'],
  ['/apps/shop/queues/other/tasks', 'QUEUE_NOT_FOUND'],
  ['/apps/shop/queues/__cron/tasks', 'QUEUE_NOT_FOUND'],
])('GET %s is refused with %s', async (path, code) => {
  expect(await codeOf(request(server).get(path))).toEqual([404, code]);
});

test.each(['0', '201', 'x', '-1'])('a limit of %s is refused', async (limit) => {
  expect(await codeOf(request(server).get('/apps/shop/queues/mail/tasks').query({ limit }))).toEqual([400, 'INVALID_ARGUMENT']);
});
