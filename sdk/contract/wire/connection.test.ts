import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock, systemTimers } from '../../support/clock.ts';
import { PlatformError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { RpcClient } from './client.ts';
import { encodeFrame } from './frame.ts';
import { messageToWire } from './message.ts';
import { RpcServer, type RpcServerOptions } from './server.ts';
import { type CallContext, type Service } from './service.ts';

let directory: string;
let path: string;
const closing: (() => void | Promise<void>)[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wire-'));
  path = join(directory, 's.sock');
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await rm(directory, { recursive: true });
});

const echo: Service = {
  name: 'test',
  methods: {
    echo: (payload) => payload,
    refuse: () => {
      throw new PlatformError('DS_NOT_FOUND', 'Greeting:5', { details: { key: 'Greeting:5' } });
    },
    crash: () => {
      throw new Error('a secret of the server');
    },
    never: (_payload, { signal }: CallContext) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      }),
    count: async (payload, { emit }) => {
      for (let number = 1; number <= Number(payload); number++) await emit(number);
      return 'counted';
    },
  },
};

test('a peer whose calls hold too many bytes is not read further until some are answered, on all its connections', async () => {
  const ends: (() => void)[] = [];
  const wait: Service = { name: 'test', methods: { wait: () => new Promise((resolve) => ends.push(() => resolve('done'))) } };
  await serve([wait], { heldBytesMax: 100_000, halfFrameMs: 50 });
  const [one, two] = [client(), client()];
  const payload = Buffer.alloc(60_000);
  const first = [one.call('test', 'wait', payload), one.call('test', 'wait', payload)];
  await expect.poll(() => ends.length).toBe(2);
  const third = two.call('test', 'wait', payload);
  const fourth = one.call('test', 'wait', Buffer.alloc(300_000));
  // Long enough for a half frame to be taken for a stalled one, if it were.
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(ends.length).toBeLessThanOrEqual(3);
  for (let answered = 0; answered < 4; answered++) {
    await expect.poll(() => ends.length).toBeGreaterThan(answered);
    ends[answered]?.();
  }
  await Promise.all([...first, third, fourth]);
});

test.each<[string, unknown, string]>([
  ['undefined', { to: ['ann'], files: [{ bytes: undefined }] }, '"files.0.bytes": undefined cannot be sent'],
  ['a function', { call: () => 1 }, '"call": a function cannot be sent'],
  ['a symbol', [Symbol('x')], '"0": a symbol cannot be sent'],
  ['a date', { at: new Date(0) }, '"at": a date cannot be sent'],
  ['a large integer', { n: 2n ** 64n }, '"n": an integer beyond 64 bits cannot be sent'],
  ['nothing', undefined, 'undefined cannot be sent'],
])('a call with %s is refused by its place, and the other calls of the connection go on', async (_name, payload, reason) => {
  await serve();
  const rpc = client();
  const abort = new AbortController();
  const other = rpc.call('test', 'never', null, { signal: abort.signal });
  await expect(rpc.call('test', 'echo', payload)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining(reason),
  });
  expect(await rpc.call('test', 'echo', 'still here')).toBe('still here');
  abort.abort(new Error('enough'));
  await expect(other).rejects.toThrow('enough');
});

test('what the other side would refuse for its shape is refused before it is sent', async () => {
  await serve();
  const rpc = client();
  const deep = Array.from({ length: LIMITS.wireDepthMax }).reduce<unknown>((inner) => [inner], 1);
  const many = Array.from({ length: LIMITS.wireItemsMax + 1 }, () => 1);
  const other = rpc.call('test', 'echo', 'still here');
  for (const payload of [deep, many])
    await expect(rpc.call('test', 'echo', payload)).rejects.toMatchObject({ code: 'RPC_FRAME_MALFORMED' });
  expect(await other).toBe('still here');
});

test('an answer that cannot be sent ends its own call alone', async () => {
  await serve([{ name: 'test', methods: { ...echo.methods, nothing: () => ({ found: undefined }) } }]);
  const rpc = client();
  const calls = [rpc.call('test', 'nothing', null), rpc.call('test', 'echo', 1)];
  expect(await Promise.allSettled(calls)).toMatchObject([
    { status: 'rejected', reason: { code: 'INTERNAL' } },
    { status: 'fulfilled', value: 1 },
  ]);
});

async function serve(services: readonly Service[] = [echo], options: RpcServerOptions = {}): Promise<RpcServer> {
  const server = new RpcServer(path, systemTimers, services, options);
  await server.start();
  closing.push(() => server.close());
  return server;
}

function client(): RpcClient {
  const rpc = new RpcClient(path, systemClock, systemTimers);
  closing.push(() => rpc.close());
  return rpc;
}

