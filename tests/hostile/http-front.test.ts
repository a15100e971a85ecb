// Hostile numbers 6, 15, 16, 46, 47, 51 to 54, 56 and 59: the router between hostile clients and hostile apps.
import { once } from 'node:events';
import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock, type Clock } from '../../sdk/support/clock.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type VersionRoutes } from '../../router/ports.ts';
import { FixedCertificates } from '../../router/tls.ts';
import { testCertificate } from '../contract/test-certificate.ts';
import { HttpFront, statuses, until, withBound } from './http-front.ts';

let front: HttpFront;

afterEach(async () => {
  await front.close();
  expect(front.instances.leasesOpen, 'leases open').toBe(0);
});

const get = (path: string, lines: readonly string[] = []): string =>
  ['GET ' + path + ' HTTP/1.1', 'Host: hello.localhost', ...lines, 'Connection: close', '', ''].join('\r\n');

const UPGRADE = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];

describe('6 patterns that blow up', () => {
  it.each(['/(a+)+b', '/(a|a)*b', '/(.*)(.*)(.*)(.*)x', '/(a?){50}a{50}b', '/((a*)*)*c'])('6 %s takes bounded time', async (url) => {
    front = await HttpFront.start({ version: { handlers: [{ kind: 'script', url }] } });
    await front.app();
    const startMs = performance.now();
    const [status] = statuses(await front.send(get(`/${'a'.repeat(8_000)}`)));
    expect([200, 400]).toContain(status);
    expect(performance.now() - startMs).toBeLessThan(2_000);
  });
});

describe('16 paths that leave the tree', () => {
  it.each([
    '/static/%2e%2e/secret',
    '/static/..%2fsecret',
    '/static/..%5csecret',
    '/static/..\\secret',
    '/static/%2e%2e%5csecret',
    '/static/../secret',
    '/static/a%00.txt',
    '/static/%c0%ae%c0%ae/secret',
    '/static/%c0%af',
    '/static/%e0%80%af',
    '/static/%u002e%u002e/secret',
    '/static/%',
    '/static/%252e%252e/secret',
    '/static/....//secret',
    '/static/__proto__',
    '/static/constructor',
    '/static/',
    '/static//etc/passwd',
    '/static/%2fetc/passwd',
    '/static/x.txt%0a',
  ])('16 %s is 400 or 404', async (path) => {
    const files = { 'public/x.txt': { sha256: 'a'.repeat(64), bytes: 1 }, secret: { sha256: 'b'.repeat(64), bytes: 1 } };
    const handlers = [
      { kind: 'static-dir', url: '/static', directory: 'public', expirationSeconds: 0 },
      { kind: 'static-files', url: '/f/(.*)', path: 'public/\\1', expirationSeconds: 0 },
    ] as const;
    front = await HttpFront.start({ version: { handlers, files } });
    await front.app();
    for (const tried of [path, path.replace('/static/', '/f/')]) {
      const [status] = statuses(await front.send(get(tried)));
      expect([400, 404]).toContain(status);
    }
    expect(front.seen).toEqual([]);
  });
});

describe('46 Connection that names a trusted header', () => {
  it('46 the trusted header is still there, and the named one is not', async () => {
    front = await HttpFront.start();
    await front.app();
    const named = 'Connection: X-Appengine-User-IP, X-Forwarded-For, Host, X-Secret, X-Appengine-Api-Ticket';
    await front.send(`GET / HTTP/1.1\r\nHost: hello.localhost\r\n${named}\r\nX-Secret: 1\r\nConnection: close\r\n\r\n`);
    expect(front.seen[0]?.headers).toMatchObject({
      'x-appengine-user-ip': '127.0.0.1',
      'x-forwarded-for': '127.0.0.1',
      host: 'hello.localhost',
    });
    expect(front.seen[0]?.headers['x-appengine-api-ticket']).toMatch(/^[0-9a-f]{32}$/);
    expect(front.seen[0]?.headers['x-secret']).toBeUndefined();
  });
});

