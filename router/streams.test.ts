import { createServer, request as httpRequest, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PlatformError } from '../sdk/contract/errors.ts';
import { systemClock, systemRandom, systemTimers } from '../sdk/support/clock.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { MemoryAccounts, MemoryBlobReader, MemoryInstanceSource, MemoryRequestLog, MemoryRouteTableSource } from './memory-ports.ts';
import { RouterServer } from './server.ts';

let folder: string;
let instances: MemoryInstanceSource;
let requestLog: MemoryRequestLog;
let router: RouterServer;
let app: Server;
let port: number;

const start = async (listener: RequestListener): Promise<void> => {
  const path = join(folder, 'app.sock');
  app = createServer({ keepAliveTimeout: 60_000 }, listener).listen(path);
  await once(app, 'listening');
  instances.socketPaths = [path];
};

const until = async (isTrue: () => boolean): Promise<void> => {
  const endMs = performance.now() + 10_000;
  while (!isTrue()) {
    if (performance.now() > endMs) throw new Error('waited 10 s in vain');
    await new Promise((resolve) => setImmediate(resolve));
  }
};

/** Sends bytes; resolves with all that came back when it matches. */
const raw = async (text: string, pattern: RegExp): Promise<string> => {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  socket.write(text);
  await until(() => pattern.test(received) || socket.closed);
  socket.destroy();
  return received;
};

const post = (lines: readonly string[], body = ''): string => ['POST / HTTP/1.1', 'Host: hello.localhost', ...lines, '', body].join('\r\n');

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'streams-'));
  instances = new MemoryInstanceSource();
  requestLog = new MemoryRequestLog();
  const version = { version: 'v1', deploymentId: 'd1', handlers: [], files: {} };
  const services = [{ service: 'default', split: { v1: 1 }, shardBy: 'ip', versions: [version] }] as const;
  const routes = new MemoryRouteTableSource({ revision: 1, apps: [{ appId: 'hello', services }] });
  const ports = { routes, instances, requestLog, blobs: new MemoryBlobReader(), accounts: new MemoryAccounts() };
  const options = { domain: 'localhost', drainMs: 100 };
  router = new RouterServer(ports, systemClock, systemTimers, systemRandom, new MemoryLog(), options);
  ({ port } = await router.start({ host: '127.0.0.1', port: 0 }));
});

afterEach(async () => {
  await router.close();
  app.closeAllConnections();
  app.close();
  await rm(folder, { recursive: true, force: true });
  expect(instances.leasesOpen, 'every lease is given back').toBe(0);
});

