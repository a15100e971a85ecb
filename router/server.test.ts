import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  type Server,
} from 'node:http';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock, systemRandom, systemTimers, type Timers } from '../sdk/support/clock.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { VirtualTime } from '../sdk/support/virtual-time.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { MemoryAccounts, MemoryBlobReader, MemoryInstanceSource, MemoryRequestLog, MemoryRouteTableSource } from './memory-ports.ts';
import { type RouteTableSpec, type VersionRoutes } from './ports.ts';
import { RouterServer, type RouterOptions } from './server.ts';

const version = (overrides: Partial<VersionRoutes> = {}): VersionRoutes => ({
  version: 'v1',
  deploymentId: 'd1',
  handlers: [],
  files: {},
  ...overrides,
});

const table = (overrides: Partial<VersionRoutes> = {}): RouteTableSpec => ({
  revision: 1,
  apps: [{ appId: 'hello', services: [{ service: 'default', split: { v1: 1 }, shardBy: 'cookie', versions: [version(overrides)] }] }],
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let folder: string;
let routes: MemoryRouteTableSource;
let instances: MemoryInstanceSource;
let requestLog: MemoryRequestLog;
let blobs: MemoryBlobReader;
let log: MemoryLog;
let router: RouterServer;
let port: number;
let servers: (Server | NetServer)[];
let nextSocket = 0;

const startRouter = async (options: Partial<RouterOptions> = {}, timers: Timers = systemTimers): Promise<void> => {
  router = new RouterServer(
    { routes, instances, requestLog, blobs, accounts: new MemoryAccounts() },
    systemClock,
    timers,
    systemRandom,
    log,
    {
      domain: 'localhost',
      drainMs: 1_000,
      ...options,
    },
  );
  ({ port } = await router.start({ host: '127.0.0.1', port: 0 }));
};

const upstream = async (listener: RequestListener): Promise<string> => {
  const server = createServer({ keepAliveTimeout: 60_000 }, listener);
  return listen(server);
};

const rawUpstream = async (onConnection: (socket: Socket) => void): Promise<string> => {
  const server = createNetServer((socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  return listen(server);
};

const listen = async (server: Server | NetServer): Promise<string> => {
  const path = join(folder, `i${nextSocket++}.sock`);
  server.listen(path);
  await once(server, 'listening');
  servers.push(server);
  return path;
};

const ask = (
  path: string,
  options: Omit<RequestOptions, 'headers'> & { headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { body, headers, ...rest } = options;
    const request = httpRequest(
      { host: '127.0.0.1', port, path, agent: false, headers: { host: 'hello.localhost', ...headers }, ...rest },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }),
        );
      },
    );
    request.on('error', reject);
    request.end(body);
  });

/** Sends bytes and resolves with everything that comes back until the router closes the connection. */
const raw = async (text: string): Promise<string> => {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => undefined);
  socket.write(text);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
};

const until = async (isTrue: () => boolean): Promise<void> => {
  const endMs = performance.now() + 5_000;
  while (!isTrue()) {
    if (performance.now() > endMs) throw new Error('waited 5 s in vain');
    await new Promise((resolve) => setImmediate(resolve));
  }
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'router-'));
  routes = new MemoryRouteTableSource(table());
  instances = new MemoryInstanceSource();
  requestLog = new MemoryRequestLog();
  blobs = new MemoryBlobReader();
  log = new MemoryLog();
  servers = [];
});

afterEach(async () => {
  await router.close();
  for (const server of servers) {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  }
  await rm(folder, { recursive: true, force: true });
  expect(instances.leasesOpen, 'every lease is given back').toBe(0);
});