describe('47 slowness', () => {
  /** Real time for the sockets, with a jump ahead that a test asks for. */
  const skippingClock = (): Clock & { skip(ms: number): void } => {
    let aheadMs = 0;
    return {
      nowMs: () => systemClock.nowMs(),
      monotonicMs: () => systemClock.monotonicMs() + aheadMs,
      skip: (ms) => (aheadMs += ms),
    };
  };

  it('47 a head that is never finished gets 408 within the limit, a handshake that is none is cut', async () => {
    front = await HttpFront.start({ certificates: new FixedCertificates(testCertificate()), servesHttp: true });
    const socket = connect(front.httpPort, '127.0.0.1');
    const silent = front.connect().resume();
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.write('GET / HTTP/1.1\r\nHost: hello.localhost\r\nX-Slow: ');
    // Node's own time, which no virtual one replaces.
    const bound = new Promise((resolve) => setTimeout(resolve, LIMITS.requestHeaderMs + 10_000).unref());
    await Promise.race([Promise.all([once(socket, 'close'), once(silent, 'close')]), bound]);
    expect([socket.closed, silent.closed]).toEqual([true, true]);
    expect(statuses(answer)).toEqual([408]);
  });

  it('47 a body that trickles is cut with 408, and its instance is free again', async () => {
    const clock = skippingClock();
    const time = new VirtualTime();
    front = await HttpFront.start({ clock, timers: time });
    await front.app();
    const socket = front.connect();
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.write('POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 1000\r\n\r\nx');
    await until(() => front.seen.length === 1);
    time.advance(1_000);
    clock.skip(11_000);
    time.advance(1_000);
    await until(() => answer.includes('\r\n\r\n'));
    expect(statuses(answer)).toEqual([408]);
    await until(() => front.instances.leasesOpen === 0);
    expect(front.instances.released[0]?.outcome).toBe('cancelled');
    socket.destroy();
  });

  it.each([
    ['slower than the least rate is cut', 0.9, [408]],
    ['as fast as it must be is not', 1.1, [200]],
  ])('47 a body that comes in pieces, %s', async (_what, rate, expected) => {
    const clock = skippingClock();
    const time = new VirtualTime();
    front = await HttpFront.start({ clock, timers: time });
    let received = 0;
    await front.app((request, response) => {
      request.on('error', () => undefined).on('data', (chunk: Buffer) => (received += chunk.length));
      request.on('end', () => response.end('ok'));
    });
    const piece = 'x'.repeat(Math.round(LIMITS.requestBodyBytesPerSecondMin * rate));
    const seconds = 23;
    const socket = front.connect();
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.write(`POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: ${seconds * piece.length}\r\n\r\n`);
    for (let count = 1; count <= seconds && answer === ''; count++) {
      socket.write(piece);
      await until(() => received === count * piece.length || answer !== '');
      clock.skip(1_000);
      time.advance(1_000);
    }
    await until(() => answer.includes('\r\n\r\n'));
    expect(statuses(answer)).toEqual(expected);
    socket.destroy();
  });

  it('47 a client that takes nothing of its answer is cut off', async () => {
    const clock = skippingClock();
    const time = new VirtualTime();
    front = await HttpFront.start({ clock, timers: time });
    await front.app((_request, response) => {
      const piece = Buffer.alloc(1024 * 1024);
      for (let count = 0; count < 31; count++) response.write(piece);
      response.end();
    });
    const socket = front.connect().pause();
    socket.write(get('/'));
    await until(() => front.seen.length === 1);
    const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));
    // The kernel's buffers fill first; only then does the router see that nothing moves.
    for (let count = 0; count < 100 && front.requestLog.rows.length === 0; count++) {
      await turn();
      clock.skip(LIMITS.responseStallMs / 10);
      time.advance(1_000);
    }
    expect(front.requestLog.rows).toHaveLength(1);
    expect(front.instances.released[0]?.outcome).toBe('cancelled');
    socket.destroy();
  });

  /** A handler for /static, and the file behind it. */
  const withFile = async (bytes: number): Promise<{ readonly version: Partial<VersionRoutes>; readonly put: () => Promise<void> }> => {
    const sha256 = 'd'.repeat(64);
    return {
      version: {
        handlers: [
          { kind: 'static-dir', url: '/static', directory: 'public', expirationSeconds: 0 },
          { kind: 'script', url: '/.*' },
        ],
        files: { 'public/x': { sha256, bytes } },
      },
      put: async () => {
        const folder = await mkdtemp(join(tmpdir(), 'hostile-blob-'));
        onTestFinished(() => rm(folder, { recursive: true }));
        await writeFile(join(folder, 'blob'), Buffer.alloc(bytes, 'f'));
        front.blobs.paths.set(sha256, join(folder, 'blob'));
      },
    };
  };

  it('47 a client that takes nothing of a file is cut off', async () => {
    const clock = skippingClock();
    const time = new VirtualTime();
    // More than the kernel's buffers of both ends hold.
    const { version, put } = await withFile(64 * 1024 * 1024);
    front = await HttpFront.start({ clock, timers: time, version });
    await put();
    const socket = front.connect().pause();
    socket.write(get('/static/x'));
    await until(() => front.router.requestsInFlight === 1);
    for (let count = 0; count < 100 && front.router.requestsInFlight > 0; count++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      clock.skip(LIMITS.responseStallMs / 10);
      time.advance(1_000);
    }
    expect(front.router.requestsInFlight).toBe(0);
    expect(front.requestLog.rows).toHaveLength(1);
    socket.destroy();
  });

  it('47 an answer that waits for one before it is not taken for one that nobody takes', async () => {
    const clock = skippingClock();
    const time = new VirtualTime();
    const { version, put } = await withFile(3);
    front = await HttpFront.start({ clock, timers: time, version });
    await put();
    let finish = (): void => undefined;
    await front.app((_request, response) => (finish = () => response.end('late')));
    const both = front.send(`${get('/').replace('Connection: close\r\n', '')}${get('/static/x')}`);
    await until(() => front.seen.length === 1 && front.router.requestsInFlight === 2);
    for (let count = 0; count < 30; count++) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.skip(LIMITS.responseStallMs / 10);
      time.advance(1_000);
    }
    finish();
    expect(await both).toMatch(/late[^]*fff$/);
  });

  it('47 an idle connection is closed', async () => {
    const clock = skippingClock();
    const time = new VirtualTime();
    front = await HttpFront.start({ clock, timers: time });
    await front.app();
    const socket = front.connect();
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    // After a request: one that never sent any is cut by the time for a head.
    socket.write('GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n');
    await until(() => answer.endsWith('ok') && front.router.requestsInFlight === 0);
    clock.skip(LIMITS.clientIdleMs + 1);
    time.advance(1_000);
    await withBound(once(socket, 'close'), () => 'still open');
  });

  it('47 one address holds a limited number of connections', async () => {
    front = await HttpFront.start();
    const sockets: Socket[] = [];
    for (let count = 0; count < LIMITS.clientConnectionsPerAddressMax + 5; count++) sockets.push(front.connect().resume());
    let closed = 0;
    for (const socket of sockets) socket.on('close', () => closed++);
    await until(() => closed >= 5);
    expect(front.router.connectionsOpen).toBe(LIMITS.clientConnectionsPerAddressMax);
    for (const socket of sockets) socket.destroy();
    await until(() => front.router.connectionsOpen === 0);
  });

  it('47 pipelining without end is cut short', async () => {
    front = await HttpFront.start();
    await front.app(() => undefined);
    const socket = front.connect();
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.write('GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n'.repeat(500));
    await until(() => front.instances.acquired.length >= LIMITS.clientRequestsPerConnectionMax);
    expect(front.instances.acquired).toHaveLength(LIMITS.clientRequestsPerConnectionMax);
    socket.destroy();
    await until(() => front.instances.leasesOpen === 0);
    expect(answer).toBe('');
  });
});