describe('a body', () => {
  it('is not read on from the client while the app takes nothing', async () => {
    let take: (() => void) | undefined;
    let received = 0;
    await start((request, response) => {
      request.pause();
      take = () => {
        request.on('data', (chunk: Buffer) => (received += chunk.length)).on('end', () => response.end('done'));
        request.resume();
      };
    });
    const bytes = 24 * 1024 * 1024;
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.write(post([`Content-Length: ${bytes}`]));
    socket.write(Buffer.alloc(bytes));
    await until(() => take !== undefined);
    // It comes to a stop in the buffers of kernel, router and app.
    let sent = -1;
    while (sent !== socket.bytesWritten - socket.writableLength) {
      sent = socket.bytesWritten - socket.writableLength;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(socket.writableLength).toBeGreaterThan(0);
    take?.();
    await until(() => answer.includes('done'));
    expect(received).toBe(bytes);
    socket.destroy();
  });

  it('passes compressed as it is, each event when it comes', async () => {
    const events = ['data: 1\n\n', 'data: 2\n\n'].map((text) => gzipSync(text));
    let send: ((index: number) => void) | undefined;
    await start((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Content-Encoding': 'gzip' });
      response.flushHeaders();
      send = (index) => response.write(events[index]);
    });
    const outgoing = httpRequest({ host: '127.0.0.1', port, agent: false, headers: { host: 'hello.localhost' } }).end();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect(response.headers).toMatchObject({ 'content-encoding': 'gzip', 'content-type': 'text/event-stream' });
    for (const [index, event] of events.entries()) {
      const came = once(response, 'data');
      send?.(index);
      expect((await came)[0]).toEqual(event);
    }
    outgoing.destroy();
    await requestLog.atLeast(1);
  });
});

describe('Expect: 100-continue', () => {
  it('is answered when the instance takes the body', async () => {
    await start((request, response) => request.pipe(response));
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    socket.write(post(['Expect: 100-continue', 'Content-Length: 5']));
    await until(() => received.includes('\r\n\r\n'));
    expect(received).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write('hello');
    await until(() => received.includes('hello'));
    socket.destroy();
  });

  it.each(['ROUTE_QUEUE_FULL', 'ROUTE_START_FAILED'] as const)('is not, before the refusal: %s', async (code) => {
    await start(() => undefined);
    instances.failure = new PlatformError(code);
    const received = await raw(post(['Expect: 100-continue', 'Content-Length: 5']), /\r\n\r\n/);
    expect(received).toMatch(/^HTTP\/1\.1 50[03] /);
    expect(received).toMatch(/\r\nConnection: close\r\n/i);
  });
});

describe('trailers', () => {
  let trailers: NodeJS.Dict<string> | undefined;
  const echo: RequestListener = (request, response) => {
    request.resume().on('end', () => {
      ({ trailers } = request);
      response.setHeader('Trailer', 'X-Sum, Content-Length').write('x');
      response.addTrailers({ 'X-Sum': 'abc', 'Set-Cookie': 'evil=1', 'X-Appengine-User-Email': 'evil' });
      response.end(JSON.stringify({ te: request.headers.te, trailer: request.headers.trailer }));
    });
  };
  const chunked = '2\r\nhi\r\n0\r\nX-Check: 1\r\nX-Appengine-User-Email: root\r\nCookie: evil\r\n\r\n';

  it('pass to the app when they are announced, to the client when it reads them; never what is forbidden', async () => {
    await start(echo);
    const lines = ['Transfer-Encoding: chunked', 'Trailer: X-Check, X-Appengine-User-Email', 'TE: trailers', 'Connection: close, TE'];
    const received = await raw(post(lines, chunked), /0\r\n[^]*\r\n\r\n$/);
    expect(received).toContain('{"te":"trailers","trailer":"x-check"}');
    expect(received).toMatch(/\r\nTrailer: x-sum\r\n/);
    expect(received).toMatch(/\r\n0\r\nx-sum: abc\r\n\r\n$/);
    expect(received).not.toMatch(/evil|root/);
    expect(trailers).toEqual({ 'x-check': '1' });
  });

  it('do not pass to who says nothing of them', async () => {
    await start(echo);
    const received = await raw(post(['Transfer-Encoding: chunked', 'Connection: close'], chunked), /\r\n0\r\n\r\n$/);
    expect(received).toMatch(/x\r\n[^]*\{\}\r\n0\r\n\r\n$/);
    expect(received).not.toMatch(/x-sum/i);
    expect(trailers).toEqual({});
  });

  it('are nothing to HEAD and to HTTP/1.0', async () => {
    await start((request, response) => {
      if (request.method === 'GET') {
        response.setHeader('Trailer', 'X-Sum').write('x');
        response.addTrailers({ 'X-Sum': 'abc' });
      }
      response.end();
    });
    for (const first of ['HEAD / HTTP/1.1', 'GET / HTTP/1.0']) {
      const received = await raw(`${first}\r\nHost: hello.localhost\r\nTE: trailers\r\nConnection: close\r\n\r\n`, /^never$/);
      expect(received).toMatch(/^HTTP\/1\.1 200 /);
      expect(received).not.toMatch(/x-sum/i);
    }
  });

  it('do not keep an instance that dies from being told apart', async () => {
    await start((request) => request.on('data', () => request.socket.destroy()));
    const received = await raw(post(['Transfer-Encoding: chunked', 'Trailer: X-Check'], chunked), /\r\n\r\n[^]/);
    expect(received).toMatch(/^HTTP\/1\.1 500 /);
    expect(await requestLog.atLeast(1)).toMatchObject([{ status: 500, errorCode: 'ROUTE_INSTANCE_FAILED', retries: 0 }]);
  });
});

describe('bytes above 127 in a header of the app', () => {
  const HEADER = 'X-Name: caf\u00e9 \u0080\u00ff';
  const TEXT = 'x'.repeat(10_000);
  const get = 'GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n';
  const upgrade = get.replace('\r\n\r\n', '\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n');
  const serve = async ([status = '', ...lines]: readonly string[], body: string): Promise<void> => {
    const path = join(folder, 'app.sock');
    // Only a bare socket says such bytes in any way.
    app = createServer().removeAllListeners('connection');
    app.on('connection', (socket: Socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.write([`HTTP/1.1 ${status}`, ...lines, HEADER, '', body].join('\r\n'), 'latin1'));
    });
    app.listen(path);
    await once(app, 'listening');
    instances.socketPaths = [path];
  };

  it.each<[string, string, string[], string]>([
    ['a length', get, ['200 OK', 'Content-Length: 2'], 'ok'],
    ['a long body', get, ['200 OK', `Content-Length: ${TEXT.length}`], TEXT],
    ['chunks', get, ['200 OK', 'Transfer-Encoding: chunked'], '2\r\nok\r\n0\r\n\r\n'],
    ['chunks that are still to come', get, ['200 OK', 'Transfer-Encoding: chunked'], ''],
    ['chunks of which one comes', get, ['200 OK', 'Transfer-Encoding: chunked'], '2\r\nok\r\n'],
    ['a body until the connection ends', get, ['200 OK', 'Connection: close'], 'ok'],
    ['no body', get, ['204 No Content'], ''],
    ['no body for HEAD', get.replace('GET', 'HEAD'), ['200 OK'], ''],
    ['a WebSocket', upgrade, ['101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'], ''],
    ['a refused WebSocket', upgrade, ['200 OK', 'Content-Length: 2'], 'ok'],
  ])('arrive unchanged with %s', async (_, request, head, body) => {
    await serve(head, body);
    const received = await raw(request, /\r\n\r\n/);
    expect(received).toMatch(new RegExp(`\r\n${HEADER}\r\n`, 'i'));
  });
});

it('a trace of the client’s is in the app’s headers and in the log row; else the request’s id is it', async () => {
  const seen: IncomingMessage['headers'][] = [];
  await start((request, response) => {
    seen.push(request.headers);
    response.end();
  });
  const id = 'a'.repeat(32);
  for (const lines of [[`traceparent: 00-${id}-${'b'.repeat(16)}-01`], []])
    await raw(['GET / HTTP/1.1', 'Host: hello.localhost', ...lines, 'Connection: close', '', ''].join('\r\n'), /^never$/);
  const [first, second] = await requestLog.atLeast(2);
  expect(first?.traceId).toBe(id);
  expect(seen[0]?.['x-cloud-trace-context']).toMatch(new RegExp(`^${id}/`));
  expect(second?.traceId).toBeUndefined();
  expect(seen[1]?.['traceparent']).toBe(`00-${second?.requestId}-0000000000000001-01`);
});