async function rawSocket(): Promise<Socket> {
  const socket = connect(path);
  closing.push(() => void socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.on('error', () => undefined);
  return socket;
}

test('many calls share one connection and each gets its own answer', async () => {
  await serve();
  const rpc = client();
  const answers = await Promise.all(Array.from({ length: 500 }, (_, index) => rpc.call('test', 'echo', { index })));
  expect(answers).toEqual(Array.from({ length: 500 }, (_, index) => ({ index })));
});

test('an error arrives with its code, its text and its details', async () => {
  await serve();
  await expect(client().call('test', 'refuse', null)).rejects.toMatchObject({
    code: 'DS_NOT_FOUND',
    message: 'no entity to update: Greeting:5',
    details: { key: 'Greeting:5' },
  });
});

test('what a handler did not expect stays on the server', async () => {
  const onInternalError = vi.fn();
  await serve([echo], { onInternalError });
  const error = await client()
    .call('test', 'crash', null)
    .catch((thrown: unknown) => thrown as Error);
  expect(error).toMatchObject({ code: 'INTERNAL' });
  expect(String(error)).not.toContain('secret');
  expect(onInternalError).toHaveBeenCalledOnce();
});

test.each([
  ['test', 'missing'],
  ['missing', 'echo'],
  ['test', 'constructor'],
  ['test', '__proto__'],
])('an unknown method is refused by name: %s.%s', async (service, method) => {
  await serve();
  await expect(client().call(service, method, null)).rejects.toMatchObject({ code: 'RPC_UNKNOWN_METHOD' });
});

test('events come in order, before the result', async () => {
  await serve();
  const events: unknown[] = [];
  await expect(client().call('test', 'count', 3, { onEvent: (event) => events.push(event) })).resolves.toBe('counted');
  expect(events).toEqual([1, 2, 3]);
});

test('a call ends at its deadline and the server stops working on it', async () => {
  await serve();
  await expect(client().call('test', 'never', null, { deadlineMs: 30 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
});

test('a call waits for a server that is not there yet', async () => {
  const rpc = client();
  const answer = rpc.call('test', 'echo', 'patient');
  await serve();
  await expect(answer).resolves.toBe('patient');
});

test('a call fails when nobody comes before its deadline', async () => {
  await expect(client().call('test', 'echo', null, { deadlineMs: 40 })).rejects.toMatchObject({ code: 'RPC_UNAVAILABLE' });
});

test('when the server dies, an idempotent call is made again and another one says that its outcome is unknown', async () => {
  const first = await serve();
  const rpc = client();
  await rpc.call('test', 'echo', null);
  const write = rpc.call('test', 'never', null);
  const read = rpc.call('test', 'never', null, { idempotent: true });
  await rpc.call('test', 'echo', null);
  await first.close();
  await expect(write).rejects.toMatchObject({ code: 'RPC_CONNECTION_LOST' });
  await serve([{ name: 'test', methods: { never: () => 'answered at last' } }]);
  await expect(read).resolves.toBe('answered at last');
});

test('more calls than allowed at once are refused, the others go on', async () => {
  await serve([echo], { callsInFlightMax: 2 });
  const rpc = client();
  await rpc.call('test', 'echo', 'connected');
  const held = [rpc.call('test', 'never', null, { deadlineMs: 200 }), rpc.call('test', 'never', null, { deadlineMs: 200 })];
  await expect(rpc.call('test', 'echo', null)).rejects.toMatchObject({ code: 'RPC_OVERLOADED' });
  for (const call of held) await expect(call).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  await expect(rpc.call('test', 'echo', 'room again')).resolves.toBe('room again');
});

test('78: a half-sent frame closes its connection after a while and disturbs no other', async () => {
  await serve([echo], { halfFrameMs: 30 });
  const hostile = await rawSocket();
  const closed = new Promise((resolve) => hostile.once('close', resolve));
  hostile.write(
    encodeFrame(messageToWire({ kind: 'call', id: 1, service: 'test', method: 'echo', payload: 'x', deadlineMs: 0 })).subarray(0, 6),
  );
  const rpc = client();
  await expect(rpc.call('test', 'echo', 'undisturbed')).resolves.toBe('undisturbed');
  await closed;
  await expect(rpc.call('test', 'echo', 'still')).resolves.toBe('still');
});

test.each([
  ['not a list', encodeFrame({ hello: 'world' })],
  ['an unknown kind of message', encodeFrame([9, 1])],
  ['a negative id', encodeFrame([3, -1])],
  ['a call without a method', encodeFrame([0, 1, 'test'])],
  ['an extension type', Buffer.from('00000003d40001', 'hex')],
])('a connection that sends %s is told so and closed', async (_name, bytes) => {
  await serve();
  const hostile = await rawSocket();
  const received: Buffer[] = [];
  hostile.on('data', (chunk: Buffer) => received.push(chunk));
  const closed = new Promise((resolve) => hostile.once('close', resolve));
  hostile.write(bytes);
  await closed;
  expect(Buffer.concat(received).toString('latin1')).toContain('RPC_FRAME_MALFORMED');
});

test('more connections than allowed are closed at once', async () => {
  await serve([echo], { connectionsMax: 1 });
  const rpc = client();
  await rpc.call('test', 'echo', null);
  const second = await rawSocket();
  await new Promise((resolve) => second.once('close', resolve));
  await expect(rpc.call('test', 'echo', 'served')).resolves.toBe('served');
});

test('an answer too large for a frame is an error of that call alone', async () => {
  await serve([{ name: 'test', methods: { ...echo.methods, large: () => Buffer.alloc(13 * 1024 * 1024) } }]);
  const rpc = client();
  await expect(rpc.call('test', 'large', null)).rejects.toMatchObject({ code: 'RPC_FRAME_TOO_LARGE' });
  await expect(rpc.call('test', 'echo', 'fine')).resolves.toBe('fine');
});