describe('51 upgrades to anything but a WebSocket', () => {
  it.each([
    ['h2c', ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA']],
    ['h2c without settings', ['Connection: Upgrade', 'Upgrade: h2c']],
    ['a list with h2c', ['Connection: Upgrade', 'Upgrade: websocket, h2c']],
    ['TLS', ['Connection: Upgrade', 'Upgrade: TLS/1.0']],
  ])('51 %s is refused', async (_name, lines) => {
    front = await HttpFront.start();
    await front.app();
    const answer = await front.send(['GET / HTTP/1.1', 'Host: hello.localhost', ...lines, '', ''].join('\r\n'));
    expect(statuses(answer)).toEqual([400]);
    expect(front.seen).toEqual([]);
  });

  it('51 a WebSocket upgrade by POST, or with a body, is refused', async () => {
    front = await HttpFront.start();
    await front.app();
    const lines = ['Host: hello.localhost', 'Connection: Upgrade', 'Upgrade: websocket'];
    const tries = [
      ['POST / HTTP/1.1', ...lines, '', ''],
      ['GET / HTTP/1.1', ...lines, 'Content-Length: 2', '', 'hi'],
    ];
    for (const tried of tries) expect(statuses(await front.send(tried.join('\r\n')))).toEqual([400]);
    expect(front.seen).toEqual([]);
  });
});

describe('52 a thousand failing WebSockets', () => {
  it('52 with resets: the router lives and holds nothing', async () => {
    front = await HttpFront.start();
    const reset = (socket: Socket): void => {
      try {
        socket.resetAndDestroy();
      } catch {
        // The other end has closed it.
        socket.destroy();
      }
    };
    // Clients that leave when an app has got their request, or that of another.
    const leaving: Socket[] = [];
    await front.rawApp((socket) => {
      const client = leaving.pop();
      if (client?.readyState === 'open') reset(client);
      setImmediate(() => socket.destroy());
    });
    const upgrade =
      'GET / HTTP/1.1\r\nHost: hello.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
    for (let batch = 0; batch < 10; batch++) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const socket = front.connect();
          socket.write(upgrade);
          const closed = once(socket.resume(), 'close');
          // Others leave at once, or see the failure.
          if (index % 3 === 0) socket.once('connect', () => socket.resetAndDestroy());
          if (index % 3 === 1) socket.once('connect', () => leaving.push(socket));
          await closed;
        }),
      );
    }
    await until(() => front.router.requestsInFlight === 0 && front.router.connectionsOpen === 0);
    expect(front.instances.leasesOpen).toBe(0);
    expect(statuses(await front.send(get('/')))).toEqual([500]);
  });

  it.each(['while it waits for an instance', 'when it has just got one'])('52 with a reset %s: it is forgotten at once', async (when) => {
    front = await HttpFront.start();
    await front.app();
    const { instances } = front;
    const acquire = instances.acquire.bind(instances);
    let isWaiting = false;
    let goOn = (): void => undefined;
    instances.acquire = async (...args) => {
      const lease = when === 'when it has just got one' ? await acquire(...args) : undefined;
      isWaiting = true;
      await new Promise<void>((resolve) => (goOn = resolve));
      return lease ?? acquire(...args);
    };
    const socket = front.connect();
    socket.write('GET / HTTP/1.1\r\nHost: hello.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await until(() => isWaiting);
    socket.resetAndDestroy();
    await until(() => front.router.connectionsOpen === 0);
    goOn();
    await until(() => front.router.requestsInFlight === 0);
    expect(front.seen).toEqual([]);
  });
});

