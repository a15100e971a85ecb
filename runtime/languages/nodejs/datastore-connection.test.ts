import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { type Server as NetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CloseStack } from '../../../sdk/support/close-stack.ts';

const preload = join(import.meta.dirname, 'preload.cjs');
/** Nobody listens there. */
const PORT = '61081';
let directory: string;
let closing: CloseStack;

beforeEach(() => {
  closing = new CloseStack();
  directory = mkdtempSync(join(tmpdir(), 'datastore-connection-'));
  closing.defer(() => {
    rmSync(directory, { recursive: true, force: true });
  });
});
afterEach(() => closing.close());

async function listen(server: NetServer): Promise<void> {
  await new Promise<void>((resolve) => server.listen(join(directory, 'datastore-v1.sock'), resolve));
  closing.defer(() => void server.close());
}

const echo = (): Server =>
  createServer((request, response) => {
    response.setHeader('connection', 'close');
    request.resume().once('end', () => response.end(`${request.method ?? ''} ${request.url ?? ''}`));
  });

interface Program {
  readonly child: ChildProcess;
  readonly out: () => string;
  /** Rejects when it does not exit with 0. */
  readonly ended: Promise<readonly string[]>;
}

/** Starts a program under the preload, in which PORT is the port. */
function start(code: string): Program {
  const file = join(directory, 'app.mjs');
  writeFileSync(
    file,
    `import http from 'node:http'; import net from 'node:net'; import { once } from 'node:events'; const PORT = ${PORT};\n${code}`,
  );
  const child = spawn(process.execPath, [file], {
    env: { PATH: process.env['PATH'], NODE_OPTIONS: `--require=${preload}`, APPENGINE_SOCKETS: directory, APPENGINE_DATASTORE_PORT: PORT },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  closing.defer(() => void child.kill('SIGKILL'));
  let [out, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors += chunk));
  const ended = new Promise<string[]>((resolve, reject) => {
    child.once('close', (exitCode) => {
      if (exitCode === 0) resolve(out.trimEnd().split('\n'));
      else reject(new Error(`exited with ${String(exitCode)}: ${errors}`));
    });
  });
  ended.catch(() => undefined);
  return { child, out: () => out, ended };
}

const SAY = `const say = async (socket) => { let all = ''; for await (const chunk of socket.setEncoding('utf8')) all += chunk; return all.split('\\r\\n').at(-1); };
const ask = (socket, path) => { socket.write('GET ' + path + ' HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n'); return say(socket); };`;

describe('connections to $DATASTORE_EMULATOR_HOST in Node', () => {
  it('lead to the socket, in each form of connect', async () => {
    await listen(echo());
    const { ended } = start(`${SAY}
      console.log(await ask(net.connect(PORT), '/port'));
      console.log(await ask(net.connect(String(PORT), 'localhost'), '/host'));
      console.log(await ask(net.createConnection({ port: PORT, host: '127.0.0.1' }), '/options'));
      console.log(await ask(net.connect({ port: String(PORT), host: '::1', autoSelectFamily: true }), '/ipv6'));
      const made = new net.Socket();
      await new Promise((resolve) => made.connect(PORT, '127.0.0.1', resolve));
      console.log(await ask(made, '/made'));
      const again = new net.Socket();
      await new Promise((resolve) => again.connect({ port: PORT }, resolve));
      console.log(await ask(again, '/made-by-options'));`);
    const forms = ['port', 'host', 'options', 'ipv6', 'made', 'made-by-options'];
    expect(await ended).toEqual(forms.map((form) => `GET /${form}`));
  });

  it('do so for http, with and without an agent, for fetch, and in threads and children', async () => {
    await listen(echo());
    const { ended } = start(`
      import { Worker } from 'node:worker_threads'; import { execFileSync } from 'node:child_process';
      const text = async (options) => { const [response] = await once(http.get({ port: PORT, ...options }), 'response'); let all = ''; for await (const chunk of response) all += chunk; return all; };
      console.log(await text({ path: '/agent' }));
      console.log(await text({ host: '127.0.0.1', path: '/none', agent: false }));
      console.log(await (await fetch('http://127.0.0.1:' + PORT + '/fetch', { method: 'POST', body: 'x' })).text());
      const code = "fetch('http://localhost:" + PORT + "/NAME').then((r) => r.text()).then(console.log)";
      await once(new Worker(code.replace('NAME', 'thread'), { eval: true }), 'exit');
      process.stdout.write(execFileSync(process.execPath, ['-e', code.replace('NAME', 'child')]));`);
    expect([...(await ended)].sort()).toEqual(['GET /agent', 'GET /child', 'GET /none', 'GET /thread', 'POST /fetch']);
  });

  it('carry HTTP/2, many streams at once', async () => {
    const server = createHttp2Server().on('stream', (stream) => {
      stream.respond();
      stream.pipe(stream);
    });
    await listen(server);
    const { ended } = start(`import http2 from 'node:http2';
      const session = http2.connect('http://localhost:' + PORT);
      const sizes = await Promise.all(Array.from({ length: 50 }, async (_, index) => {
        const stream = session.request({ ':method': 'POST' });
        stream.end(Buffer.alloc(100_000, index));
        let all = 0;
        for await (const chunk of stream) { if (chunk.some((byte) => byte !== index)) throw new Error('mixed up'); all += chunk.length; }
        return all;
      }));
      console.log(new Set(sizes).size, sizes[0]);
      session.close();`);
    expect(await ended).toEqual(['1 100000']);
  });

  it('have the ends of a TCP connection, once they stand', async () => {
    await listen(echo());
    const { ended } = start(`const socket = net.connect(PORT, 'localhost');
      console.log(String(socket.remoteAddress), socket.connecting);
      await once(socket, 'connect');
      console.log(socket.remoteAddress, socket.remoteFamily, socket.remotePort, socket.localAddress, socket.connecting, Object.hasOwn(socket, 'destroy'));
      console.log(JSON.stringify(socket.address()), socket.setNoDelay(true) === socket, socket.setKeepAlive(true) === socket);
      socket.destroy();`);
    expect(await ended).toEqual([
      'undefined true',
      '127.0.0.1 IPv4 61081 127.0.0.1 false false',
      '{"address":"127.0.0.1","family":"IPv4","port":0} true true',
    ]);
  });

  it('wait while the platform starts anew, and what was written meanwhile arrives', async () => {
    const { out, ended } = start(`${SAY}
      const socket = net.connect(PORT, () => console.log('connected'));
      const answer = ask(socket, '/waited');
      setTimeout(() => console.log('waiting', socket.connecting, socket.pending), 60);
      console.log(await answer);`);
    await expect.poll(out).toBe('waiting true true\n');
    await listen(echo());
    expect(await ended).toEqual(['waiting true true', 'connected', 'GET /waited']);
  });

  it('can be given up while they wait', async () => {
    const { ended } = start(`const events = [];
      const socket = net.connect(PORT);
      for (const name of ['connect', 'error', 'close']) socket.on(name, () => events.push(name));
      setTimeout(() => socket.destroy(), 70);
      await once(socket, 'close');
      const failed = net.connect(PORT).on('error', (error) => events.push(error.message));
      setTimeout(() => failed.destroy(new Error('the caller had enough')), 70);
      await new Promise((resolve) => failed.on('close', resolve));
      process.on('exit', () => console.log(events.join()));`);
    expect(await ended).toEqual(['close,the caller had enough']);
  });

  it('are made for this port of the loopback alone', async () => {
    await listen(echo());
    const { ended } = start(`const other = net.createServer((socket) => socket.end('other')).listen(0, '127.0.0.1');
      await once(other, 'listening');
      console.log(String((await once(net.connect(other.address().port), 'data'))[0]));
      const path = process.env.APPENGINE_SOCKETS + '/own.sock';
      const own = net.createServer((socket) => socket.end('own')).listen(path);
      await once(own, 'listening');
      console.log(String((await once(net.connect({ path, port: PORT }), 'data'))[0]));
      console.log(String((await once(net.connect(path), 'data'))[0]));
      const elsewhere = net.connect(PORT, 'elsewhere.invalid');
      console.log((await once(elsewhere, 'error'))[0].syscall);
      const empty = new net.Socket();
      try { empty.connect(); } catch (error) { console.log(error.code); }
      process.exit();`);
    expect(await ended).toEqual(['other', 'own', 'own', 'getaddrinfo', 'ERR_MISSING_ARGS']);
  });
});
