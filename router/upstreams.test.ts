import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type ClientRequest } from './client-exchange.ts';
import { type UpstreamHandler } from './instance-connection.ts';
import { RequestBody } from './request-body.ts';
import { Upstreams, type UpstreamConnection } from './upstreams.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const FINAL_CHUNK = '0\r\n\r\n';

interface Outcome {
  readonly status: number;
  readonly body: string;
  readonly trailers: readonly string[];
  readonly error: string | undefined;
  readonly wasSent: boolean;
}

let folder: string;
let path: string;
let server: Server;
/** As the instance sees them, with what came on each. */
let connections: { readonly socket: Socket; pieces: string[] }[];
let onData: (socket: Socket, text: string) => void;
let upstreams: Upstreams;
let nowMs: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upstreams-'));
  path = join(folder, 'i.sock');
  connections = [];
  onData = (socket) => socket.write(OK);
  nowMs = 0;
  upstreams = new Upstreams({ nowMs: () => 0, monotonicMs: () => nowMs });
  server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = { socket, pieces: [] as string[] };
    connections.push(connection);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      const text = chunk.toString('latin1');
      connection.pieces.push(text);
      onData(socket, text);
    });
  });
  server.listen(path);
  await once(server, 'listening');
});

afterEach(async () => {
  expect(upstreams.busy).toBe(0);
  upstreams.close();
  for (const { socket } of connections) socket.destroy();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

/** A client's request whose body a test sends as it likes. */
class Sender extends EventEmitter {
  complete = false;
  destroyed = false;
  rawTrailers: string[] = [];
  isPaused = false;

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  finish(): void {
    this.complete = true;
    this.emit('end');
  }
}

const bodyOf = (sender: Sender): RequestBody =>
  new RequestBody(
    sender as unknown as ClientRequest,
    () => undefined,
    () => undefined,
  );

interface Sent {
  readonly method?: string;
  readonly headers?: readonly string[];
  readonly sender?: Sender;
  readonly hasTrailers?: boolean;
}

const send = (sent: Sent = {}, taken?: (connection: UpstreamConnection) => void): Promise<Outcome> => {
  const { method = sent.sender ? 'POST' : 'GET', headers = [], sender, hasTrailers = false } = sent;
  return new Promise((resolve) => {
    const connection = upstreams.take(path);
    let status = 0;
    // Kept as they came, which they must bear.
    const chunks: Buffer[] = [];
    const outcome = (): Omit<Outcome, 'trailers' | 'error'> => ({ status, body: Buffer.concat(chunks).toString('latin1'), wasSent });
    let wasSent = false;
    const handler: UpstreamHandler = {
      onSent: () => (wasSent = true),
      onHeaders: (code) => {
        status = code;
        return true;
      },
      onData: (chunk) => {
        chunks.push(chunk);
        return true;
      },
      onComplete: (trailers) => {
        connection.keep();
        resolve({ ...outcome(), trailers, error: undefined });
      },
      onError: (error) => {
        connection.discard();
        resolve({ ...outcome(), trailers: [], error: 'code' in error ? String(error.code) : error.message });
      },
    };
    const trailing = hasTrailers ? sender : undefined;
    connection.dispatch(
      { method, target: '/', headers: ['host', 'h', ...headers], body: sender ? bodyOf(sender) : null, trailing },
      handler,
    );
    taken?.(connection);
  });
};

const until = async (isTrue: () => boolean): Promise<void> => {
  const endMs = performance.now() + 10_000;
  while (!isTrue()) {
    if (performance.now() > endMs) throw new Error('waited 10 s in vain');
    await new Promise((resolve) => setImmediate(resolve));
  }
};

const received = (index = 0): string => connections[index]?.pieces.join('') ?? '';

describe('a connection', () => {
  it('carries one request after the other', async () => {
    for (let count = 0; count < 3; count++) expect(await send()).toMatchObject({ status: 200, body: 'ok', wasSent: true });
    expect(connections).toHaveLength(1);
    expect(connections[0]?.pieces).toHaveLength(3);
    expect(connections[0]?.pieces[0]).toBe('GET / HTTP/1.1\r\nconnection: keep-alive\r\nhost: h\r\n\r\n');
  });

  it.each([
    ['the answer says close', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok', {}],
    ['the answer is of HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', {}],
    ['something follows the answer', `${OK}HTTP/1.1 200 OK\r\n\r\n`, {}],
    ['a line end follows the answer', `${OK}\r\n`, {}],
    ['it was a HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n', { method: 'HEAD' }],
    ['a 304 has a length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n', {}],
    ['the instance keeps it for a second', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=1\r\n\r\nok', {}],
  ])('is not used again when %s', async (_name, bytes, sent) => {
    onData = (socket) => socket.write(connections.length === 1 ? bytes : OK);
    expect((await send(sent)).error).toBeUndefined();
    expect(await send()).toMatchObject({ status: 200, body: 'ok' });
    expect(connections).toHaveLength(2);
  });

  it('is not used again when an instance answers before it has read all, and the rest is thrown away', async () => {
    const sender = new Sender();
    const answer = send({ sender });
    await until(() => connections.length === 1);
    expect((await answer).body).toBe('ok');
    sender.emit('data', Buffer.alloc(200_000, 'late'));
    expect(sender.isPaused).toBe(false);
    expect(await send()).toMatchObject({ body: 'ok' });
    expect(connections).toHaveLength(2);
    expect(received()).not.toContain('late');
  });

  it('is not used again after a body where programs expect none', async () => {
    const sender = new Sender();
    onData = (socket, text) => (text.endsWith(FINAL_CHUNK) || connections.length === 2) && socket.write(OK);
    const answer = send({ method: 'DELETE', sender });
    await until(() => sender.listenerCount('data') > 0);
    sender.emit('data', Buffer.from('x'));
    sender.finish();
    expect((await answer).body).toBe('ok');
    expect(received()).toContain('\r\nconnection: close\r\n');
    await send();
    expect(connections).toHaveLength(2);
  });

  it.each([
    ['a second and a half', '', 1_499, 1_500],
    ['what the instance says, less a second', 'Keep-Alive: timeout=5\r\n', 3_999, 4_000],
    ['ten minutes at most', 'Keep-Alive: timeout=999999\r\n', 599_999, 600_000],
  ])('is kept for %s', async (_name, header, withinMs, beyondMs) => {
    onData = (socket) => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${header}\r\n`);
    await send();
    nowMs += withinMs;
    await send();
    expect(connections).toHaveLength(1);
    nowMs += beyondMs;
    await send();
    expect(connections).toHaveLength(2);
  });

  it('is closed when it is given back after its instance was forgotten', async () => {
    const answer = send();
    upstreams.forget(path);
    expect(await answer).toMatchObject({ body: 'ok' });
    await until(() => connections[0]?.socket.readableEnded === true);
  });

  it('is closed when it was kept long enough, and with its instance', async () => {
    let closed = 0;
    const closes = async (action: () => void): Promise<void> => {
      await send();
      connections.at(-1)?.socket.once('end', () => closed++);
      action();
    };
    await closes(() => {
      nowMs += 1_500;
      upstreams.sweep();
    });
    await until(() => closed === 1);
    await closes(() => {
      upstreams.forget(path);
    });
    await until(() => closed === 2);
    await closes(() => {
      nowMs += LIMITS.upstreamIdleMs + 1;
      upstreams.sweep();
    });
    await until(() => closed === 3);
  });
});

describe('a kept connection that broke costs no request', () => {
  const withBody = (): Sent => {
    const sender = new Sender();
    // Sent as soon as it is read, and no sooner.
    sender.on('newListener', (event) => {
      if (event !== 'error') return;
      setImmediate(() => {
        sender.emit('data', Buffer.from('payload'));
        sender.finish();
      });
    });
    return { sender, headers: ['content-length', '7'] };
  };

  const breaks: readonly (readonly [string, (socket: Socket) => void])[] = [
    ['closed', (socket) => socket.destroy()],
    ['ended', (socket) => socket.end()],
    ['sent an answer to nothing', (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison')],
  ];

  it.each(breaks)('that the instance %s while it idled', async (_name, breakIt) => {
    onData = (socket, text) => /^GET|payload$/.test(text) && socket.write(OK);
    await send();
    const [first] = connections;
    breakIt(first!.socket);
    await until(() => first!.socket.destroyed || first!.socket.readableEnded);
    expect(await send(withBody())).toMatchObject({ status: 200, body: 'ok' });
    expect(connections).toHaveLength(2);
  });

  it.each(breaks.flatMap(([name, breakIt]) => ['GET', 'POST'].map((method) => [name, method, breakIt] as const)))(
    'that the instance %s just before a %s, unread by the router',
    async (_name, method, breakIt) => {
      onData = (socket, text) => /^GET|payload$/.test(text) && socket.write(OK);
      await send();
      const [first] = connections;
      // The loop asks for news of sockets between this turn and the one in which the request is written.
      await new Promise((resolve) => setImmediate(resolve));
      breakIt(first!.socket);
      expect(await send(method === 'GET' ? {} : withBody())).toMatchObject({ status: 200, body: 'ok' });
      expect(connections).toHaveLength(2);
      expect(first?.pieces).toHaveLength(1);
    },
  );

  it.each([['GET'], ['POST']])('that the instance closes in the moment before a %s is written', async (method) => {
    onData = (socket, text) => /^GET|payload$/.test(text) && socket.write(OK);
    await send();
    const [first] = connections;
    // In the very turn in which it is written, so that nobody can have read of it.
    setImmediate(() => first!.socket.destroy());
    expect(await send(method === 'GET' ? {} : withBody())).toMatchObject({ status: 200, body: 'ok', wasSent: true });
    expect(connections).toHaveLength(2);
  });
});

describe('a failure', () => {
  it('says that nothing was sent when there is no instance', async () => {
    await new Promise((resolve) => server.close(resolve));
    expect(await send()).toMatchObject({ error: 'ROUTE_INSTANCE_FAILED', wasSent: false });
  });

  it('says so too when the instance of a kept connection is gone', async () => {
    await send();
    const closed = new Promise((resolve) => server.close(resolve));
    connections[0]?.socket.destroy();
    await closed;
    expect(await send()).toMatchObject({ error: 'ROUTE_INSTANCE_FAILED', wasSent: false });
  });

  it.each([
    ['before its answer', '', 'ROUTE_INSTANCE_FAILED', 0],
    ['within the head', 'HTTP/1.1 200 OK\r\nX-A:', 'ROUTE_INSTANCE_FAILED', 0],
    ['within the body', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok', 'ROUTE_INSTANCE_FAILED', 200],
    [
      'within a body after which it closes',
      'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nok',
      'ROUTE_BAD_RESPONSE',
      200,
    ],
    ['within the chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n', 'ROUTE_INSTANCE_FAILED', 200],
  ])('of an instance that ends %s', async (_name, bytes, error, status) => {
    onData = (socket) => socket.end(bytes);
    expect(await send()).toMatchObject({ error, status, wasSent: true });
  });

  it('does not come of a body that ends with the connection', async () => {
    onData = (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nall');
    expect(await send()).toMatchObject({ status: 200, body: 'all', error: undefined });
  });

  it('does not come of such a body when the instance left some of the request unread, which resets the connection', async () => {
    await send();
    const { socket } = connections[0]!;
    (socket as unknown as { readonly _handle: { readStop(): void } })._handle.readStop();
    const answer = send();
    const turns = async (): Promise<void> => {
      for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
    };
    // The request is written, the answer is read, and only then the connection breaks.
    await turns();
    socket.write('HTTP/1.1 200 OK\r\n\r\nall');
    await turns();
    socket.destroy();
    expect(await answer).toMatchObject({ status: 200, body: 'all', error: undefined });
  });

  it('of a malformed answer is told apart', async () => {
    onData = (socket) => socket.write('HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n');
    expect(await send()).toMatchObject({ error: 'ROUTE_BAD_RESPONSE', wasSent: true });
  });

  it('of the client’s body breaks the request off', async () => {
    const sender = new Sender();
    onData = () => undefined;
    const answer = send({ sender });
    await until(() => sender.listenerCount('close') > 0);
    sender.emit('data', Buffer.from('x'));
    sender.emit('close');
    expect(await answer).toMatchObject({ error: 'CANCELLED' });
  });

  it.each([
    ['longer', 'too long'],
    ['shorter', 'x'],
  ])('of a body that is %s than it said', async (_name, text) => {
    const sender = new Sender();
    onData = () => undefined;
    const answer = send({ sender, headers: ['content-length', '2'] });
    await until(() => sender.listenerCount('data') > 0);
    sender.emit('data', Buffer.from(text));
    sender.finish();
    expect(await answer).toMatchObject({ error: 'ROUTE_BAD_REQUEST' });
    await until(() => connections[0]?.socket.readableEnded === true);
    expect(received()).not.toContain('too long');
  });

  it('is told to nobody when the request was given up', async () => {
    let told = false;
    const never = send({}, (connection) => {
      connection.discard();
    });
    void never.then(() => (told = true));
    expect(await send()).toMatchObject({ body: 'ok' });
    expect(told).toBe(false);
  });
});

describe('a body', () => {
  it('goes with the head in one piece when it is there', async () => {
    const sender = new Sender();
    onData = (socket, text) => text.endsWith('hi') && socket.write(OK);
    const answer = send({ sender, headers: ['content-length', '2'] });
    await until(() => sender.listenerCount('data') > 0);
    sender.emit('data', Buffer.from('hi'));
    sender.finish();
    await answer;
    expect(connections[0]?.pieces).toEqual(['POST / HTTP/1.1\r\nconnection: keep-alive\r\nhost: h\r\ncontent-length: 2\r\n\r\nhi']);
  });

  it('lets the head go first when it is late', async () => {
    const sender = new Sender();
    onData = (socket, text) => text.endsWith('hi') && socket.write(OK);
    const answer = send({ sender, headers: ['content-length', '2'] });
    await until(() => received().endsWith('\r\n\r\n'));
    sender.emit('data', Buffer.from('hi'));
    sender.finish();
    expect(await answer).toMatchObject({ body: 'ok' });
  });

  it('without a length goes in chunks, with the trailers that may pass', async () => {
    const sender = new Sender();
    onData = (socket, text) => text.endsWith('\r\n\r\n') && text.includes('0\r\n') && socket.write(OK);
    const answer = send({ sender, hasTrailers: true });
    await until(() => sender.listenerCount('data') > 0);
    const large = 'y'.repeat(20_000);
    for (const text of ['hi', '', large]) sender.emit('data', Buffer.from(text));
    sender.rawTrailers = ['X-Sum', '1', 'Content-Length', '5', 'X-Bad', 'a\r\nb: c'];
    sender.finish();
    expect(await answer).toMatchObject({ body: 'ok' });
    const body = received().slice(received().indexOf('\r\n\r\n') + 4);
    expect(received()).toContain('\r\ntransfer-encoding: chunked\r\n\r\n');
    expect(body).toBe(`2\r\nhi\r\n4e20\r\n${large}\r\n0\r\nx-sum: 1\r\n\r\n`);
  });

  it('without a byte has an end', async () => {
    const sender = new Sender();
    onData = (socket, text) => text.endsWith(FINAL_CHUNK) && socket.write(OK);
    const answer = send({ sender });
    await until(() => sender.listenerCount('end') > 0);
    sender.finish();
    expect(await answer).toMatchObject({ body: 'ok' });
  });

  it('that comes bit by bit is the same at its end', async () => {
    const pieces = ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n', 'one', 'two', 'end'];
    onData = (socket) => {
      let turns = 0;
      const next = (): void => {
        // Far enough apart to be read one by one.
        if (turns++ % 4 === 0) socket.write(pieces.shift() ?? '');
        if (pieces.length > 0) setImmediate(next);
      };
      next();
    };
    expect((await send()).body).toBe('onetwoend');
  });

  it('of every byte and any size comes back as it was', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_each, index) => (index * 31 + (index >> 9)) % 256));
    onData = (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`);
      socket.write(bytes);
    };
    for (let count = 0; count < 2; count++) expect((await send()).body === bytes.toString('latin1')).toBe(true);
    expect(connections).toHaveLength(1);
  });
});