describe('53 broken headers from an app', () => {
  it.each([
    ['CR in a value', 'X-A: b\rSet-Cookie: evil=1'],
    ['NUL in a value', 'X-A: b\0c'],
    ['space before the colon', 'X-A : b'],
    ['space in a name', 'X A: b'],
    ['two lengths', 'Content-Length: 2\r\nContent-Length: 3'],
    ['a length that is no number', 'Content-Length: 2x'],
    ['length and encoding', 'Content-Length: 2\r\nTransfer-Encoding: chunked'],
    ['headers without end', Array.from({ length: 3_000 }, (_, index) => `X-${index}: ${'a'.repeat(40)}`).join('\r\n')],
  ])('53 %s: 502 for that request alone', async (_name, header) => {
    front = await HttpFront.start();
    let isGood = false;
    await front.rawApp((socket) =>
      socket.write(isGood ? 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' : `HTTP/1.1 200 OK\r\n${header}\r\n\r\nok`),
    );
    const answer = await front.send(get('/'));
    expect(statuses(answer)).toEqual([502]);
    expect(answer).not.toContain('evil');
    isGood = true;
    expect(statuses(await front.send(get('/')))).toEqual([200]);
  });
});

describe('54 answers that poison a connection', () => {
  const good = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';

  it.each([
    ['1xx spam', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(50) + good, '/'],
    ['an unasked 100', `HTTP/1.1 100 Continue\r\n\r\n${good}`, '/'],
    ['an unasked 101', `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n${poison}`, '/'],
    ['a length too short', `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${poison}`, '/'],
    ['two answers', `${good}${poison}`, '/'],
    ['garbage first', `garbage\r\n\r\n${good}`, '/'],
    ['a body after 304', `HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n${poison}`, '/'],
    ['a body after 204', `HTTP/1.1 204 No Content\r\n\r\n${poison}`, '/'],
  ])('54 %s: that connection is not used again', async (_name, bytes) => {
    front = await HttpFront.start();
    let requests = 0;
    const sockets = await front.rawApp((socket) => {
      requests++;
      socket.write(requests === 1 ? bytes : good);
    });
    expect(await front.send(get('/'))).not.toContain('poison');
    const second = await front.send(get('/'));
    expect(second).toMatch(/ok$/);
    expect(second).not.toContain('poison');
    expect(sockets).toHaveLength(2);
  });

  it('54 a body after HEAD: that connection is not used again', async () => {
    front = await HttpFront.start();
    const sockets = await front.rawApp((socket, text) => socket.write(text.startsWith('HEAD') ? `${good}${poison}` : good));
    const answer = await front.send(get('/').replace('GET', 'HEAD'));
    expect(answer).toMatch(/\r\n\r\n$/);
    expect(await front.send(get('/'))).toMatch(/ok$/);
    expect(sockets).toHaveLength(2);
  });

  it('54 a length that is too long: the client sees that its answer is cut short', async () => {
    front = await HttpFront.start();
    let requests = 0;
    const sockets = await front.rawApp((socket) => {
      requests++;
      if (requests === 1) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok');
      else socket.write(good);
    });
    // The connection ends before the ten bytes, and nothing fills them up.
    expect(await front.send(get('/'))).toMatch(/^HTTP\/1\.1 200 [^]*Content-Length: 10\r\n[^]*\r\n\r\nok$/);
    expect(front.instances.released.map(({ outcome }) => outcome)).toEqual(['failed']);
    expect(await front.send(get('/'))).toMatch(/\r\n\r\nok$/);
    expect(sockets).toHaveLength(2);
  });
});

describe('56 headers that only the platform may send', () => {
  it('56 every spelling of X-Appengine-* and X-Google-* is removed, twice too', async () => {
    front = await HttpFront.start();
    await front.app();
    const lines = [
      'X-Appengine-User-Email: root',
      'x-appengine-user-is-admin: root',
      'X-APPENGINE-QueueName: root',
      'X_Appengine_User_Email: root',
      'X_AppEngine-TaskName: root',
      'X-Appengine_Cron: root',
      'X-Google-Internal-SkipAdminCheck: root',
      'X_Google_Internal_SkipAdminCheck: root',
      'X-Appengine-User-IP: 6.6.6.6',
      'X-Appengine-User-IP: 6.6.6.6',
      'X_Appengine_User_IP: 6.6.6.6',
      'X-Forwarded-Proto: https',
      'X_Forwarded_Proto: https',
      'X_Forwarded_For: 6.6.6.6',
      'X-Forwarded-Host: evil',
      'Forwarded: for=6.6.6.6',
      'Proxy: http://evil/',
      'Proxy-Authorization: root',
      'Content_Length: 66',
      'Transfer_Encoding: evil',
    ];
    await front.send(get('/', lines));
    const seen = JSON.stringify(front.seen[0]?.rawHeaders);
    expect(seen).not.toMatch(/root|6\.6\.6\.6|evil|"https"|"66"/);
    expect(front.seen[0]?.headers['x-appengine-user-ip']).toBe('127.0.0.1');
  });

  it('56 and of a WebSocket’s request too', async () => {
    front = await HttpFront.start();
    await front.app();
    await front.send(get('/', [...UPGRADE, 'X-Appengine-User-Email: root', 'X_Appengine_User_Id: root', 'X-Appengine-User-IP: 6.6.6.6']));
    expect(front.seen[0]?.headers['x-appengine-user-ip']).toBe('127.0.0.1');
    expect(JSON.stringify(front.seen)).not.toMatch(/root|6\.6\.6\.6/);
  });

  it('56 X-Forwarded-For keeps what the client says to the left of what is known', async () => {
    front = await HttpFront.start();
    await front.app();
    await front.send(get('/', ['X-Forwarded-For: 6.6.6.6']));
    expect(front.seen[0]?.headers['x-forwarded-for']).toBe('6.6.6.6, 127.0.0.1');
    expect(front.seen[0]?.headers['x-appengine-user-ip']).toBe('127.0.0.1');
  });

  it.each([
    '/_ah/start',
    '/_ah/stop',
    '/_ah/warmup',
    '/_ah/background',
    '/_AH/START',
    '/_ah/%73tart',
    '//_ah/start',
    '/_ah//start',
    '/_ah/start/x',
    '/_ah/start;x',
  ])('56 %s from outside is 403', async (path) => {
    front = await HttpFront.start();
    await front.app();
    expect(statuses(await front.send(get(path)))).toEqual([403]);
    expect(front.seen).toEqual([]);
  });
});

describe('59 cookies for the shared domain', () => {
  it.each([
    'Domain=localhost',
    'domain=.LOCALHOST',
    'DOMAIN = localhost.',
    'Domain="localhost"',
    'Path=/; Domain=localhost; Domain=.localhost',
  ])('59 %s is dropped', async (attribute) => {
    front = await HttpFront.start();
    await front.app((_request, response) => response.setHeader('Set-Cookie', ['a=1', `sid=2; ${attribute}; HttpOnly`]).end());
    const answer = await front.send(get('/'));
    expect(answer).toMatch(/Set-Cookie: sid=2;.* HttpOnly/i);
    expect(answer).not.toMatch(/domain/i);
  });

  it.each([
    ['101', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'],
    ['an ordinary answer', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n'],
  ])('59 is dropped from %s to a WebSocket too', async (_what, head) => {
    front = await HttpFront.start();
    await front.rawApp((socket) => socket.write(`${head}Set-Cookie: sid=2; Domain=localhost; HttpOnly\r\n\r\n`));
    const answer = await front.sendUntil(get('/', UPGRADE), /\r\n\r\n/);
    expect(answer).toMatch(/Set-Cookie: sid=2; HttpOnly\r\n/i);
    expect(answer).not.toMatch(/domain/i);
  });

  it('59 an app’s own domain stays', async () => {
    front = await HttpFront.start();
    await front.app((_request, response) => response.setHeader('Set-Cookie', 'a=1; Domain=hello.localhost').end());
    expect(await front.send(get('/'))).toContain('a=1; Domain=hello.localhost');
  });
});

describe('15 a static file that is swapped', () => {
  it('15 what lies in the store under another length is not served', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hostile-blob-'));
    const sha256 = 'c'.repeat(64);
    front = await HttpFront.start({
      version: {
        handlers: [{ kind: 'static-dir', url: '/static', directory: 'public', expirationSeconds: 0 }],
        files: { 'public/x': { sha256, bytes: 3 } },
      },
    });
    await writeFile(join(folder, 'blob'), 'swapped');
    front.blobs.paths.set(sha256, join(folder, 'blob'));
    const answer = await front.send(get('/static/x'));
    expect(statuses(answer)).toEqual([500]);
    expect(answer).not.toContain('swapped');
    await rm(folder, { recursive: true });
  });
});
