// Hostile numbers 40 to 51 as far as the public port of the datastore has them, and what web pages may not do there. Each is told from the
// router's by "on the datastore's port".
import { connect, type Socket } from 'node:net';
import { constants } from 'node:http2';
import { gzipSync } from 'node:zlib';
import * as grpc from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { GrpcClient, openPort, type OpenPort, type PortOptions } from '../../datastore/api/v1/transport/port-fixture.ts';
import { V1_PORT_LIMITS } from '../../datastore/api/v1/transport/port-limits.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { systemClock, type Clock } from '../../sdk/support/clock.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { statuses, until, withBound } from './http-front.ts';
import { block, END_HEADERS, END_STREAM, FRAME, frame, Http2Peer, PREFACE } from './http2-peer.ts';

const CALM = constants.NGHTTP2_ENHANCE_YOUR_CALM;

const LOOKUP: readonly (readonly [string, string])[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':authority', 'localhost'],
  [':path', '/google.datastore.v1.Datastore/Lookup'],
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
];
const head = (stream: number, flags = END_HEADERS, more: readonly (readonly [string, string])[] = []): Buffer =>
  frame(FRAME.headers, flags, stream, block([...LOOKUP, ...more]));
/** A whole call with an empty message. */
const call = (stream: number): Buffer => Buffer.concat([head(stream), frame(FRAME.data, END_STREAM, stream, Buffer.alloc(5))]);

/** The port with a clock that a test moves. */
async function open(
  options: PortOptions = {},
): Promise<OpenPort & { pass(ms: number): void; peer(settings?: Buffer): Promise<Http2Peer> }> {
  let aheadMs = 0;
  const clock: Clock = { nowMs: () => systemClock.nowMs(), monotonicMs: () => systemClock.monotonicMs() + aheadMs };
  const timers = new VirtualTime();
  const port = await openPort({ clock, timers, ...options });
  onTestFinished(() => {
    // What is still open when it closes is ended after this time.
    setImmediate(() => timers.advance(1_000));
  });
  return {
    ...port,
    pass: (ms) => {
      aheadMs += ms;
      timers.advance(1_000);
    },
    peer: async (settings) => {
      const peer = await Http2Peer.openPlain(port.port, settings);
      onTestFinished(() => void peer.socket.destroy());
      return peer;
    },
  };
}

interface Raw {
  readonly socket: Socket;
  readonly received: () => string;
  /** All that came, once the connection is closed. */
  readonly closed: () => Promise<string>;
}

/** A connection that sends what it is told. */
function raw({ port }: OpenPort, ...bytes: readonly (string | Buffer)[]): Raw {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => (received += chunk.toString('latin1')));
  for (const each of bytes) socket.write(each, 'latin1');
  onTestFinished(() => void socket.destroy());
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return {
    socket,
    received: () => received,
    closed: async () => {
      await withBound(closed, () => `still open after ${JSON.stringify(received.slice(0, 300))}`);
      return received;
    },
  };
}

/** Another client, on another connection, is served. */
async function othersAreServed({ port }: OpenPort): Promise<void> {
  const client = new GrpcClient(`127.0.0.1:${port}`);
  expect(await client.call('Lookup', Buffer.from('alive'))).toEqual(Buffer.from('alive'));
  client.close();
}

/** What answers the pings of the other end that were not answered yet: a peer that is there. */
function pingAnswers(peer: Http2Peer): () => void {
  let answered = 0;
  return () => {
    for (const { payload } of peer.of(FRAME.ping).slice(answered)) peer.send(frame(FRAME.ping, 1, 0, payload));
    answered = peer.of(FRAME.ping).length;
  };
}

