// What joins the loopback of a program to the sockets of its instance: both implementations, as plain processes.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2, createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { freePort } from '../contract/free-port.ts';

const repository = join(import.meta.dirname, '../..');
const script = join(repository, 'runtime/languages/forwarder/forwarder.cjs');
const scratch = await mkdtemp(join(tmpdir(), 'forwarder-'));
const isCompiled = await compile();
const kinds: [string, string, boolean][] = [
  [`compiled${isCompiled ? '' : ' (SKIPPED: no C compiler; apt-get install gcc libc6-dev)'}`, join(scratch, 'forwarder'), isCompiled],
  ['script', script, true],
];
/** What leads out: the variable that names the port, and the socket behind it. */
const OUT = [
  ['APPENGINE_EGRESS_PORT', 'egress.sock'],
  ['APPENGINE_DATASTORE_PORT', 'datastore-v1.sock'],
] as const;
const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));

async function compile(): Promise<boolean> {
  const setup = (await import(join(repository, 'runtime/setup/forwarder.mjs'))) as { readonly compileForwarder: (to: string) => boolean };
  await copyFile(script, join(scratch, 'forwarder.cjs'));
  const done = setup.compileForwarder(scratch);
  if (!done) console.warn('SKIPPED: the compiled forwarder. Install a compiler: apt-get install gcc libc6-dev');
  return done;
}
afterAll(() => rm(scratch, { recursive: true, force: true }));

interface Running {
  readonly child: ChildProcess;
  readonly exit: Promise<string>;
  readonly out: () => string;
}

