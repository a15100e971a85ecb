// Hostile numbers 57 and 76: only the platform itself comes as a task or a cron job, and what it says of one cannot be imitated; and
// tasks that multiply are held by their queue.
import { stat } from 'node:fs/promises';
import { request } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { PLATFORM_CALL_HEADERS } from '../../router/platform-call.ts';
import { SampleQueues } from '../../runtime/services/task-queue/sample-queues.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { HttpFront, statuses } from './http-front.ts';

let front: HttpFront | undefined;

afterEach(async () => {
  await front?.close();
  front = undefined;
});

const SPELLINGS: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => name.toUpperCase(),
  (name) => name.replaceAll('-', '_'),
  (name) => name.replace('-', '_'),
];

function platformCall(headers: Record<string, string>): Promise<{ status: number; errorCode: unknown }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: front?.platformSocket, path: '/work', method: 'POST', headers }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode ?? 0, errorCode: response.headers['x-appengine-error-code'] }));
    });
    outgoing.on('error', reject);
    outgoing.end('x');
  });
}

it.each([...PLATFORM_CALL_HEADERS, 'x-appengine-user-ip'])('57 %s from outside is removed, however it is spelled', async (name) => {
  front = await HttpFront.start();
  await front.app();
  const lines = SPELLINGS.map((spell) => `${spell(name)}: 0.1.0.2`);
  for (const connection of ['close', `close, ${name}`]) {
    const head = ['GET /work HTTP/1.1', 'Host: hello.localhost', ...lines, `Connection: ${connection}`, '', ''].join('\r\n');
    expect(statuses(await front.send(head))).toEqual([200]);
  }
  for (const { headers } of front.seen) {
    const values = Object.entries(headers).filter(([key]) => key.replaceAll('_', '-') === name);
    expect(values).toEqual(name === 'x-appengine-user-ip' ? [[name, '127.0.0.1']] : []);
  }
});

it('57 a client cannot claim to be a platform call in the log', async () => {
  front = await HttpFront.start();
  await front.app();
  await front.send('GET / HTTP/1.1\r\nHost: hello.localhost\r\nX-Appengine-QueueName: q\r\nConnection: close\r\n\r\n');
  const [row] = await front.requestLog.atLeast(1);
  expect(row?.queueName).toBeUndefined();
  expect(row?.clientAddress).toBe('127.0.0.1');
});

it("57 the platform's own calls keep what they say, and come from App Engine's address", async () => {
  front = await HttpFront.start();
  await front.app();
  const said = Object.fromEntries([...PLATFORM_CALL_HEADERS].map((name) => [name, '1']));
  const answer = await platformCall({ host: 'hello.localhost', ...said, 'x-appengine-user-ip': '0.1.0.1', 'x-appengine-secret': 'x' });
  expect(answer).toEqual({ status: 200, errorCode: undefined });
  expect(front.seen[0]?.headers).toMatchObject({ ...said, 'x-appengine-user-ip': '0.1.0.1', 'x-forwarded-for': '0.1.0.1' });
  expect(front.seen[0]?.headers).not.toHaveProperty('x-appengine-secret');
  const [row] = await front.requestLog.atLeast(1);
  expect(row).toMatchObject({ queueName: '1', taskName: '1', clientAddress: '0.1.0.1' });
});

it('57 a platform call cannot take a stranger as its address', async () => {
  front = await HttpFront.start();
  await front.app();
  await platformCall({ host: 'hello.localhost', 'x-appengine-user-ip': '192.0.2.7' });
  expect(front.seen[0]?.headers['x-appengine-user-ip']).toBe('0.1.0.2');
});

it("57 an app cannot pass its answer off as the router's own", async () => {
  front = await HttpFront.start();
  await front.app((request_, response) => {
    request_.resume();
    response.writeHead(503, { 'X-Appengine-Error-Code': 'ROUTE_STARTING' }).end();
  });
  expect(await platformCall({ host: 'hello.localhost' })).toEqual({ status: 503, errorCode: undefined });
  expect(await platformCall({ host: 'nobody.localhost' })).toEqual({ status: 404, errorCode: 'ROUTE_UNKNOWN_HOST' });
});

it("57 the entrance is for the platform's own user alone", async () => {
  front = await HttpFront.start();
  expect((await stat(front.platformSocket)).mode & 0o777).toBe(0o600);
});

it('76 tasks that each add two more stay within the rate and the size of their queue', async () => {
  const world = new SampleQueues();
  await world.pass(0);
  const key = { appId: 'shop', queue: 'default' };
  const task = { url: '/more', method: 'POST', headers: [], payload: new Uint8Array(), target: '', etaMs: world.time.nowMs() };
  const refusals: unknown[] = [];
  world.caller.answer = async () => {
    await world.queues.add(key, [task, task]).catch((error: unknown) => refusals.push(error));
    return { kind: 'answered', status: 200 };
  };
  const waiting = LIMITS.queueTasksMax - 50;
  await world.queues.add(
    key,
    Array.from({ length: waiting }, () => task),
  );
  await world.pass(60_000);
  const { tasks } = (await world.queues.queue(key)).figures;
  expect(tasks).toBeLessThanOrEqual(LIMITS.queueTasksMax);
  expect(refusals.length).toBeGreaterThan(0);
  for (const refusal of refusals) expect(refusal).toMatchObject({ code: 'QUEUE_FULL' });
  // The default queue: 5 a second, and a bucket of 5.
  expect(world.caller.calls.length).toBeLessThanOrEqual(5 + 5 * 60);
  expect(world.caller.calls.length).toBeGreaterThanOrEqual(5 * 59);
});

it('57 a handler for administrators answers 401 outside, lets nobody in by headers, and lets the platform in', async () => {
  const handlers = [{ kind: 'script', url: '/work', login: 'admin', authFailAction: 'unauthorized' }] as const;
  front = await HttpFront.start({ version: { handlers } });
  await front.app();
  const head =
    'GET /work HTTP/1.1\r\nHost: hello.localhost\r\nX-Appengine-Cron: true\r\nX-Appengine-QueueName: q\r\nConnection: close\r\n\r\n';
  expect(statuses(await front.send(head))).toEqual([401]);
  expect(front.seen).toEqual([]);
  expect(await platformCall({ host: 'hello.localhost' })).toEqual({ status: 200, errorCode: undefined });
});
