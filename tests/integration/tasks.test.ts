// Push queues and cron jobs on a real platform: tasks reach their handler until it succeeds, whatever is killed meanwhile.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CronJobView, type QueueView, type TaskView } from '../../sdk/contract/admin/tasks.ts';
import { PlatformProcess, waitFor } from './platform-process.ts';

const APP_YAML = 'runtime: nodejs\nautomatic_scaling: {max_instances: 2, max_concurrent_requests: 20}\n';
const QUEUE_YAML = `queue:
- {name: default, rate: 500/s, bucket_size: 100}
- {name: slow, rate: 500/s, bucket_size: 100, max_concurrent_requests: 4}
- {name: held, rate: 500/s}
- {name: limited, rate: 500/s, retry_parameters: {task_retry_limit: 2, min_backoff_seconds: 0.1, max_doublings: 1}}
`;
const CRON_YAML = `cron:
- {url: /cron/tick, schedule: every 24 hours, description: tick}
- {url: /cron/fails, schedule: "0 0 1 1 *", retry_parameters: {job_retry_limit: 1, min_backoff_seconds: 0.1}}
`;
/** Every request of a task is an entity, so that the log of what ran survives whatever dies. */
const SERVER = `
const { createServer } = require('node:http');
const { datastore, taskQueue } = require('appengine');
const NAMES = ['queuename', 'taskname', 'taskretrycount', 'taskexecutioncount', 'tasketa', 'taskpreviousresponse', 'cron', 'user-ip'];
async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
createServer(async (request, response) => {
  const url = new URL(request.url, 'http://app');
  try {
    if (url.pathname === '/add') {
      const options = JSON.parse(await body(request));
      const queue = taskQueue.queue(options.queue ?? 'default');
      const added = options.tasks ? await queue.addAll(options.tasks) : [await queue.add(options.task)];
      response.end(JSON.stringify(added));
      return;
    }
    if (url.pathname === '/runs') {
      const { entities } = await datastore.gql('SELECT * FROM Run WHERE what = @1 ORDER BY __key__', [url.searchParams.get('what')]);
      response.end(JSON.stringify(entities.map(({ properties }) => JSON.parse(properties.facts))));
      return;
    }
    const text = await body(request);
    const heads = Object.fromEntries(NAMES.map((name) => [name, request.headers['x-appengine-' + name]]));
    const what = url.searchParams.get('what') ?? new URLSearchParams(text).get('what') ?? url.pathname;
    const facts = { ...heads, method: request.method, url: request.url, agent: request.headers['user-agent'], type: request.headers['content-type'], text, atMs: Date.now() };
    await datastore.put({ key: datastore.key('Run'), properties: { what, facts: JSON.stringify(facts) }, unindexed: ['facts'] });
    const failures = Number(url.searchParams.get('failures') ?? 0);
    if (url.searchParams.has('ms')) await new Promise((resolve) => setTimeout(resolve, Number(url.searchParams.get('ms'))));
    response.statusCode = Number(heads.taskexecutioncount) < failures || url.pathname === '/cron/fails' ? 500 : 204;
    response.end();
  } catch (error) {
    response.statusCode = 500;
    response.end(JSON.stringify({ code: error.code, message: error.message }));
  }
}).listen(process.env.PORT);
`;

interface Run {
  readonly queuename?: string;
  readonly taskname?: string;
  readonly taskretrycount?: string;
  readonly taskexecutioncount?: string;
  readonly tasketa?: string;
  readonly taskpreviousresponse?: string;
  readonly cron?: string;
  readonly 'user-ip'?: string;
  readonly method: string;
  readonly url: string;
  readonly agent: string;
  readonly type?: string;
  readonly text: string;
  readonly atMs: number;
}

let platform: PlatformProcess;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tasks-'));
  const files = { 'app.yaml': APP_YAML, 'queue.yaml': QUEUE_YAML, 'cron.yaml': CRON_YAML, 'server.js': SERVER };
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  platform = await PlatformProcess.start();
  await platform.appengineJson('deploy', directory, '--app', 'worker', '--version', 'v1');
});

afterAll(async () => {
  await platform.remove();
  await rm(directory, { recursive: true, force: true });
});