const post = (headers: string, path = '/v1/projects/shop:lookup'): string => `POST ${path} HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n`;
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("47 slowness on the datastore's port", () => {
  it.each([
    ['nothing', ''],
    ['half a preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nS'],
    ['half a head', 'POST /v1/projects/shop:lookup HTTP/1.1\r\nhost: local'],
  ])("47 %s on the datastore's port: closed", async (_what, bytes) => {
    const port = await open();
    const { socket, closed } = raw(port, bytes);
    await until(() => port.server.connectionsOpen === 1 && socket.bytesWritten === bytes.length);
    await tick();
    port.pass(LIMITS.requestHeaderMs - 1_000);
    port.pass(0);
    expect(port.server.connectionsOpen).toBe(1);
    port.pass(2_000);
    port.pass(LIMITS.requestHeaderMs);
    expect(await closed()).toBe('');
    await othersAreServed(port);
  });

  it("47 a preface byte by byte on the datastore's port: understood", async () => {
    const port = await open();
    const { socket, received } = raw(port);
    for (const byte of Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0), call(1)])) {
      socket.write(Buffer.from([byte]));
      await tick();
    }
    await until(() => received().includes('grpc-status') || port.service.seen.length === 1);
  });

  it("47 half a head after a good request on the datastore's port: closed", async () => {
    const port = await open();
    const { socket, received, closed } = raw(port, post('content-length: 0\r\n'));
    await until(() => received().endsWith('{}'));
    socket.write('POST /v1/proj');
    await until(() => socket.bytesWritten > 80);
    for (let count = 0; count < 50; count++) await tick();
    port.pass(0);
    port.pass(LIMITS.requestHeaderMs + 1);
    await closed();
  });

  it("47 a body that does not end on the datastore's port: 408, and gRPC's is reset", async () => {
    const port = await open();
    const slow = raw(port, post('content-length: 10\r\n'), '{"a"');
    const peer = await port.peer();
    peer.send(head(1), frame(FRAME.data, 0, 1, Buffer.from([0, 0, 0, 0, 9, 1])));
    await until(() => port.server.connectionsOpen === 2);
    for (let count = 0; count < 50; count++) await tick();
    port.pass(0);
    // The body's own time is counted by a timer, gRPC's by the sweep.
    for (let seconds = 0; seconds * 1_000 <= LIMITS.v1BodyMs; seconds++) port.pass(1_000);
    expect(statuses(await slow.closed())).toEqual([408]);
    await until(() => peer.of(FRAME.reset).length === 1);
    expect(port.service.seen).toEqual([]);
  });

  it("47 idle connections on the datastore's port: closed, of gRPC with GOAWAY", async () => {
    const port = await open();
    const peer = await port.peer();
    peer.send(call(1));
    const { received, closed } = raw(port, post('content-length: 0\r\n'));
    await until(() => peer.of(FRAME.headers).length === 2 && received().endsWith('{}'));
    peer.send(frame(FRAME.settings, 1, 0));
    for (let count = 0; count < 50; count++) await tick();
    const answerPings = pingAnswers(peer);
    for (const step of [LIMITS.v1IdleMs - 1_000, 2_000]) {
      port.pass(step);
      answerPings();
      for (let count = 0; count < 50; count++) await tick();
    }
    await closed();
    await peer.closed();
    expect(peer.goaway).toBe(constants.NGHTTP2_NO_ERROR);
    expect(port.server.connectionsOpen).toBe(0);
  });

  it("47 an answer that nobody reads on the datastore's port: cut", async () => {
    const port = await open();
    // More than the kernel's buffers hold.
    port.service.answer = () => Buffer.alloc(40 * 1024 * 1024, 7);
    const unread = raw(port);
    unread.socket.pause();
    unread.socket.write(post('content-length: 0\r\ncontent-type: application/x-protobuf\r\n'));
    const peer = await port.peer(Buffer.from([0, 4, 0, 0, 0, 0]));
    peer.send(call(1));
    await until(() => port.service.seen.length === 2 && peer.of(FRAME.headers).length === 1);
    const answerPings = pingAnswers(peer);
    for (let passedMs = 0; passedMs <= LIMITS.v1BodyMs + 10_000; passedMs += 10_000) {
      port.pass(10_000);
      answerPings();
      for (let count = 0; count < 50; count++) await tick();
    }
    port.pass(10_000);
    await until(() => peer.of(FRAME.reset).length === 1);
    unread.socket.resume();
    await unread.closed();
    port.service.answer = (request) => request;
    await othersAreServed(port);
  });

  it("47 a client of gRPC that is gone without a word on the datastore's port: closed", async () => {
    const port = await open();
    port.service.answer = () => new Promise(() => undefined);
    const peer = await port.peer();
    peer.send(call(1));
    await until(() => port.service.seen.length === 1);
    port.pass(LIMITS.http2SilenceMs / 2 + 1);
    await until(() => peer.of(FRAME.ping).length === 1);
    port.pass(LIMITS.http2SilenceMs + 1);
    await peer.closed();
    expect(port.service.seen[0]?.caller.signal.aborted).toBe(true);
  });
});

