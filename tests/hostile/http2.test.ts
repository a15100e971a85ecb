// Hostile number 50, and 40 to 48, 55, 56 as far as HTTP/2 has them: frames and heads that are malformed, or without end.
import { constants } from 'node:http2';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { FixedCertificates } from '../../router/tls.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { systemClock, type Clock } from '../../sdk/support/clock.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { type TestCertificate, testCertificate } from '../contract/test-certificate.ts';
import { HttpFront, statuses, until, type FrontOptions } from './http-front.ts';
import { block, END_HEADERS, END_STREAM, FRAME, frame, GET, Http2Peer, request } from './http2-peer.ts';

let certificate: TestCertificate;
let front: HttpFront;
let peers: Http2Peer[] = [];

const start = async (options: FrontOptions = {}): Promise<void> => {
  front = await HttpFront.start({ certificates: new FixedCertificates(certificate), servesHttp: true, ...options });
};

const open = async (settings?: Buffer): Promise<Http2Peer> => {
  const peer = await Http2Peer.open(front.port, certificate.cert, settings);
  peers.push(peer);
  return peer;
};

/** Another client, on another connection, is served. */
const othersAreServed = async (): Promise<void> => {
  const peer = await open();
  peer.send(request(1));
  await until(() => peer.of(FRAME.headers).length > 0 || peer.socket.closed);
  // 200 is number 8 of HPACK's table.
  expect(peer.of(FRAME.headers)[0]?.payload[0]).toBe(0x88);
};

beforeAll(() => {
  certificate = testCertificate();
});

afterEach(async () => {
  for (const peer of peers) peer.socket.destroy();
  peers = [];
  await front.close();
  expect(front.instances.leasesOpen, 'leases open').toBe(0);
});

const CALM = constants.NGHTTP2_ENHANCE_YOUR_CALM;