describe.each(kinds)('forwarder: %s', (_name, forwarder, available) => {
  const it = test.runIf(available);
  let closing: CloseStack;
  let directory: string;
  let port: number;
  let egressPort: number;
  let datastorePort: number;
  beforeAll(() => {
    closing = new CloseStack();
    return () => closing.close();
  });
  beforeEach(async () => {
    await closing.close();
    closing = new CloseStack();
    const made = await mkdtemp(join(tmpdir(), 'fw-'));
    closing.defer(() => rm(made, { recursive: true, force: true }));
    directory = made;
    port = await freePort();
    egressPort = await freePort();
    datastorePort = await freePort();
  });

  function start(command: readonly string[], variables: Record<string, string> = {}): Running {
    const child = spawn(forwarder, command, {
      env: {
        PATH: process.env['PATH'],
        ...{ PORT: String(port), APPENGINE_LISTEN: join(directory, 'app.sock'), APPENGINE_SOCKETS: directory },
        ...{ APPENGINE_EGRESS_PORT: String(egressPort), APPENGINE_DATASTORE_PORT: String(datastorePort), ...variables },
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    // Here no sandbox ends the program with its forwarder.
    closing.defer(() => {
      killGroup(child.pid);
    });
    const exit = new Promise<string>((resolve) =>
      child.once('close', (code, signal) => {
        resolve(signal ?? String(code));
      }),
    );
    return { child, exit, out: () => text };
  }

  /** Starts `code` as a Node program in which PORT is the port; `listening` is printed by it when it listens. */
  async function program(code: string, variables: Record<string, string> = {}): Promise<Running> {
    const file = join(directory, 'app.cjs');
    await writeFile(file, `const net = require('net'), http = require('http'), PORT = Number(process.env.PORT);\n${code}`);
    return start([process.execPath, file], variables);
  }

  const socket = () => join(directory, 'app.sock');
  /** It has its name once it listens. */
  const untilReady = () => expect.poll(() => existsSync(socket()), { timeout: 10_000, interval: 5 }).toBe(true);
  const open = () => connect({ path: socket(), allowHalfOpen: true });
  const portOf = (name: string): number => (name === 'egress.sock' ? egressPort : datastorePort);
  const serveOut = async (name: string, onConnection: (socket: Socket) => void): Promise<Server> => {
    const server = createServer({ allowHalfOpen: true }, onConnection);
    await new Promise<void>((resolve) => server.listen(join(directory, name), resolve));
    closing.defer(() => void server.close());
    return server;
  };

  it('makes app.sock when the program listens, not before, and without a connection of its own', async () => {
    const app = await program(`
      process.on('SIGTERM', () => http.createServer((q, r) => r.end('hello')).on('connection', () => console.log('connection')).listen(PORT, '127.0.0.1', () => console.log('listening')));
      console.log('started'); setInterval(() => 0, 1000);`);
    await expect.poll(app.out).toBe('started\n');
    expect(existsSync(socket())).toBe(false);
    app.child.kill('SIGTERM');
    await untilReady();
    await expect.poll(app.out).toBe('started\nlistening\n');
    expect(await ask(open(), 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1.1 200 [^]*hello$/);
    await expect.poll(app.out).toBe('started\nlistening\nconnection\n');
  });

  it('leaves a program alone that makes app.sock by itself', async () => {
    await program(
      `net.createServer((s) => s.end('own')).listen(process.env.APPENGINE_LISTEN, () => net.createServer((s) => s.end('port')).listen(PORT));`,
    );
    await untilReady();
    await expect.poll(() => ask(open(), '').catch(() => '')).toBe('own');
    await expect.poll(() => ask(connect(port, '127.0.0.1'), '').catch(() => '')).toBe('port');
    expect(await ask(open(), '')).toBe('own');
  });

  it('passes an end of one direction while the other goes on', async () => {
    await program(
      `net.createServer({ allowHalfOpen: true }, (s) => { let n = 0; s.on('data', (c) => (n += c.length)).on('end', () => s.end('got ' + n)); s.write('hi '); }).listen(PORT);`,
    );
    await untilReady();
    expect(await ask(open(), 'x'.repeat(1_000_000))).toBe('hi got 1000000');
    const early = open();
    const greeting = new Promise((resolve) => early.once('data', resolve));
    expect(String(await greeting)).toBe('hi ');
    early.destroy();
  });

  it('carries large bodies both ways at once, unchanged', async () => {
    await program(`net.createServer({ allowHalfOpen: true }, (s) => s.pipe(s)).listen(PORT);`);
    await untilReady();
    const bytes = randomBytes(16 * 2 ** 20);
    const client = open();
    const hash = createHash('sha256');
    client.on('data', (chunk) => hash.update(chunk));
    client.end(bytes);
    await new Promise((resolve) => client.once('end', resolve));
    expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  it('takes no more than the other side does', async () => {
    const app = await program(
      `net.createServer((s) => { s.pause(); console.log('connection'); process.on('SIGTERM', () => s.resume().on('data', (c) => { n += c.length; if (n === ${64 * 2 ** 20}) s.end(); })); let n = 0; }).listen(PORT);`,
    );
    await untilReady();
    const client = open();
    const ended = new Promise((resolve) => client.once('end', resolve));
    client.resume().write(Buffer.alloc(64 * 2 ** 20));
    await expect.poll(app.out).toBe('connection\n');
    let before = -1;
    const isStill = (): boolean => {
      const still = client.bytesWritten - client.writableLength === before;
      before = client.bytesWritten - client.writableLength;
      return still;
    };
    await expect.poll(isStill, { interval: 200 }).toBe(true);
    expect(client.writableLength).toBeGreaterThan(32 * 2 ** 20);
    app.child.kill('SIGTERM');
    await ended;
    client.destroy();
  });

  it('tells the program that a client went away, and a client that the program did', async () => {
    const app = await program(
      `net.createServer((s) => { s.on('error', () => {}).on('close', () => console.log('gone')); s.write('x'); s.on('data', (c) => c.toString() === 'end' && s.destroy()); }).listen(PORT);`,
    );
    await untilReady();
    const first = open();
    await new Promise((resolve) => first.once('data', resolve));
    first.destroy();
    await expect.poll(app.out).toBe('gone\n');
    expect(await ask(open(), 'end', false)).toBe('x');
    await expect.poll(app.out).toBe('gone\ngone\n');
  });

  test.runIf(available && hasIpv6)('reaches a program that listens on IPv6 alone', async () => {
    await program(`net.createServer((s) => s.end('six')).listen({ port: PORT, host: '::1' });`);
    await untilReady();
    expect(await ask(open(), '')).toBe('six');
    expect(await ask(open(), '')).toBe('six');
  });

  it('carries many connections at the same time', async () => {
    await program(
      `const all = []; net.createServer((s) => { s.on('error', () => {}); all.push(s); if (all.length === 400) all.forEach((each, i) => each.end('you are ' + i)); }).listen(PORT, '127.0.0.1', 511);`,
    );
    await untilReady();
    const answers = await Promise.all(Array.from({ length: 400 }, () => ask(open(), '', false)));
    expect(new Set(answers).size).toBe(400);
  });

  it.each([
    ['exit 0', '0'],
    ['exit 7', '7'],
    ['kill -9 $$', 'SIGKILL'],
    ['kill -6 $$', 'SIGABRT'],
  ])('ends as its program does: %s', async (command, expected) => {
    expect(await start(['sh', '-c', command]).exit).toBe(expected);
  });

  it('says what could not be started', async () => {
    const missing = start(['no-such-program', 'x']);
    expect(await missing.exit).toBe('127');
    expect(missing.out()).toBe('no-such-program: command not found\n');
    await writeFile(join(directory, 'plain'), 'text', { mode: 0o644 });
    expect(await start([join(directory, 'plain')]).exit).toBe('126');
  });

  it.each([
    ['the program', (code: string) => [process.execPath, '-e', code]],
    ['the command that a shell waits for', (code: string) => ['sh', '-c', `${process.execPath} -e "${code}"; exit $?`]],
  ])('passes SIGTERM to %s', async (_whom, command) => {
    const running = start(
      command(`process.on('SIGTERM', () => { console.log('ending'); process.exit(3) }); setInterval(() => 0, 999); console.log('up')`),
    );
    await expect.poll(running.out).toBe('up\n');
    running.child.kill('SIGTERM');
    expect(await running.exit).toBe('3');
    expect(running.out()).toBe('up\nending\n');
  });

  it.each(OUT)('leads %s to %s, before the program runs', async (variable, name) => {
    await serveOut(name, (s) => s.on('data', (chunk) => s.end(`said ${String(chunk)}`)));
    const app = await program(
      `const s = net.connect(process.env.${variable}, '127.0.0.1'); s.on('data', (c) => { console.log(String(c)); process.exit() }).on('error', (e) => console.log(e.message)); s.write('hello');`,
    );
    expect(await app.exit).toBe('0');
    expect(app.out()).toBe('said hello\n');
  });

  it.each(OUT)('with %s waits for a %s that is not there for a moment', async (_variable, name) => {
    await program(`setInterval(() => 0, 999); console.log('up')`).then(async (app) => expect.poll(app.out).toBe('up\n'));
    const answer = ask(connect(portOf(name), '127.0.0.1'), 'x');
    const dropped = connect(portOf(name), '127.0.0.1');
    await new Promise((resolve) => dropped.once('connect', resolve));
    dropped.destroy();
    await serveOut(name, (s) => s.resume().on('end', () => s.end('there')));
    expect(await answer).toBe('there');
  });

  it('carries HTTP/2 to the datastore: many streams on a connection, and a new connection after it was cut', async () => {
    const server = createHttp2Server().on('stream', (stream) => {
      stream.respond();
      stream.on('error', () => undefined).pipe(stream);
    });
    const sessions: ServerHttp2Session[] = [];
    server.on('session', (session) => sessions.push(session));
    await new Promise<void>((resolve) => server.listen(join(directory, 'datastore-v1.sock'), resolve));
    closing.defer(() => void server.close());
    await program(`setInterval(() => 0, 999); console.log('up')`).then(async (app) => expect.poll(app.out).toBe('up\n'));
    for (let round = 0; round < 2; round++) {
      const session = connectHttp2(`http://127.0.0.1:${datastorePort}`).on('error', () => undefined);
      const bodies = await Promise.all(Array.from({ length: 40 }, (_, index) => echoed(session, Buffer.alloc(200_000, index))));
      expect(bodies.every((body, index) => body.equals(Buffer.alloc(200_000, index)))).toBe(true);
      // A stream is open when the connection goes: the client is told, and neither half stays behind.
      const cut = echoed(session, undefined);
      await expect.poll(() => sessions.length).toBe(round + 1);
      sessions[round]?.destroy();
      // By an error or an end, as the last frames happen to fall: without either this waits for good.
      await Promise.allSettled([cut]);
      await expect.poll(() => session.destroyed).toBe(true);
    }
  });

  it('picks ports of its own where the network is shared, and leads them to the sockets of its own instance', async () => {
    for (const [, name] of OUT) await serveOut(name, (s) => s.on('data', (chunk) => s.end(`${name} got ${String(chunk)}`)));
    const app = await program(
      `const { HTTP_PROXY, DATASTORE_EMULATOR_HOST, APPENGINE_DATASTORE_PORT } = process.env;
       console.log(PORT, new URL(HTTP_PROXY).port, DATASTORE_EMULATOR_HOST.split(':')[1], APPENGINE_DATASTORE_PORT);
       http.createServer((q, r) => r.end('shared')).listen(PORT);`,
      {
        ...{ APPENGINE_SHARED_NETWORK: '1', HTTP_PROXY: `http://127.0.0.1:${egressPort}` },
        DATASTORE_EMULATOR_HOST: `127.0.0.1:${datastorePort}`,
      },
    );
    await untilReady();
    const [chosen = 0, proxy = 0, emulator = 0, told] = app.out().trim().split(' ').map(Number);
    expect(told).toBe(emulator);
    expect([port, egressPort, datastorePort].some((known) => [chosen, proxy, emulator].includes(known))).toBe(false);
    expect(await ask(connect(proxy, '127.0.0.1'), 'hi')).toBe('egress.sock got hi');
    expect(await ask(connect(emulator, '127.0.0.1'), 'hi')).toBe('datastore-v1.sock got hi');
    expect(await ask(open(), 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/shared$/);
  });
});

/** What comes back of a body; of none, a stream that stays open. */
function echoed(session: ClientHttp2Session, body: Buffer | undefined): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST' });
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('error', reject);
    stream.once('close', () => {
      if (stream.readableEnded) resolve(Buffer.concat(chunks));
      else reject(new Error('cut off'));
    });
    if (body) stream.end(body);
    else stream.write('begun');
  });
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended, with all of its group.
  }
}

/** Sends, ends its side, and resolves with what comes until the other side ends. */
function ask(client: Socket, text: string, ends = true): Promise<string> {
  return new Promise((resolve, reject) => {
    let all = '';
    client.setEncoding('latin1').on('data', (chunk: string) => (all += chunk));
    client.once('error', reject);
    client.once('end', () => {
      resolve(all);
      client.destroy();
    });
    if (ends) client.end(text);
    else client.write(text);
  });
}