describe("48 heads that are too large on the datastore's port", () => {
  it.each([
    ['a line of 64 KiB', `x-long: ${'a'.repeat(64 * 1024)}\r\n`],
    ['100,000 headers', 'a: b\r\n'.repeat(100_000)],
  ])("48 %s on the datastore's port: 431", async (_what, headers) => {
    const port = await open();
    expect(statuses(await raw(port, post(headers)).closed())).toEqual([431]);
    await othersAreServed(port);
  });

  it("48 a list of headers beyond what HTTP/2 was told on the datastore's port: no call, and not without end", async () => {
    const port = await open();
    const peer = await port.peer();
    const large: readonly (readonly [string, string])[] = [
      ['x-large', 'a'.repeat(15_000)],
      ['x-more', 'a'.repeat(15_000)],
      ['x-again', 'b'.repeat(10_000)],
    ];
    for (let count = 0; count < 1_000 && !peer.socket.destroyed; count++) {
      const stream = 2 * count + 1;
      const bytes = block([...LOOKUP, ...large]);
      peer.send(
        frame(FRAME.headers, END_STREAM, stream, bytes.subarray(0, 16_000)),
        frame(FRAME.continuation, 0, stream, bytes.subarray(16_000, 32_000)),
        frame(FRAME.continuation, END_HEADERS, stream, bytes.subarray(32_000)),
      );
      if (count % 20 === 0) {
        await tick();
        port.pass(0);
      }
    }
    await peer.closed();
    expect(port.service.seen).toEqual([]);
    await othersAreServed(port);
  });
});

describe("49 garbage on the datastore's port", () => {
  it("49 garbage after a good request on the datastore's port: the good one is answered, then 400", async () => {
    const port = await open();
    expect(statuses(await raw(port, post('content-length: 0\r\n'), '\0garbage\r\n\r\n').closed())).toEqual([200, 400]);
  });

  it.each([
    ['of no protocol', Buffer.alloc(1_000, 0x80)],
    ['after the preface', Buffer.concat([PREFACE, Buffer.alloc(1_000, 0xff)])],
    ['of TLS', Buffer.from('160301020001000001fc0303', 'hex')],
  ])("49 garbage %s on the datastore's port: closed", async (_what, bytes) => {
    const port = await open();
    await raw(port, bytes).closed();
    await othersAreServed(port);
  });

  it("49 calls that are malformed on the datastore's port: refused, each by itself", async () => {
    const port = await open();
    const peer = await port.peer();
    const odd: readonly (readonly [string, string])[][] = [
      [['grpc-timeout', 'soon']],
      [['grpc-timeout', '99999999H']],
      [['grpc-encoding', 'br']],
      [['x-bin', '%%%']],
      [['authorization', 'Bearer \u00ff']],
    ];
    const paths = [
      '/',
      '/google.datastore.v1.Datastore/',
      '/google.datastore.v1.Datastore/Lookup/',
      '/\u00ff\u0080%',
      '/__proto__',
      '/constructor',
    ];
    let stream = 1;
    for (const more of odd) {
      peer.send(head(stream, END_HEADERS, more), frame(FRAME.data, END_STREAM, stream, Buffer.from([1, 0, 0, 0, 1, 9])));
      stream += 2;
    }
    for (const path of paths) {
      const fields = LOOKUP.map(([name, value]) => [name, name === ':path' ? path : value] as const);
      peer.send(frame(FRAME.headers, END_STREAM | END_HEADERS, stream, block(fields)));
      stream += 2;
    }
    // No message, two messages, less than it says.
    peer.send(head(stream, END_STREAM | END_HEADERS));
    peer.send(head(stream + 2), frame(FRAME.data, END_STREAM, stream + 2, Buffer.alloc(10)));
    peer.send(head(stream + 4), frame(FRAME.data, END_STREAM, stream + 4, Buffer.from([0, 0, 0, 1, 0, 9])));
    // Not gRPC at all.
    peer.send(frame(FRAME.headers, END_STREAM | END_HEADERS, stream + 6, block(LOOKUP.filter(([name]) => name !== 'content-type'))));
    peer.send(call(stream + 8));
    const isEnded = (id: number): boolean =>
      peer.frames.some(
        ({ type, flags, stream: of }) =>
          of === id && (type === FRAME.reset || ((type === FRAME.headers || type === FRAME.data) && (flags & END_STREAM) !== 0)),
      );
    await until(() => isEnded(stream + 8) || peer.socket.closed);
    expect(peer.socket.closed).toBe(false);
    expect(port.log.lines).toEqual([]);
    await othersAreServed(port);
  });
});