describe('50 floods over HTTP/2', () => {
  it('50 rapid reset: GOAWAY, and the apps are asked a bounded number of times', async () => {
    await start();
    await front.app();
    const peer = await open();
    const rounds = 50;
    for (let round = 0; round < rounds && !peer.socket.destroyed; round++) {
      const frames = Array.from({ length: 100 }, (_, index) => {
        const stream = 2 * (100 * round + index) + 1;
        return Buffer.concat([request(stream), frame(FRAME.reset, 0, stream, Buffer.from([0, 0, 0, 8]))]);
      });
      peer.send(...frames);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await peer.closed();
    // Unless the kernel's reset, for what nobody read, was faster.
    expect([CALM, undefined]).toContain(peer.goaway);
    expect(front.instances.acquired.length).toBeLessThan(rounds * 100);
    await othersAreServed();
  });

  it('50 CONTINUATION without end: closed before memory is', async () => {
    await start();
    await front.app();
    const peer = await open();
    peer.send(request(1, [], END_STREAM));
    const more = frame(FRAME.continuation, 0, 1, block([['x-more', 'a'.repeat(1_000)]]));
    for (let count = 0; count < 2_000 && !peer.socket.destroyed; count++) {
      peer.send(more);
      if (count % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await peer.closed();
    expect(front.seen).toEqual([]);
    await othersAreServed();
  });

  it('50 CONTINUATION of empty frames: closed', async () => {
    await start();
    await front.app();
    const peer = await open();
    peer.send(request(1, [], END_STREAM));
    for (let count = 0; count < 2_000 && !peer.socket.destroyed; count++) {
      peer.send(frame(FRAME.continuation, 0, 1));
      if (count % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await peer.closed();
    await othersAreServed();
  });

  it('50 an HPACK bomb: one large field of the table, again and again, reaches no app', async () => {
    await start();
    await front.app();
    const peer = await open();
    // Remembered once with 4,000 bytes, then named by a single byte each time.
    const name = Buffer.concat([Buffer.from([0x40, 6]), Buffer.from('x-bomb'), Buffer.from([127, 0xa1, 0x1e]), Buffer.alloc(4_000, 97)]);
    const bomb = Buffer.concat([block(GET), name, Buffer.alloc(4_000, 0xbe)]);
    for (let stream = 1; stream < 2 * 500 && !peer.socket.destroyed; stream += 2) {
      peer.send(frame(FRAME.headers, END_STREAM | END_HEADERS, stream, bomb));
      if (stream % 20 === 1) await new Promise((resolve) => setImmediate(resolve));
    }
    await peer.closed();
    expect(front.seen).toEqual([]);
    await othersAreServed();
  });

  it.each([
    ['SETTINGS', frame(FRAME.settings, 0, 0, Buffer.from([0, 4, 0, 1, 0, 0]))],
    ['PING', frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
  ])('50 %s without end: GOAWAY', async (_name, bytes) => {
    await start();
    await front.app();
    const peer = await open();
    for (let count = 0; count < 2_000 && !peer.socket.destroyed; count++) {
      peer.send(bytes);
      if (count % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await peer.closed();
    expect([CALM, undefined]).toContain(peer.goaway);
    await othersAreServed();
  });

  it.each([
    ['PING', frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
    ['SETTINGS', frame(FRAME.settings, 0, 0, Buffer.from([0, 4, 0, 1, 0, 0]))],
  ])('50 %s without end from who reads nothing: closed', async (_name, bytes) => {
    await start();
    await front.app();
    const peer = await open();
    peer.socket.pause();
    for (let count = 0; count < 20_000 && !peer.socket.destroyed; count++) {
      peer.send(bytes);
      if (count % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    peer.socket.resume();
    await peer.closed();
    await othersAreServed();
  });

  it('50 empty DATA frames without end: closed', async () => {
    await start();
    await front.app();
    const peer = await open();
    peer.send(request(1, [], END_HEADERS));
    for (let count = 0; count < 2_000 && !peer.socket.destroyed; count++) {
      peer.send(frame(FRAME.data, 0, 1));
      if (count % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await peer.closed();
    await othersAreServed();
  });

  it('50 streams that the router must reset itself: GOAWAY', async () => {
    await start();
    await front.app();
    const peer = await open();
    for (let count = 0; count < 2_000 && !peer.socket.destroyed; count++) {
      const stream = 2 * count + 1;
      // A window that overflows, on a stream that is open ("MadeYouReset").
      peer.send(request(stream, [], END_HEADERS), frame(FRAME.windowUpdate, 0, stream, Buffer.from([0x7f, 0xff, 0xff, 0xff])));
      if (count % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await peer.closed();
    expect(peer.goaway).not.toBe(constants.NGHTTP2_NO_ERROR);
    await othersAreServed();
  });

  it('50 a window that stays shut: little is held, and the streams are cut in the end', async () => {
    let aheadMs = 0;
    const clock: Clock = { nowMs: () => systemClock.nowMs(), monotonicMs: () => systemClock.monotonicMs() + aheadMs };
    const time = new VirtualTime();
    await start({ clock, timers: time });
    let produced = 0;
    await front.app((_request, response) => {
      const piece = Buffer.alloc(64 * 1024);
      const write = (): void => {
        while (!response.destroyed && produced < 1_000_000_000) {
          produced += piece.length;
          if (!response.write(piece)) {
            response.once('drain', write);
            return;
          }
        }
      };
      write();
    });
    const shut = Buffer.from([0, 4, 0, 0, 0, 0]);
    const peer = await open(shut);
    const streams = 50;
    for (let count = 0; count < streams; count++) peer.send(request(2 * count + 1));
    await until(() => front.seen.length === streams);
    // What is produced comes to a stop: in the router and in the kernel's buffers.
    let before = -1;
    while (before !== produced) {
      before = produced;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(produced).toBeLessThan(streams * 2 * 1024 * 1024);
    await othersAreServed();
    aheadMs += LIMITS.responseStallMs + 1;
    time.advance(1_000);
    await front.requestLog.atLeast(streams);
    for (const each of peers) each.socket.destroy();
    await until(() => front.router.requestsInFlight === 0);
    // What the kernel does not tell of, time does.
    aheadMs += LIMITS.clientIdleMs + 1;
    time.advance(1_000);
    await until(() => front.router.connectionsOpen === 0);
  });

  it("47 a window that stays shut on a small answer, a file's or an app's: cut in the end", async () => {
    let aheadMs = 0;
    const clock: Clock = { nowMs: () => systemClock.nowMs(), monotonicMs: () => systemClock.monotonicMs() + aheadMs };
    const time = new VirtualTime();
    const sha256 = 'd'.repeat(64);
    const handlers = [
      { kind: 'static-dir', url: '/static', directory: 'public', expirationSeconds: 0 },
      { kind: 'script', url: '/.*' },
    ] as const;
    await start({ clock, timers: time, version: { handlers, files: { 'public/x': { sha256, bytes: 3 } } } });
    await front.app((_request, response) => response.end('abc'));
    const folder = await mkdtemp(join(tmpdir(), 'hostile-blob-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'blob'), 'abc');
    front.blobs.paths.set(sha256, join(folder, 'blob'));
    const peer = await open(Buffer.from([0, 4, 0, 0, 0, 0]));
    const file = block([...GET.filter(([name]) => name !== ':path'), [':path', '/static/x']]);
    peer.send(request(1), frame(FRAME.headers, END_STREAM | END_HEADERS, 3, file));
    await until(() => peer.of(FRAME.headers).length === 2);
    for (let count = 0, answered = 0; count < 10; count++) {
      aheadMs += LIMITS.responseStallMs / 5;
      time.advance(1_000);
      // It is there, and says so: only its window is shut.
      for (const { payload } of peer.of(FRAME.ping).slice(answered)) peer.send(frame(FRAME.ping, 1, 0, payload));
      answered = peer.of(FRAME.ping).length;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await until(() => peer.of(FRAME.reset).length === 2);
    expect(front.router.requestsInFlight).toBe(0);
    expect(peer.socket.closed).toBe(false);
  });

  it('47 a client that is gone without a word while its request is under way: closed', async () => {
    let aheadMs = 0;
    const clock: Clock = { nowMs: () => systemClock.nowMs(), monotonicMs: () => systemClock.monotonicMs() + aheadMs };
    const time = new VirtualTime();
    await start({ clock, timers: time });
    await front.app(() => undefined);
    const peer = await open();
    peer.send(request(1));
    await until(() => front.seen.length === 1);
    // It is asked, and does not say that it is there.
    for (let count = 0; count < 2; count++) {
      aheadMs += LIMITS.http2SilenceMs + 1;
      time.advance(1_000);
    }
    await peer.closed();
    await until(() => front.router.requestsInFlight === 0);
  });

  it('50 more streams than are allowed: refused, one by one', async () => {
    await start();
    await front.app(() => undefined);
    const peer = await open();
    await until(() => peer.of(FRAME.settings).length > 1);
    for (let count = 0; count < LIMITS.http2StreamsMax + 20; count++) peer.send(request(2 * count + 1));
    await until(() => peer.of(FRAME.reset).length >= 20 || peer.socket.closed);
    expect(front.instances.acquired.length).toBeLessThanOrEqual(LIMITS.http2StreamsMax);
  });
});

describe('HTTP/2 heads that are malformed', () => {
  const without = (name: string): [string, string][] => GET.filter(([each]) => each !== name).map(([each, value]) => [each, value]);
  const post = (fields: readonly (readonly [string, string])[], body: string): Buffer[] => [
    frame(FRAME.headers, END_HEADERS, 1, block([[':method', 'POST'], ...without(':method'), ...fields])),
    frame(FRAME.data, END_STREAM, 1, Buffer.from(body)),
  ];
  const heads = (fields: readonly (readonly [string, string])[]): Buffer[] => [
    frame(FRAME.headers, END_STREAM | END_HEADERS, 1, block(fields)),
  ];

  it.each<[string, Buffer[]]>([
    ['40 Transfer-Encoding', post([['transfer-encoding', 'chunked']], 'hello')],
    [
      '41 two lengths',
      post(
        [
          ['content-length', '5'],
          ['content-length', '5'],
        ],
        'hello',
      ),
    ],
    ['41 a length that is too small', post([['content-length', '4']], 'hello')],
    ['41 a length that is too large', post([['content-length', '6']], 'hello')],
    ['41 a length that is no number', post([['content-length', '+5']], 'hello')],
    ['42 another Host', heads([...GET, ['host', 'other.localhost']])],
    ['42 two Hosts', heads([...without(':authority'), ['host', 'hello.localhost'], ['host', 'hello.localhost']])],
    ['42 no host at all', heads(without(':authority'))],
    ['42 two authorities', heads([...GET, [':authority', 'other.localhost']])],
    ['43 upper case in a name', heads([...GET, ['X-A', 'b']])],
    ['43 a path that is none', heads([...without(':path'), [':path', 'hello']])],
    ['43 no path', heads(without(':path'))],
    ['43 a space in the path', heads([...without(':path'), [':path', '/a HTTP/1.1\r\nX: y']])],
    ['43 no method', heads(without(':method'))],
    ['43 no scheme', heads(without(':scheme'))],
    ['43 an unknown pseudo-header', heads([...GET, [':evil', 'b']])],
    ['43 a pseudo-header after others', heads([['x-a', 'b'], ...GET])],
    ['43 two paths', heads([...GET, [':path', '/other']])],
    ['45 an absolute path', heads([...without(':path'), [':path', 'http://other.localhost/']])],
    ['46 Connection', heads([...GET, ['connection', 'x-appengine-user-ip']])],
    ['46 Keep-Alive', heads([...GET, ['keep-alive', 'timeout=5']])],
    ['46 Proxy-Connection', heads([...GET, ['proxy-connection', 'keep-alive']])],
    ['46 TE that asks for more', heads([...GET, ['te', 'trailers, gzip']])],
    ['51 Upgrade', heads([...GET, ['upgrade', 'websocket']])],
    [
      '51 a tunnel (RFC 8441)',
      [frame(FRAME.headers, END_HEADERS, 1, block([[':method', 'CONNECT'], [':protocol', 'websocket'], ...without(':method')]))],
    ],
    [
      '55 CONNECT',
      [
        frame(
          FRAME.headers,
          END_HEADERS,
          1,
          block([
            [':method', 'CONNECT'],
            [':authority', 'hello.localhost:443'],
          ]),
        ),
      ],
    ],
    ['55 TRACE', heads([[':method', 'TRACE'], ...without(':method')])],
    ['48 101 headers', heads([...GET, ...Array.from({ length: 101 }, (_, index): [string, string] => [`x-${index}`, 'a'])])],
    [
      '48 17 KiB of headers',
      [
        frame(FRAME.headers, END_STREAM, 1, block([...GET, ['x-a', 'a'.repeat(8_500)]])),
        frame(FRAME.continuation, END_HEADERS, 1, block([['x-b', 'a'.repeat(8_500)]])),
      ],
    ],
  ])('%s never becomes a request of an app', async (name, frames) => {
    await start();
    const complete: string[] = [];
    await front.app((incoming, response) => {
      incoming.on('end', () => complete.push(incoming.url ?? ''));
      incoming.resume();
      response.end('ok');
    });
    const peer = await open();
    peer.send(...frames);
    await until(() => peer.of(FRAME.reset).length + peer.of(FRAME.headers).length + peer.of(FRAME.goaway).length > 0 || peer.socket.closed);
    // 2xx stands in HPACK's table from 8 to 10.
    for (const { payload } of peer.of(FRAME.headers)) expect([0x88, 0x89, 0x8a]).not.toContain(payload[0]);
    expect(complete).toEqual([]);
    // An app's own server has limits too: it must not even be asked.
    if (name.startsWith('48')) expect(front.instances.acquired).toEqual([]);
    await othersAreServed();
  });

  it.each([
    ['a line end in a value', 'x-a', 'evil\r\nx-appengine-user-email: root'],
    ['NUL in a value', 'x-a', 'evil\0c'],
    ['a space in a name', 'evil a', 'b'],
    ['a colon in a name', 'evil: b', 'c'],
    ['an empty name', '', 'evil'],
  ])('43 %s: the field, or the whole request, reaches no app', async (_name, name, value) => {
    await start();
    await front.app();
    const peer = await open();
    peer.send(request(1, [[name, value]]));
    await until(() => peer.of(FRAME.reset).length + peer.of(FRAME.headers).length > 0 || peer.socket.closed);
    expect(JSON.stringify(front.seen)).not.toMatch(/evil|root/);
    await othersAreServed();
  });

  it('56 what only the platform may send is removed, in any spelling', async () => {
    await start();
    await front.app();
    const peer = await open();
    peer.send(
      request(1, [
        ['x-appengine-user-email', 'root'],
        ['x_appengine_user_email', 'root'],
        ['x-google-internal-skipadmincheck', 'root'],
        ['forwarded', 'for=root'],
        ['x-forwarded-proto', 'root'],
      ]),
    );
    await until(() => front.seen.length === 1);
    expect(JSON.stringify(front.seen[0]?.rawHeaders)).not.toContain('root');
    expect(front.seen[0]?.headers).toMatchObject({ 'x-forwarded-proto': 'https', 'x-appengine-user-ip': '127.0.0.1' });
  });
});

describe('connections that never become HTTP/2', () => {
  it('47 one that says nothing does not hold up the end of the router', async () => {
    await start();
    await front.app();
    const socket = connect(front.port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    await new Promise((resolve) => socket.once('connect', resolve));
    await othersAreServed();
    for (const peer of peers) peer.socket.destroy();
    // Less than the time for a handshake, which would end it too.
    const bound = new Promise((resolve) => setTimeout(resolve, LIMITS.requestHeaderMs / 2, 'still there').unref());
    expect(await Promise.race([front.router.close(), bound])).toBeUndefined();
  });

  it.each(['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n', '\x16\x03\x01\x40\x00'])(
    '47 bytes that are no TLS (%j) are answered with nothing, and the connection is closed',
    async (bytes) => {
      await start();
      await front.app();
      const socket = connect(front.port, '127.0.0.1');
      socket.on('error', () => undefined);
      let received = '';
      socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
      socket.write(bytes, 'latin1');
      if (bytes.startsWith('\x16')) socket.end();
      await new Promise((resolve) => socket.once('close', resolve));
      expect(statuses(received)).toEqual([]);
      await othersAreServed();
    },
  );

  it('43 HTTP/1.1 where HTTP/2 was agreed on: nothing of it reaches an app, and the connection is closed in the end', async () => {
    let aheadMs = 0;
    const clock: Clock = { nowMs: () => systemClock.nowMs(), monotonicMs: () => systemClock.monotonicMs() + aheadMs };
    const time = new VirtualTime();
    await start({ clock, timers: time });
    await front.app();
    const peer = await open();
    peer.send(Buffer.from('GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n'));
    await until(() => peer.goaway !== undefined || peer.socket.closed);
    for (let count = 0; count < 2; count++) {
      aheadMs += LIMITS.http2SilenceMs + 1;
      time.advance(1_000);
    }
    await peer.closed();
    expect(front.seen).toEqual([]);
    await othersAreServed();
  });
});
