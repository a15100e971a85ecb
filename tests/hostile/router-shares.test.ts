// Hostile number 47, as far as it is about shares: an app that never answers, and clients that ask without end.
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { HttpFront, until, type FrontOptions } from './http-front.ts';

let front: HttpFront;

afterEach(async () => {
  await front.close();
  expect(front.instances.leasesOpen, 'leases open').toBe(0);
});

const ask = (host: string, path = '/', headers: Record<string, string> = {}): Promise<{ readonly status: number; readonly body: string }> =>
  new Promise((resolve, reject) => {
    const read = (response: IncomingMessage): void => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', reject);
    };
    const options = { host: '127.0.0.1', port: front.port, path, agent: false, headers: { host, ...headers } };
    httpRequest(options, read).on('error', reject).end();
  });

/** Two apps, of which `slow` never answers. */
const start = async (options: FrontOptions): Promise<void> => {
  front = await HttpFront.start({ apps: ['slow', 'quick'], ...options });
  await front.app((incoming, response) => {
    if (!incoming.headers.host?.startsWith('slow')) response.end('ok');
  });
};

describe('47 an app that never answers', () => {
  it('47 holds its share of requests, and another’s all succeed', async () => {
    await start({ caps: { requestsPerApp: 20 } });
    const slow = Array.from({ length: 30 }, () => ask('slow.localhost').catch(() => undefined));
    await until(() => front.requestLog.rows.length === 10);
    expect(front.router.requestsInFlight).toBe(20);
    for (const row of front.requestLog.rows) expect(row).toMatchObject({ appId: 'slow', status: 503, errorCode: 'ROUTE_APP_BUSY' });
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask('quick.localhost')));
      expect(answers.every(({ status, body }) => status === 200 && body === 'ok')).toBe(true);
    }
    expect(front.router.requestsInFlight).toBe(20);
    await front.router.close();
    await Promise.all(slow);
  });

  it('47 gets its share back when its clients leave', async () => {
    await start({ caps: { requestsPerApp: 2 } });
    const sockets = Array.from({ length: 2 }, () => {
      const socket = front.connect();
      socket.write('GET / HTTP/1.1\r\nHost: slow.localhost\r\n\r\n');
      return socket;
    });
    await until(() => front.seen.length === 2);
    expect((await ask('slow.localhost')).status).toBe(503);
    for (const socket of sockets) socket.destroy();
    await until(() => front.router.requestsInFlight === 0);
    const again = front.connect();
    again.write('GET / HTTP/1.1\r\nHost: slow.localhost\r\n\r\n');
    await until(() => front.seen.length === 3);
    again.destroy();
    await until(() => front.router.requestsInFlight === 0);
  });

  it('47 counts WebSockets in its share', async () => {
    front = await HttpFront.start({ apps: ['slow', 'quick'], caps: { requestsPerApp: 1 } });
    await front.rawApp((socket, text) => {
      if (text.includes('Upgrade: websocket') || text.includes('upgrade: websocket'))
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    const upgrade =
      'GET / HTTP/1.1\r\nHost: slow.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
    const socket = front.connect();
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.write(upgrade);
    await until(() => answer.includes('101'));
    expect(await front.sendUntil(upgrade, /\r\n\r\n/)).toMatch(/^HTTP\/1\.1 503 /);
    expect((await ask('quick.localhost')).status).toBe(200);
    socket.destroy();
    await until(() => front.router.requestsInFlight === 0);
    expect((await ask('slow.localhost')).status).toBe(200);
  });
});

describe('47 clients that ask without end', () => {
  it('47 one address has a share of the requests; behind a trusted proxy it is the one that the proxy names', async () => {
    await start({ caps: { requestsPerAddress: 3, requestsPerApp: 1_000 }, trustedProxies: ['127.0.0.1'] });
    const waiting = Array.from({ length: 3 }, () => ask('slow.localhost', '/', { 'x-forwarded-for': '192.0.2.7' }).catch(() => undefined));
    await until(() => front.seen.length === 3);
    expect((await ask('quick.localhost', '/', { 'x-forwarded-for': '192.0.2.7' })).status).toBe(429);
    expect((await ask('quick.localhost', '/', { 'x-forwarded-for': '192.0.2.8' })).status).toBe(200);
    await front.router.close();
    await Promise.all(waiting);
  });

  it('47 all together end at the whole, with 503', async () => {
    await start({ caps: { requests: 4, requestsPerApp: 1_000, requestsPerAddress: 1_000 } });
    const waiting = Array.from({ length: 4 }, () => ask('slow.localhost').catch(() => undefined));
    await until(() => front.seen.length === 4);
    expect((await ask('quick.localhost')).status).toBe(503);
    expect(front.requestLog.rows[0]).toMatchObject({ errorCode: 'ROUTE_OVERLOADED' });
    await front.router.close();
    await Promise.all(waiting);
  });

  it('47 connections that idle make room when all places are taken; those that work do not', async () => {
    let aheadMs = 0;
    const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() + aheadMs };
    await start({ clock, caps: { connections: 10, connectionsPerAddress: 10 } });
    const idle = Array.from({ length: 9 }, () => connect(front.port, '127.0.0.1'));
    let closed = 0;
    for (const socket of idle)
      socket
        .resume()
        .on('error', () => undefined)
        .on('close', () => closed++);
    const working = ask('slow.localhost').catch(() => 'ended with the router');
    await until(() => front.router.connectionsOpen === 10 && front.seen.length === 1);
    aheadMs = 2_000;
    // The first finds no place yet and makes one for the next.
    await ask('quick.localhost').catch(() => undefined);
    await until(() => closed > 0);
    expect((await ask('quick.localhost')).status).toBe(200);
    expect(front.router.requestsInFlight).toBe(1);
    for (const socket of idle) socket.destroy();
    await front.router.close();
    expect(await working).toBe('ended with the router');
  });
});
