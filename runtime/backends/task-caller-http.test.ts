import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemTimers } from '../../sdk/support/clock.ts';
import { type CallOutcome, type TaskCall } from '../services/task-queue/task-caller.ts';
import { HttpTaskCaller } from './task-caller-http.ts';

let directory: string;
let server: Server | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'task-caller-'));
});

afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  await rm(directory, { recursive: true, force: true });
});

const path = (): string => join(directory, 'router.sock');

async function serve(listener: RequestListener): Promise<void> {
  server = createServer(listener);
  server.listen(path());
  await once(server, 'listening');
}

function send(changes: Partial<TaskCall> = {}, signal = new AbortController().signal): Promise<CallOutcome> {
  const call = { host: 'shop.localhost', method: 'POST', url: '/a?b', headers: [], payload: Buffer.from('x'), deadlineMs: 30_000 };
  return new HttpTaskCaller(path(), systemTimers).send({ ...call, ...changes }, { signal });
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

it('sends the request as it is, and says what the app answered', async () => {
  const seen: unknown[] = [];
  await serve((request, response) => {
    void textOf(request).then((text) => {
      seen.push([request.method, request.url, request.headers.host, request.headers['content-length'], request.headers['x-y'], text]);
      response.writeHead(204).end();
    });
  });
  expect(await send({ headers: [['X-Y', 'z']] })).toEqual({ kind: 'answered', status: 204 });
  expect(await send({ method: 'GET', payload: Buffer.alloc(0) })).toEqual({ kind: 'answered', status: 204 });
  expect(await send({ payload: Buffer.alloc(0) })).toEqual({ kind: 'answered', status: 204 });
  expect(seen).toEqual([
    ['POST', '/a?b', 'shop.localhost', '1', 'z', 'x'],
    ['GET', '/a?b', 'shop.localhost', undefined, undefined, ''],
    ['POST', '/a?b', 'shop.localhost', '0', undefined, ''],
  ]);
});

it("tells the router's own answers from the app's", async () => {
  await serve((request, response) => {
    request.resume();
    response.writeHead(503, request.url === '/router' ? { 'X-Appengine-Error-Code': 'ROUTE_STARTING' } : {}).end('body');
  });
  expect(await send({ url: '/router' })).toEqual({ kind: 'refused', status: 503, code: 'ROUTE_STARTING' });
  expect(await send({ url: '/app' })).toEqual({ kind: 'answered', status: 503 });
});

it('says that no router was there, before anything was sent', async () => {
  expect(await send()).toEqual({ kind: 'unreachable' });
});

it.each([
  ['before the answer', false],
  ['within the answer', true],
])('says that the connection broke %s', async (_, isStarted) => {
  await serve((request, response) => {
    if (isStarted) response.writeHead(200, { 'content-length': '10' }).write('half');
    setImmediate(() => request.socket.destroy());
  });
  expect(await send()).toEqual({ kind: 'lost' });
});

it('ends at the deadline, and on abort', async () => {
  await serve(() => undefined);
  expect(await send({ deadlineMs: 20 })).toEqual({ kind: 'refused', status: 504, code: 'ROUTE_DEADLINE' });
  const abort = new AbortController();
  const sending = send({}, abort.signal);
  abort.abort();
  expect(await sending).toEqual({ kind: 'lost' });
  expect(await send({}, abort.signal)).toEqual({ kind: 'lost' });
});

it('refuses what cannot be a request', async () => {
  expect(await send({ url: '/a b' })).toEqual({ kind: 'refused', status: 400, code: 'ROUTE_BAD_REQUEST' });
});