describe("50 floods over HTTP/2 on the datastore's port", () => {
  it("50 rapid reset on the datastore's port: GOAWAY, and a bounded number of calls", async () => {
    const port = await open();
    const peer = await port.peer();
    const rounds = 50;
    for (let round = 0; round < rounds && !peer.socket.destroyed; round++) {
      const frames = Array.from({ length: 100 }, (_, index) => {
        const stream = 2 * (100 * round + index) + 1;
        return Buffer.concat([call(stream), frame(FRAME.reset, 0, stream, Buffer.from([0, 0, 0, 8]))]);
      });
      peer.send(...frames);
      await tick();
    }
    await peer.closed();
    // Unless the kernel's reset, for what nobody read, was faster.
    expect([CALM, undefined]).toContain(peer.goaway);
    expect(port.service.seen.length).toBeLessThan((rounds * 100) / 2);
    await othersAreServed(port);
  });

  it("50 streams that the port must reset itself on the datastore's port: GOAWAY", async () => {
    const port = await open();
    const peer = await port.peer();
    for (let count = 0; count < 2_000 && !peer.socket.destroyed; count++) {
      const stream = 2 * count + 1;
      // A window that overflows, on a stream that is open ("MadeYouReset").
      peer.send(head(stream), frame(FRAME.windowUpdate, 0, stream, Buffer.from([0x7f, 0xff, 0xff, 0xff])));
      if (count % 20 === 0) await tick();
    }
    await peer.closed();
    expect(peer.goaway).not.toBe(constants.NGHTTP2_NO_ERROR);
    await othersAreServed(port);
  });

  it.each([
    ['large', frame(FRAME.continuation, 0, 1, block([['x-more', 'a'.repeat(1_000)]]))],
    ['empty', frame(FRAME.continuation, 0, 1)],
  ])("50 CONTINUATION without end, %s, on the datastore's port: closed", async (_what, more) => {
    const port = await open();
    const peer = await port.peer();
    peer.send(head(1, END_STREAM));
    for (let count = 0; count < 2_000 && !peer.socket.destroyed; count++) {
      peer.send(more);
      if (count % 50 === 0) await tick();
    }
    await peer.closed();
    expect(port.service.seen).toEqual([]);
    await othersAreServed(port);
  });

  it("50 an HPACK bomb on the datastore's port: reaches no call", async () => {
    const port = await open();
    const peer = await port.peer();
    // Remembered once with 4,000 bytes, then named by a single byte each time.
    const name = Buffer.concat([Buffer.from([0x40, 6]), Buffer.from('x-bomb'), Buffer.from([127, 0xa1, 0x1e]), Buffer.alloc(4_000, 97)]);
    const bomb = Buffer.concat([block(LOOKUP), name, Buffer.alloc(4_000, 0xbe)]);
    for (let stream = 1; stream < 2 * 1_000 && !peer.socket.destroyed; stream += 2) {
      peer.send(frame(FRAME.headers, END_STREAM | END_HEADERS, stream, bomb));
      if (stream % 20 === 1) {
        await tick();
        port.pass(0);
      }
    }
    await peer.closed();
    expect(port.service.seen).toEqual([]);
    await othersAreServed(port);
  });

  it.each([
    ['SETTINGS', frame(FRAME.settings, 0, 0, Buffer.from([0, 4, 0, 1, 0, 0]))],
    ['PING', frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
  ])("50 %s without end on the datastore's port: GOAWAY", async (_name, bytes) => {
    const port = await open();
    const peer = await port.peer();
    for (let count = 0; count < 2_000 && !peer.socket.destroyed; count++) {
      peer.send(bytes);
      if (count % 20 === 0) await tick();
    }
    await peer.closed();
    expect([CALM, undefined]).toContain(peer.goaway);
    await othersAreServed(port);
  });

  it("50 pings between calls, as clients measure a connection, on the datastore's port: answered", async () => {
    const port = await open();
    const peer = await port.peer();
    const rounds = 10;
    for (let round = 0; round < rounds; round++) {
      peer.send(...Array.from({ length: 50 }, () => frame(FRAME.ping, 0, 0, Buffer.alloc(8))), call(2 * round + 1));
      await until(() => peer.of(FRAME.headers).length === 2 * (round + 1) || peer.socket.closed);
    }
    expect(peer.of(FRAME.ping)).toHaveLength(50 * rounds);
    expect(peer.socket.closed).toBe(false);
  });

  it("50 empty DATA frames without end on the datastore's port: closed, or ended with the body's time", async () => {
    const port = await open();
    const peer = await port.peer();
    peer.send(head(1));
    for (let count = 0; count < 2_000 && !peer.socket.destroyed; count++) {
      peer.send(frame(FRAME.data, 0, 1));
      if (count % 50 === 0) await tick();
    }
    port.pass(LIMITS.v1BodyMs + 1);
    await until(() => peer.socket.destroyed || peer.of(FRAME.reset).length > 0);
    await othersAreServed(port);
  });
});

describe("51 tunnels on the datastore's port", () => {
  it("51 an upgrade to h2c on the datastore's port: answered as HTTP/1, and no frame is read", async () => {
    const port = await open();
    const upgrade = 'connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\ncontent-length: 0\r\n';
    const { received, closed, socket } = raw(port, post(upgrade));
    await until(() => /\r\n\r\n/.test(received()) || socket.destroyed);
    expect(statuses(received())).not.toContain(101);
    const sent = Buffer.concat([PREFACE, call(1)]);
    const before = socket.bytesWritten;
    socket.write(sent);
    await until(() => socket.bytesWritten === before + sent.length || socket.destroyed);
    for (let count = 0; count < 50; count++) await tick();
    port.pass(0);
    port.pass(LIMITS.requestHeaderMs + 1);
    await closed();
    expect(port.service.seen.length).toBeLessThanOrEqual(1);
    await othersAreServed(port);
  });

  it("51 CONNECT on the datastore's port: closed", async () => {
    const port = await open();
    expect(statuses(await raw(port, 'CONNECT localhost:22 HTTP/1.1\r\nhost: localhost\r\n\r\n').closed())).not.toContain(200);
  });
});

describe("web pages on the datastore's port", () => {
  const json = 'content-type: application/json\r\ncontent-length: 2\r\n';
  it.each([
    ['of another origin', `host: localhost\r\norigin: https://evil.example\r\n${json}`],
    ['that posts a form', 'host: localhost\r\norigin: null\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n'],
    ['of the same machine', `host: localhost\r\norigin: http://localhost:3000\r\nsec-fetch-site: same-site\r\n${json}`],
    ['without an Origin', `host: localhost\r\nsec-fetch-site: cross-site\r\n${json}`],
    ['whose name was made to point here', `host: evil.example\r\n${json}`],
    ['without a host', json],
  ])("a page %s on the datastore's port: 403, and no call", async (_what, headers) => {
    const port = await open();
    for (const path of ['/v1/projects/shop:commit', '/reset', '/shutdown', '/v1/projects/shop:nothing']) {
      const { received } = raw(port, `POST ${path} HTTP/1.1\r\n${headers}\r\n{}`);
      await until(() => statuses(received()).length > 0);
      expect(statuses(received())).toEqual([403]);
      expect(received()).not.toMatch(/access-control/i);
    }
    expect(port.service.seen).toEqual([]);
  });
});

describe("limits of the datastore's port", () => {
  const big = (bytes: number): Buffer => Buffer.alloc(bytes, 1);

  it('are those of the table', () => {
    expect(V1_PORT_LIMITS).toEqual({
      requestBytesMax: LIMITS.v1RequestBytesMax,
      jsonBytesMax: LIMITS.v1JsonBytesMax,
      connectionsMax: LIMITS.v1ConnectionsMax,
      callsMax: LIMITS.v1CallsMax,
      callsPerConnectionMax: LIMITS.v1CallsPerConnectionMax,
      heldBytesMax: LIMITS.v1HeldBytesMax,
      unreadBytesMax: LIMITS.v1UnreadBytesMax,
      bodyMs: LIMITS.v1BodyMs,
      idleMs: LIMITS.v1IdleMs,
      drainMs: LIMITS.v1DrainMs,
    });
  });

  it('a message over gRPC: as large as a commit of 10 MiB with its envelope, and not a byte more', async () => {
    const port = await open();
    port.service.answer = (request) => Buffer.from(String(request.length));
    const client = new GrpcClient(`127.0.0.1:${port.port}`);
    expect(LIMITS.v1RequestBytesMax).toBeGreaterThan(LIMITS.transactionBytesMax + 500 * 1_024);
    expect((await client.call('Commit', big(LIMITS.v1RequestBytesMax))).toString()).toBe(String(LIMITS.v1RequestBytesMax));
    await expect(client.call('Commit', big(LIMITS.v1RequestBytesMax + 1))).rejects.toMatchObject({
      code: grpc.status.RESOURCE_EXHAUSTED,
      details: expect.stringContaining(String(LIMITS.v1RequestBytesMax)),
    });
    const zipping = new GrpcClient(`127.0.0.1:${port.port}`, { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip });
    await expect(zipping.call('Commit', big(LIMITS.v1RequestBytesMax + 1))).rejects.toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED });
    expect(port.service.seen).toHaveLength(1);
    port.service.answer = (request) => request;
    await othersAreServed(port);
  });

  it('a message over HTTP: the same, by its length, in chunks, and in gzip', async () => {
    const port = await open();
    port.service.answer = () => Buffer.alloc(0);
    const max = LIMITS.v1RequestBytesMax - 'B\x04shop'.length;
    const send = (headers: string, body: Buffer): Promise<number[]> =>
      raw(port, post(`${headers}connection: close\r\ncontent-type: application/x-protobuf\r\n`), body)
        .closed()
        .then(statuses);
    expect(await send(`content-length: ${max}\r\n`, big(max))).toEqual([200]);
    expect(await send(`content-length: ${max + 1}\r\n`, big(max + 1))).toEqual([413]);
    // Refused before it is sent.
    expect(await send(`content-length: ${LIMITS.v1RequestBytesMax + 1}\r\n`, Buffer.alloc(0))).toEqual([413]);
    const over = LIMITS.v1RequestBytesMax + 1;
    // And goes on: the answer does not wait for its end.
    const chunked = Buffer.concat([Buffer.from(`${(2 * over).toString(16)}\r\n`), big(over)]);
    expect(await send('transfer-encoding: chunked\r\n', chunked)).toEqual([413]);
    const bomb = gzipSync(big(20 * LIMITS.v1RequestBytesMax));
    expect(await send(`content-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n`, bomb)).toEqual([413]);
    expect(port.service.seen).toHaveLength(1);
    port.service.answer = (request) => request;
    await othersAreServed(port);
  });

  it('a message in JSON', async () => {
    const port = await open({ limits: { jsonBytesMax: 100, requestBytesMax: 40 } });
    port.service.answer = () => Buffer.alloc(0);
    const send = (text: string): Promise<string> =>
      raw(port, post(`connection: close\r\ncontent-length: ${text.length}\r\n`), text).closed();
    const text = (blanks: number): string => `{${' '.repeat(blanks)}}`;
    expect(statuses(await send(text(98)))).toEqual([200]);
    expect(await send(text(99))).toMatch(/^HTTP\/1.1 413 [^]*at most 100 bytes/);
    expect(await send(`{"databaseId":"${'d'.repeat(40)}"}`)).toMatch(/^HTTP\/1.1 413 [^]*at most 40 bytes as a message/);
  });

  it('connections: one that is idle makes room, others are refused', async () => {
    const port = await open({ limits: { connectionsMax: 2 } });
    const first = raw(port, post('content-length: 0\r\n'));
    await until(() => first.received().endsWith('{}'));
    port.pass(500);
    port.service.answer = () => new Promise(() => undefined);
    const second = raw(port, post('content-length: 0\r\n'));
    await until(() => port.service.seen.length === 2);
    // Neither has been idle for a second.
    expect(await raw(port).closed()).toBe('');
    port.pass(1_000);
    const third = raw(port, post('content-length: 0\r\n'));
    await first.closed();
    await until(() => port.service.seen.length === 3);
    expect(await raw(port).closed()).toBe('');
    expect(second.socket.destroyed || third.socket.destroyed).toBe(false);
  });

  it('calls at work on the port', async () => {
    const port = await open({ limits: { callsMax: 2 } });
    let finish = (): void => undefined;
    const isFinished = new Promise<void>((resolve) => (finish = resolve));
    port.service.answer = (request) => isFinished.then(() => request);
    const client = new GrpcClient(`127.0.0.1:${port.port}`);
    const under = [client.call('Lookup', Buffer.alloc(0)), client.call('Lookup', Buffer.alloc(0))];
    await until(() => port.server.callsUnderWay === 2);
    await expect(client.call('Lookup', Buffer.alloc(0))).rejects.toMatchObject({
      code: grpc.status.RESOURCE_EXHAUSTED,
      details: expect.stringContaining('2 calls'),
    });
    const { received } = raw(port, post('content-length: 0\r\n'));
    await until(() => statuses(received()).length > 0);
    expect(statuses(received())).toEqual([429]);
    finish();
    await Promise.all(under);
    await othersAreServed(port);
  });

  it('calls of one connection: more wait, and pipelined ones are refused', async () => {
    const port = await open({ limits: { callsPerConnectionMax: 3 } });
    let finish = (): void => undefined;
    const isFinished = new Promise<void>((resolve) => (finish = resolve));
    port.service.answer = (request) => isFinished.then(() => request);
    const client = new GrpcClient(`127.0.0.1:${port.port}`);
    await withBound(Promise.race([client.call('Lookup', Buffer.alloc(0)), until(() => port.service.seen.length === 1)]), () => 'no call');
    const more = Array.from({ length: 5 }, () => client.call('Lookup', Buffer.alloc(0)));
    await until(() => port.service.seen.length === 3);
    for (let count = 0; count < 100; count++) await tick();
    expect(port.server.callsUnderWay).toBe(3);
    const peer = await port.peer();
    peer.send(...[1, 3, 5, 7].map(call));
    await until(() => peer.of(FRAME.reset).length === 1);
    expect(peer.of(FRAME.reset)[0]?.payload.readUInt32BE()).toBe(constants.NGHTTP2_REFUSED_STREAM);
    const pipelining = raw(port, post('content-length: 0\r\n').repeat(5));
    await until(() => port.server.callsUnderWay === 9);
    finish();
    await Promise.all(more);
    await until(() => statuses(pipelining.received()).length === 5);
    expect(statuses(pipelining.received())).toEqual([200, 200, 200, 429, 429]);
  });

  it('answers that nobody has read, whichever way they go: further reads wait, writes do not', async () => {
    const unreadBytesMax = 2 * LIMITS.v1AnswerBytesReserved;
    const port = await open({ limits: { unreadBytesMax } });
    port.service.answer = (request) => (request[0] === 1 ? Buffer.alloc(0) : big(40 * 1024 * 1024));
    const unread = raw(port);
    unread.socket.pause();
    unread.socket.write(post('content-length: 0\r\ncontent-type: application/x-protobuf\r\n'));
    await until(() => port.service.seen.length === 1);
    for (let count = 0; count < 50; count++) await tick();
    const client = new GrpcClient(`127.0.0.1:${port.port}`);
    const waiting = client.call('Lookup', Buffer.from([1]));
    await client.call('Commit', Buffer.from([1]));
    expect(port.service.seen).toHaveLength(2);
    unread.socket.destroy();
    await waiting;
    expect(port.service.seen).toHaveLength(3);
  });

  it('bytes of requests that are held, half sent ones too', async () => {
    const port = await open({ limits: { heldBytesMax: 10_000 } });
    const half = raw(port, post('content-length: 9000\r\n'), 'x'.repeat(8_000));
    const peer = await port.peer();
    await until(() => port.server.connectionsOpen === 2);
    for (let count = 0; count < 50; count++) await tick();
    peer.send(head(1), frame(FRAME.data, 0, 1, Buffer.concat([Buffer.from([0, 0, 0, 0x20, 0]), big(4_000)])));
    await until(() => peer.of(FRAME.reset).length === 1);
    expect(peer.of(FRAME.reset)[0]?.payload.readUInt32BE()).toBe(CALM);
    const { received } = raw(port, post('content-length: 4000\r\n'), 'x'.repeat(4_000));
    await until(() => statuses(received()).length > 0);
    expect(statuses(received())).toEqual([429]);
    half.socket.destroy();
    await until(() => port.server.connectionsOpen === 2 || port.server.connectionsOpen === 1);
    for (let count = 0; count < 50; count++) await tick();
    // All was given back.
    const client = new GrpcClient(`127.0.0.1:${port.port}`);
    expect(await client.call('Lookup', big(9_000))).toHaveLength(9_000);
    expect(await client.call('Lookup', big(9_000))).toHaveLength(9_000);
  });
});