async function add(options: object): Promise<{ status: number; answer: unknown }> {
  const answer = await platform.http('worker', '/add', { method: 'POST', body: JSON.stringify(options) });
  return { status: answer.status, answer: JSON.parse(answer.text) };
}

/** What ran, in the order of time; nothing while the platform is away. */
async function runsOf(what: string): Promise<Run[]> {
  const answer = await platform.http('worker', `/runs?what=${encodeURIComponent(what)}`).catch(() => undefined);
  if (answer?.status !== 200) return [];
  return (JSON.parse(answer.text) as Run[]).sort((a, b) => a.atMs - b.atMs);
}

const runs = (what: string, count: number, msMax?: number): Promise<Run[]> =>
  waitFor(
    `${count} runs of ${what}`,
    async () => {
      const found = await runsOf(what);
      return found.length >= count && found;
    },
    msMax,
  );

async function queue(name: string): Promise<QueueView> {
  const { queues } = await platform.appengineJson<{ queues: QueueView[] }>('queues', 'list', '--app', 'worker');
  const found = queues.find((each) => each.name === name);
  if (!found) throw new Error(`no queue ${name}`);
  return found;
}

const drained = (name: string, msMax?: number): Promise<true> =>
  waitFor(`an empty queue ${name}`, async () => (await queue(name)).tasks === 0, msMax);

test('a task is sent to its handler with what it carries', async () => {
  const { status, answer } = await add({ task: { url: '/work?from=test', params: { what: 'first', n: 5 } } });
  expect(status).toBe(200);
  const [run] = await runs('first', 1);
  expect(run).toMatchObject({
    queuename: 'default',
    taskname: (answer as { name: string }[])[0]?.name,
    taskretrycount: '0',
    taskexecutioncount: '0',
    'user-ip': '0.1.0.2',
    method: 'POST',
    url: '/work?from=test',
    text: 'what=first&n=5',
    type: 'application/x-www-form-urlencoded',
    agent: expect.stringContaining('AppEngine-Google'),
  });
  expect(Number(run?.tasketa) * 1_000).toBeLessThanOrEqual(run!.atMs);
  await drained('default');
});

test('a handler that fails twice is asked a third time', async () => {
  await add({ task: { url: '/work?what=thrice&failures=2', retry: { minBackoffSeconds: 0.2, maxDoublings: 1 } } });
  const found = await runs('thrice', 3);
  expect(found.map((run) => [run.taskretrycount, run.taskexecutioncount, run.taskpreviousresponse])).toEqual([
    ['0', '0', undefined],
    ['1', '1', '500'],
    ['2', '2', '500'],
  ]);
  expect(found[1]!.atMs - found[0]!.atMs).toBeGreaterThanOrEqual(200);
  expect(found[2]!.atMs - found[1]!.atMs).toBeGreaterThanOrEqual(400);
  await drained('default');
  expect(await runsOf('thrice')).toHaveLength(3);
});

test('a retry limit ends it', async () => {
  await add({ queue: 'limited', task: { url: '/work?what=hopeless&failures=99' } });
  await runs('hopeless', 3);
  await drained('limited');
  expect(await runsOf('hopeless')).toHaveLength(3);
});

test('a name is taken while the task is there, and after it', async () => {
  const task = { url: '/work?what=named', name: 'only-once' };
  expect((await add({ task })).status).toBe(200);
  expect(await add({ task })).toMatchObject({ status: 500, answer: { code: 'TASK_EXISTS' } });
  await runs('named', 1);
  await drained('default');
  expect(await add({ task })).toMatchObject({ status: 500, answer: { code: 'TASK_EXISTS' } });
  expect(await runsOf('named')).toHaveLength(1);
});

test('a call adds all of its tasks or none', async () => {
  const tasks = [{ url: '/work?what=batch' }, { url: '/work?what=batch', name: 'only-once' }];
  expect(await add({ tasks })).toMatchObject({ status: 500, answer: { code: 'TASK_EXISTS' } });
  await add({ tasks: [{ url: '/work?what=both' }, { url: '/work?what=both' }] });
  await runs('both', 2);
  expect(await runsOf('batch')).toEqual([]);
});