describe('a plain request', () => {
  it('reaches the instance with the platform’s headers and comes back', async () => {
    let seen: IncomingMessage | undefined;
    instances.socketPaths = [
      await upstream((request, response) => {
        seen = request;
        response.setHeader('X-From', 'app').setHeader('Server', 'mine').end('hi');
      }),
    ];
    await startRouter();
    const answer = await ask('/a?b=c', {
      headers: { 'X-AppEngine-User-Email': 'root@example.com', 'user-agent': 'test/1', referer: 'http://r/' },
    });
    expect(answer).toMatchObject({ status: 200, body: 'hi', headers: { 'x-from': 'app' } });
    expect(answer.headers.server).toBeUndefined();
    expect(seen?.url).toBe('/a?b=c');
    expect(seen?.headers).toMatchObject({
      host: 'hello.localhost',
      'x-appengine-user-ip': '127.0.0.1',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-appengine-default-version-hostname': 'hello.localhost',
      'x-appengine-https': 'off',
    });
    expect(seen?.headers['x-appengine-user-email']).toBe('');
    const [row] = await requestLog.atLeast(1);
    expect(row).toMatchObject({
      appId: 'hello',
      service: 'default',
      version: 'v1',
      instanceId: 'instance-0',
      method: 'GET',
      target: '/a?b=c',
      status: 200,
      responseBytes: 2,
      retries: 0,
      isLoadingRequest: true,
      userAgent: 'test/1',
      referrer: 'http://r/',
      clientAddress: '127.0.0.1',
    });
    expect(row?.requestId).toBe(seen?.headers['x-appengine-request-log-id']);
    expect(instances.released).toEqual([{ instanceId: 'instance-0', outcome: 'answered' }]);
  });

  it('uses one kept-alive connection for requests in turn', async () => {
    let connections = 0;
    const path = await upstream((_request, response) => response.end('x'));
    servers[0]?.on('connection', () => connections++);
    instances.socketPaths = [path];
    await startRouter();
    for (let count = 0; count < 5; count++) await ask('/', { headers: { connection: 'close' } });
    expect(connections).toBe(1);
  });

  it('streams a large body up and down unchanged', async () => {
    instances.socketPaths = [await upstream((request, response) => void request.pipe(response))];
    await startRouter();
    const body = 'äbcdefgh'.repeat(400_000);
    const answer = await ask('/', { method: 'POST', body });
    expect(answer.body === body).toBe(true);
    const [row] = await requestLog.atLeast(1);
    expect(row).toMatchObject({ requestBytes: Buffer.byteLength(body), responseBytes: Buffer.byteLength(body) });
  });

  it('passes on each piece of a stream when it comes', async () => {
    let send: ((piece: string) => void) | undefined;
    instances.socketPaths = [
      await upstream((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
        send = (piece) => (piece === '' ? response.end() : response.write(piece));
      }),
    ];
    await startRouter();
    const request = httpRequest({ host: '127.0.0.1', port, headers: { host: 'hello.localhost' }, agent: false }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    for (const piece of ['one', 'two']) {
      send?.(piece);
      const [chunk] = (await once(response, 'data')) as [Buffer];
      expect(chunk.toString()).toBe(piece);
    }
    send?.('');
    response.resume();
    await once(response, 'end');
  });

  it('does not read on from the instance while the client takes nothing', async () => {
    let written = 0;
    let upstreamResponse: { readonly writableNeedDrain: boolean } | undefined;
    instances.socketPaths = [
      await upstream((_request, response) => {
        upstreamResponse = response;
        const piece = Buffer.alloc(64 * 1024);
        const write = (): void => {
          while (written < 30 * 1024 * 1024) {
            written += piece.length;
            if (!response.write(piece)) {
              response.once('drain', write);
              return;
            }
          }
          response.end();
        };
        write();
      }),
    ];
    await startRouter();
    const request = httpRequest({ host: '127.0.0.1', port, headers: { host: 'hello.localhost' }, agent: false }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.pause();
    let before = -1;
    // Settles when nothing moves any more for many turns of the loop.
    while (before !== written) {
      before = written;
      for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(upstreamResponse?.writableNeedDrain).toBe(true);
    expect(written).toBeLessThan(20 * 1024 * 1024);
    let received = 0;
    response.on('data', (chunk: Buffer) => (received += chunk.length)).resume();
    await once(response, 'end');
    expect(received).toBe(30 * 1024 * 1024);
  });

  it('tells the instance when the client leaves, and gives the lease back', async () => {
    let isAborted = false;
    let isThere = false;
    instances.socketPaths = [
      await upstream((request, response) => {
        isThere = true;
        request.on('error', () => undefined);
        response.on('close', () => (isAborted = true));
      }),
    ];
    await startRouter();
    const request = httpRequest({ host: '127.0.0.1', port, headers: { host: 'hello.localhost' }, agent: false }).end();
    request.on('error', () => undefined);
    await until(() => isThere);
    request.destroy();
    await until(() => isAborted);
    expect(await requestLog.atLeast(1)).toMatchObject([{ status: 499 }]);
    expect(instances.released).toEqual([{ instanceId: 'instance-0', outcome: 'cancelled' }]);
  });

  it('answers 504 at the deadline', async () => {
    const time = new VirtualTime();
    instances.socketPaths = [await upstream(() => undefined)];
    routes.set(table({ requestDeadlineMs: 1 }));
    await startRouter({}, time);
    const answer = ask('/');
    await until(() => instances.acquired.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    time.advance(1_000);
    expect((await answer).status).toBe(504);
    expect(instances.released).toEqual([{ instanceId: 'instance-0', outcome: 'failed' }]);
  });

  it('lets a client that asks first send its body, or refuses it unsent', async () => {
    instances.socketPaths = [await upstream((request, response) => void request.pipe(response))];
    await startRouter();
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      method: 'POST',
      headers: { host: 'hello.localhost', expect: '100-continue' },
      agent: false,
    });
    request.flushHeaders();
    await once(request, 'continue');
    request.end('asked');
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const [chunk] = (await once(response, 'data')) as [Buffer];
    expect(chunk.toString()).toBe('asked');
    const tooLarge = `POST / HTTP/1.1\r\nHost: hello.localhost\r\nExpect: 100-continue\r\nContent-Length: ${LIMITS.requestBodyBytesMax + 1}\r\n\r\n`;
    expect(await raw(tooLarge)).toMatch(/^HTTP\/1.1 413 /);
  });

  it('keeps the connection after an answer of the platform', async () => {
    await startRouter();
    const get = 'GET / HTTP/1.1\r\nHost: nobody.localhost\r\n';
    const answers = await raw(`${get}\r\n${get}Connection: close\r\n\r\n`);
    expect(answers.match(/HTTP\/1.1 404/g)).toHaveLength(2);
  });

  it('refuses a body over the limit before the instance sees it', async () => {
    await startRouter();
    const answer = await raw(`POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: ${LIMITS.requestBodyBytesMax + 1}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(instances.acquired).toHaveLength(0);
  });

  describe('whose chunked body goes on past the limit', () => {
    const PIECE = Buffer.alloc(1024 * 1024);
    const FRAME = Buffer.concat([Buffer.from(`${PIECE.length.toString(16)}\r\n`), PIECE, Buffer.from('\r\n')]);
    const FRAMES_OVER = LIMITS.requestBodyBytesMax / PIECE.length + 8;

    /** What comes back on a connection on which `frames` frames are sent before anything is read. */
    const flood = (frames: number): Promise<{ readonly text: string; readonly sent: number }> =>
      new Promise((resolve) => {
        const socket = connect({ host: '127.0.0.1', port });
        let text = '';
        let sent = 0;
        const write = (): void => {
          if (sent === frames) socket.on('data', (chunk) => (text += chunk.toString('latin1')));
          else if (socket.writable) socket.write(FRAME, write);
          sent++;
        };
        socket.on('error', () => undefined).on('close', () => resolve({ text, sent }));
        socket.write('POST / HTTP/1.1\r\nHost: hello.localhost\r\nTransfer-Encoding: chunked\r\n\r\n', write);
      });

    it('is answered with 413, which a client that sends before it reads gets too', async () => {
      instances.socketPaths = [await upstream((request) => void request.resume())];
      await startRouter();
      expect((await flood(FRAMES_OVER)).text).toMatch(/^HTTP\/1.1 413 /);
    });

    it('keeps the answer that the app gave before it had read all', async () => {
      instances.socketPaths = [await upstream((_request, response) => void response.end('enough'))];
      await startRouter();
      expect((await flood(FRAMES_OVER)).text).toMatch(/^HTTP\/1.1 200 [^]*enough/);
    });

    it('is cut off in the end, however long the client goes on', async () => {
      instances.socketPaths = [await upstream((request) => void request.resume())];
      await startRouter();
      expect((await flood(Infinity)).sent).toBeGreaterThan(FRAMES_OVER - 8);
      await until(() => router.connectionsOpen === 0);
    });
  });

  it('answers 500 for a response that says it is too large, and cuts one that does not say', async () => {
    instances.socketPaths = [
      await upstream((request, response) => {
        if (request.url === '/says') response.writeHead(200, { 'content-length': LIMITS.responseBodyBytesMax + 1 }).write('x');
        else {
          const piece = Buffer.alloc(1024 * 1024);
          const write = (): void => {
            while (!response.destroyed) if (!response.write(piece)) return void response.once('drain', write);
          };
          write();
        }
      }),
    ];
    await startRouter();
    expect((await ask('/says')).status).toBe(500);
    await expect(ask('/silent')).rejects.toThrow(/aborted|hang up/);
  });
});

describe('an instance that fails', () => {
  it('is replaced for a GET when it dies before it answers', async () => {
    instances.socketPaths = [
      await rawUpstream((socket) => socket.on('data', () => socket.destroy())),
      await upstream((_request, response) => response.end('second')),
    ];
    await startRouter();
    expect((await ask('/')).body).toBe('second');
    expect(await requestLog.atLeast(1)).toMatchObject([{ retries: 1, instanceId: 'instance-1', status: 200 }]);
    expect(instances.released.map(({ outcome }) => outcome)).toEqual(['failed', 'answered']);
  });

  it('is replaced for a POST when its socket is gone, and the body arrives whole', async () => {
    instances.socketPaths = [join(folder, 'gone.sock'), await upstream((request, response) => void request.pipe(response))];
    await startRouter();
    expect((await ask('/', { method: 'POST', body: 'payload' })).body).toBe('payload');
  });

  it('never sees a POST twice: a death mid-way is 500', async () => {
    let posts = 0;
    instances.socketPaths = [
      await rawUpstream((socket) =>
        socket.on('data', () => {
          posts++;
          socket.destroy();
        }),
      ),
    ];
    await startRouter();
    const answer = await ask('/', { method: 'POST', body: 'pay' });
    expect(answer.status).toBe(500);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'ROUTE_INSTANCE_FAILED' } });
    expect(posts).toBe(1);
    expect(await requestLog.atLeast(1)).toMatchObject([{ status: 500, errorCode: 'ROUTE_INSTANCE_FAILED', retries: 0 }]);
  });

  it('is tried three times at most', async () => {
    instances.socketPaths = [join(folder, 'gone.sock')];
    await startRouter();
    expect((await ask('/')).status).toBe(500);
    expect(instances.acquired).toHaveLength(1 + LIMITS.routeRetriesMax);
  });

  it('is not replaced without end: what requests do to instances is bounded for each version', async () => {
    let deaths = 0;
    const isDeadly = await rawUpstream((socket) => {
      socket.on('data', () => {
        deaths++;
        socket.destroy();
      });
    });
    instances.socketPaths = [isDeadly];
    await startRouter();
    const requests = 40;
    for (let count = 0; count < requests; count++) expect((await ask('/')).status).toBe(500);
    // Each request once; retries are the floor, what the requests earn, and one for each second of this test.
    const retries = deaths - requests;
    expect(retries).toBeGreaterThanOrEqual(LIMITS.retriesFloor);
    expect(retries).toBeLessThan(LIMITS.routeRetriesMax * requests);
    expect((await requestLog.atLeast(requests)).filter((row) => row.retries === 0).length).toBeGreaterThan(0);
    // What never reached an instance is not counted.
    instances.socketPaths = [join(folder, 'gone.sock')];
    const before = instances.acquired.length;
    expect((await ask('/')).status).toBe(500);
    expect(instances.acquired.length - before).toBe(1 + LIMITS.routeRetriesMax);
  });

  it('cuts the client off when it dies in the middle of its answer', async () => {
    instances.socketPaths = [
      await rawUpstream((socket) =>
        socket.on('data', () => {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart');
          setImmediate(() => socket.destroy());
        }),
      ),
    ];
    await startRouter();
    await expect(ask('/')).rejects.toThrow(/aborted|hang up/);
    expect(instances.acquired).toHaveLength(1);
  });
});

describe('an answer of the platform', () => {
  it('is a page for browsers and JSON for programs, without details', async () => {
    const cause = new PlatformError('INSTANCE_EXITED', 'SECRET', { details: { stderrTail: 'SECRET' } });
    instances.failure = new PlatformError('INSTANCE_EXITED', 'SECRET stack trace', { details: { stderr: 'SECRET' }, cause });
    await startRouter();
    const page = await ask('/', { headers: { accept: 'text/html,*/*' } });
    expect(page).toMatchObject({ status: 500, headers: { 'content-type': 'text/html; charset=utf-8' } });
    expect(page.body).toContain('appengine logs');
    expect(page.body).not.toContain('SECRET');
    const json = await ask('/');
    expect(JSON.parse(json.body)).toMatchObject({ error: { code: 'INSTANCE_EXITED' } });
    expect(json.body).not.toContain('SECRET');
  });

  it('says on a development server why an app did not start', async () => {
    const cause = new PlatformError('INSTANCE_EXITED', 'exited with code 1', { details: { stderrTail: 'Error: <boom>' } });
    instances.failure = new PlatformError('INSTANCE_EXITED', undefined, { cause });
    await startRouter({ showsStartReports: true });
    const page = await ask('/', { headers: { accept: 'text/html,*/*' } });
    expect(page.status).toBe(500);
    expect(page.body).toContain('exited with code 1');
    expect(page.body).toContain('<pre>Error: &lt;boom&gt;</pre>');
  });

  it('tells 503 clients when to come back', async () => {
    instances.failure = new PlatformError('ROUTE_QUEUE_FULL');
    await startRouter();
    expect(await ask('/')).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
  });

  it('is 404 for a host that no app has', async () => {
    await startRouter();
    expect((await ask('/', { headers: { host: 'other.localhost' } })).status).toBe(404);
    expect(await requestLog.atLeast(1)).toMatchObject([{ appId: '', status: 404, errorCode: 'ROUTE_UNKNOWN_HOST' }]);
  });

  it('tells its own health at a host that is no app, and takes the path from none', async () => {
    instances.socketPaths = [await upstream((request, response) => response.end(`the app's ${request.url}`))];
    await startRouter();
    const elsewhere = { headers: { host: '10.0.0.1' } };
    expect(await ask('/_ah/health', elsewhere)).toMatchObject({ status: 200, body: 'ok\n' });
    expect(await ask('/_ah/health', { ...elsewhere, method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
    expect((await ask('/_ah/health', { ...elsewhere, method: 'POST' })).status).toBe(404);
    expect((await ask('/_ah/healthy', elsewhere)).status).toBe(404);
    expect(await ask('/_ah/health')).toMatchObject({ status: 200, body: "the app's /_ah/health" });
    expect((await requestLog.atLeast(5)).map(({ errorCode }) => errorCode)).toEqual([
      ...[undefined, undefined, 'ROUTE_UNKNOWN_HOST', 'ROUTE_UNKNOWN_HOST', undefined],
    ]);
  });

  it('waits for the first route table, and is 503 when none comes', async () => {
    routes = new MemoryRouteTableSource();
    const time = new VirtualTime();
    await startRouter({}, time);
    const late = ask('/');
    await until(() => router.requestsInFlight === 1);
    await new Promise((resolve) => setImmediate(resolve));
    time.advance(LIMITS.routeTableWaitMs);
    expect(await late).toMatchObject({ status: 503 });

    instances.socketPaths = [await upstream((_request, response) => response.end('hi'))];
    const inTime = ask('/');
    await until(() => router.requestsInFlight === 1);
    routes.set(table());
    expect((await inTime).body).toBe('hi');
  });
});

describe('static files', () => {
  const handlers = [
    { kind: 'static-dir', url: '/static', directory: 'public', expirationSeconds: 60 },
    { kind: 'script', url: '/.*' },
  ] as const;

  it('come from the store with validators, ranges and limits on methods', async () => {
    const sha256 = 'a'.repeat(64);
    const path = join(folder, 'blob');
    await writeFile(path, '0123456789');
    blobs.paths.set(sha256, path);
    routes = new MemoryRouteTableSource(table({ handlers, files: { 'public/x.css': { sha256, bytes: 10 } } }));
    await startRouter();
    const whole = await ask('/static/x.css');
    expect(whole).toMatchObject({
      status: 200,
      body: '0123456789',
      headers: { etag: `"${sha256}"`, 'content-type': 'text/css; charset=utf-8' },
    });
    expect(whole.headers['cache-control']).toBe('public, max-age=60');
    expect(await ask('/static/x.css', { headers: { 'if-none-match': `W/"${sha256}"` } })).toMatchObject({ status: 304, body: '' });
    expect(await ask('/static/x.css', { headers: { range: 'bytes=2-4' } })).toMatchObject({ status: 206, body: '234' });
    expect(await ask('/static/x.css', { headers: { range: 'bytes=20-' } })).toMatchObject({ status: 416 });
    expect(await ask('/static/x.css', { method: 'HEAD' })).toMatchObject({ status: 200, body: '', headers: { 'content-length': '10' } });
    expect(await ask('/static/x.css', { method: 'POST' })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
    expect((await ask('/static/none.css')).status).toBe(404);
    expect(instances.acquired).toHaveLength(0);
  });

  it('stream when they are large', async () => {
    const sha256 = 'b'.repeat(64);
    const path = join(folder, 'blob');
    const content = Buffer.alloc(3_000_000, 'abc');
    await writeFile(path, content);
    blobs.paths.set(sha256, path);
    routes = new MemoryRouteTableSource(table({ handlers, files: { 'public/big.bin': { sha256, bytes: content.length } } }));
    await startRouter();
    expect((await ask('/static/big.bin')).body === content.toString()).toBe(true);
    expect((await ask('/static/big.bin', { headers: { range: 'bytes=-5' } })).body).toBe(content.subarray(-5).toString());
    expect(await requestLog.atLeast(2)).toMatchObject([{ responseBytes: 3_000_000 }, { responseBytes: 5 }]);
  });
});

describe('WebSockets', () => {
  const upgrade = (target = '/', extra = ''): string =>
    `GET ${target} HTTP/1.1\r\nHost: hello.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
    `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${extra}\r\n`;

  const echoServer = async (): Promise<string> => {
    const path = await upstream((_request, response) => response.writeHead(404).end('no socket here'));
    servers.at(-1)?.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      const email = request.headers['x-appengine-user-email'] || 'none';
      const ip = request.headers['x-appengine-user-ip'] ?? 'none';
      socket.on('error', () => undefined);
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Seen: ${String(email)} ${String(ip)}\r\n\r\n`,
      );
      socket.write(head);
      socket.pipe(socket);
    });
    return path;
  };

  it('pass through both ways until one side ends', async () => {
    instances.socketPaths = [await echoServer()];
    await startRouter();
    const socket = connect(port, '127.0.0.1');
    socket.write(upgrade('/ws', 'X-AppEngine-User-Email: root@example.com\r\n'));
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1.1 101 /);
    expect(head.toString()).toContain('none 127.0.0.1');
    socket.write('ping');
    const [echo] = (await once(socket, 'data')) as [Buffer];
    expect(echo.toString()).toBe('ping');
    expect(instances.leasesOpen).toBe(1);
    socket.destroy();
    expect(await requestLog.atLeast(1)).toMatchObject([{ status: 101, target: '/ws' }]);
    await until(() => instances.leasesOpen === 0);
  });

  it('go to another instance when the first is gone', async () => {
    instances.socketPaths = [join(folder, 'gone.sock'), await echoServer()];
    await startRouter();
    const socket = connect(port, '127.0.0.1');
    socket.write(upgrade());
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1.1 101 /);
    socket.destroy();
    await requestLog.atLeast(1);
  });

  it('relay an ordinary answer to an upgrade', async () => {
    instances.socketPaths = [await upstream((_request, response) => response.writeHead(404, { 'x-a': 'b' }).end('no socket here'))];
    await startRouter();
    const answer = await raw(upgrade());
    expect(answer).toMatch(/^HTTP\/1.1 404 /);
    expect(answer).toContain('x-a: b');
    expect(answer).toContain('no socket here');
  });
});

describe('closing', () => {
  it('lets a request under way finish and tells its client that the connection ends', async () => {
    let finish: (() => void) | undefined;
    instances.socketPaths = [await upstream((_request, response) => (finish = () => response.end('done')))];
    await startRouter();
    const answer = ask('/', { agent: undefined });
    await until(() => finish !== undefined);
    const closed = router.close();
    await expect(ask('/')).rejects.toThrow(/ECONNREFUSED/);
    finish?.();
    expect(await answer).toMatchObject({ status: 200, body: 'done', headers: { connection: 'close' } });
    await closed;
  });

  it('ends what does not finish within the bound', async () => {
    instances.socketPaths = [await upstream(() => undefined)];
    await startRouter({ drainMs: 20 });
    const answer = ask('/');
    await until(() => instances.acquired.length === 1);
    await router.close();
    await expect(answer).rejects.toThrow(/hang up|ECONNRESET/);
  });

  it('throws PORT_BUSY when the port is taken', async () => {
    await startRouter();
    const second = new RouterServer(
      { routes, instances, requestLog, blobs, accounts: new MemoryAccounts() },
      systemClock,
      systemTimers,
      systemRandom,
      log,
      {
        domain: 'localhost',
      },
    );
    await expect(second.start({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'PORT_BUSY', details: { port, flag: '--port' } });
    await second.close();
  });
});