test.each([
  [{ task: { url: 'http://elsewhere/' } }, 'TASK_INVALID'],
  [{ task: { name: 'no spaces' } }, 'INVALID_ARGUMENT'],
  [{ task: { headers: { 'X-Appengine-Cron': 'true' } } }, 'TASK_INVALID'],
  [{ task: { countdownSeconds: 31 * 86_400 } }, 'TASK_INVALID'],
  [{ task: { payload: 'x'.repeat(102_401) } }, 'TASK_TOO_LARGE'],
  [{ queue: 'missing', task: {} }, 'QUEUE_NOT_FOUND'],
  [{ tasks: Array.from({ length: 101 }, () => ({})) }, 'INVALID_ARGUMENT'],
])('%# what cannot be a task is refused', async (options, code) => {
  expect(await add(options)).toMatchObject({ status: 500, answer: { code } });
});

test('a task waits for its ETA, unless it is run by hand', async () => {
  const addedMs = Date.now();
  await add({ task: { url: '/work?what=later', countdownSeconds: 2 } });
  await add({ task: { url: '/work?what=tomorrow', name: 'tomorrow', countdownSeconds: 86_400 } });
  const [run] = await runs('later', 1);
  expect(run!.atMs).toBeGreaterThanOrEqual(addedMs + 2_000);
  const { tasks } = await platform.appengineJson<{ tasks: TaskView[] }>('tasks', 'list', '--app', 'worker');
  expect(tasks).toMatchObject([{ name: 'tomorrow', state: 'waiting', retries: 0, url: '/work?what=tomorrow', method: 'POST' }]);
  expect(await runsOf('tomorrow')).toEqual([]);
  await platform.appengineJson('tasks', 'run', 'tomorrow', '--app', 'worker');
  await runs('tomorrow', 1);
});

test('a paused queue keeps its tasks over a restart of control; a purge removes them', async () => {
  await platform.appengineJson('queues', 'pause', 'held', '--app', 'worker');
  await add({ queue: 'held', tasks: Array.from({ length: 5 }, () => ({ url: '/work?what=held' })) });
  await add({ queue: 'held', task: { url: '/work?what=held', name: 'deleted' } });
  await platform.appengineJson('tasks', 'delete', 'deleted', '--app', 'worker', '--queue', 'held');
  process.kill(platform.rolePid('control')!, 'SIGKILL');
  await waitFor('the queue after the restart', async () => {
    const result = await platform.appengine('queues', 'list', '--app', 'worker', '--json');
    return result.code === 0 && (JSON.parse(result.stdout) as { queues: QueueView[] }).queues.some(({ tasks }) => tasks === 5);
  });
  expect(await queue('held')).toMatchObject({ isPaused: true, tasks: 5, running: 0 });
  expect(await runsOf('held')).toEqual([]);
  expect(await platform.appengineJson('queues', 'purge', 'held', '--app', 'worker')).toEqual({ purged: 5 });
  expect(await platform.appengineJson('queues', 'resume', 'held', '--app', 'worker')).toMatchObject({ isPaused: false, tasks: 0 });
  await add({ queue: 'held', task: { url: '/work?what=held-after' } });
  await runs('held-after', 1);
  expect(await runsOf('held')).toEqual([]);
});

const KILLS: readonly (readonly [string, () => Promise<void>])[] = [
  ['control', () => Promise.resolve(process.kill(platform.rolePid('control')!, 'SIGKILL')).then(() => undefined)],
  ['router', () => Promise.resolve(process.kill(platform.rolePid('router')!, 'SIGKILL')).then(() => undefined)],
  ['datastore', () => Promise.resolve(process.kill(platform.rolePid('datastore')!, 'SIGKILL')).then(() => undefined)],
  ['everything', () => platform.killTree().then(() => platform.start())],
];

test.each(KILLS)('200 tasks survive kill -9 of %s', async (what, kill) => {
  const batch = (from: number): object => ({
    queue: 'slow',
    tasks: Array.from({ length: 100 }, (_, index) => ({
      url: `/work?what=kill-${what}&n=${from + index}&ms=20`,
      retry: { minBackoffSeconds: 0.1, maxBackoffSeconds: 1 },
    })),
  });
  for (const from of [0, 100]) expect((await add(batch(from))).status).toBe(200);
  await runs(`kill-${what}`, 20);
  await kill();
  await waitFor('every task to have run', async () => new Set((await runsOf(`kill-${what}`)).map(({ url }) => url)).size === 200, 90_000);
  await waitFor('the queue to be empty', async () => {
    const result = await platform.appengine('queues', 'list', '--app', 'worker', '--json');
    return result.code === 0 && (JSON.parse(result.stdout) as { queues: QueueView[] }).queues.every(({ tasks }) => tasks === 0);
  });
  const twice = (await runsOf(`kill-${what}`)).length - 200;
  console.log(`kill -9 of ${what}: 200 tasks, none lost, ${twice} ran twice`);
  expect(twice).toBeLessThanOrEqual(what === 'everything' || what === 'datastore' ? 60 : 40);
});

test('a cron job is run by hand, and what became of it is known', async () => {
  const { jobs } = await platform.appengineJson<{ jobs: CronJobView[] }>('cron', 'list', '--app', 'worker');
  expect(jobs.map(({ url, schedule, description }) => [url, schedule, description])).toEqual([
    ['/cron/tick', 'every 24 hours', 'tick'],
    ['/cron/fails', '0 0 1 1 *', ''],
  ]);
  const [tick, fails] = jobs;
  expect(tick?.lastRunAtMs).toBeUndefined();
  expect(tick!.nextRunAtMs! - Date.now()).toBeGreaterThan(23 * 3_600_000);
  await platform.appengineJson('cron', 'run', tick!.id, '--app', 'worker');
  const [run] = await runs('/cron/tick', 1);
  expect(run).toMatchObject({ method: 'GET', cron: 'true', queuename: '__cron', 'user-ip': '0.1.0.1', taskretrycount: '0' });
  await platform.appengineJson('cron', 'run', fails!.id, '--app', 'worker');
  expect((await runs('/cron/fails', 2)).map(({ taskretrycount }) => taskretrycount)).toEqual(['0', '1']);
  const views = await waitFor('both results', async () => {
    const listed = await platform.appengineJson<{ jobs: CronJobView[] }>('cron', 'list', '--app', 'worker');
    return listed.jobs.every(({ lastStatus }) => lastStatus !== undefined) && listed.jobs;
  });
  expect(views.map(({ lastStatus }) => lastStatus)).toEqual([204, 500]);
  expect(views[0]!.lastRunAtMs! - Date.now()).toBeLessThanOrEqual(0);
  // Its period counts from the end of the run.
  expect(views[0]!.nextRunAtMs!).toBeGreaterThan(tick!.nextRunAtMs!);
});

test('the request log names the queue and the task; no queue shows the cron jobs', async () => {
  const logs = await platform.appengine(
    'logs',
    'tail',
    '--app',
    'worker',
    '--lines',
    '500',
    '--no-follow',
    '--source',
    'request',
    '--json',
  );
  expect(logs.stdout.includes('"queueName":"__cron"'), 'a row of the log with a queue').toBe(true);
  const { queues } = await platform.appengineJson<{ queues: QueueView[] }>('queues', 'list', '--app', 'worker');
  expect(queues.map(({ name }) => name)).toEqual(['default', 'slow', 'held', 'limited']);
});

test('all of it in one process too', async () => {
  const single = await PlatformProcess.start('--role=all');
  try {
    await single.appengineJson('deploy', directory, '--app', 'worker', '--version', 'v1');
    const body = JSON.stringify({ task: { url: '/work?what=single&failures=1' } });
    expect((await single.http('worker', '/add', { method: 'POST', body })).status).toBe(200);
    const found = await waitFor('both tries', async () => {
      const { status, text } = await single.http('worker', '/runs?what=single');
      const tries = status === 200 ? (JSON.parse(text) as Run[]) : [];
      return tries.length === 2 && tries;
    });
    expect(found.map(({ taskexecutioncount }) => taskexecutioncount).sort()).toEqual(['0', '1']);
  } finally {
    await single.remove();
  }
});
