import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemTimers } from '../../../sdk/support/clock.ts';
import { CloseStack } from '../../../sdk/support/close-stack.ts';
import { MemoryUsageMeter, OPEN_GATE } from '../../api/usage-meter.ts';
import { FetchBroker } from './broker.ts';
import { EgressServer } from './egress-server.ts';
import { SAMPLE_CERTIFICATE } from './sample-certificate.ts';
import { sampleResolver, sampleRules, SampleTargets } from './sample-targets.ts';

let closing: CloseStack;
let socketPath: string;
let targets: SampleTargets;
let egress: EgressServer;
let meter: MemoryUsageMeter;

beforeEach(async () => {
  closing = new CloseStack();
  const directory = mkdtempSync(join(tmpdir(), 'egress-'));
  closing.defer(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  targets = new SampleTargets();
  closing.defer(() => targets.close());
  meter = new MemoryUsageMeter();
  const broker = new FetchBroker(sampleResolver, sampleRules(['127.0.0.1/32']), meter, systemTimers);
  closing.defer(() => broker.close());
  socketPath = join(directory, 'egress.sock');
  egress = new EgressServer(socketPath, { id: '1', appId: 'hello', service: 'default', version: 'v1' }, broker, OPEN_GATE, meter);
  await egress.start();
  closing.defer(() => egress.close());
});
afterEach(() => closing.close());

interface Answer {
  readonly status: number | undefined;
  readonly statusText: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

function ask(url: string, method = 'GET', headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path: url, method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode, statusText: response.statusMessage, headers: response.headers, text });
      });
    });
    call.on('error', reject);
    call.end();
  });
}

/** A target that answers with exactly these bytes. */
async function bytesTarget(bytes: string): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(bytes, 'latin1'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.defer(() => void server.close());
  return (server.address() as { port: number }).port;
}

test('an answer without a body stays one: HEAD, 204 and 304', async () => {
  const port = await targets.http(({ method, url }, response) => {
    if (method === 'HEAD') response.setHeader('Content-Length', '1234').end();
    else response.writeHead(Number(url?.slice(1)), { etag: '"1"' }).end();
  });
  const origin = `http://plain.test:${port}`;
  expect(await ask(`${origin}/`, 'HEAD')).toMatchObject({ status: 200, headers: { 'content-length': '1234' }, text: '' });
  expect(await ask(`${origin}/204`)).toMatchObject({ status: 204, text: '' });
  expect(await ask(`${origin}/304`)).toMatchObject({ status: 304, headers: { etag: '"1"' }, text: '' });
  expect(meter.totals.get('hello')).toMatchObject({ urlFetchCalls: 3, urlFetchBytes: 0 });
});

test.each(['OPTIONS', 'PUT', 'DELETE', 'PATCH', 'PROPFIND'])('%s passes', async (method) => {
  const port = await targets.http((incoming, response) => response.end(incoming.method));
  expect(await ask(`http://plain.test:${port}/`, method)).toMatchObject({ status: 200, text: method });
});

test('the path passes byte for byte', async () => {
  const port = await targets.http(({ url }, response) => response.end(url));
  for (const path of ['/a/../b/./c', '/%2e%2E/%zz', '/a//b?c=d?e&f=%20+', '/?', "/a'(b)*;c,d|e[f]{g}"]) {
    expect(await ask(`http://plain.test:${port}${path}`)).toMatchObject({ text: path });
  }
  expect(await ask(`http://plain.test:${port}?q`)).toMatchObject({ text: '/?q' });
  expect(await ask(`http://plain.test:${port}`)).toMatchObject({ text: '/' });
});

test('bytes beyond ASCII in headers pass as they are, and words beside the status that cannot be sent are left out', async () => {
  const port = await bytesTarget('HTTP/1.1 200 \xe2\x82\xac\r\nX-Name: J\xc3\xb6rg \xe2\x82\xac\r\nContent-Length: 2\r\n\r\nhi');
  const { status, statusText, headers, text } = await ask(`http://plain.test:${port}/`);
  expect({ status, statusText, text }).toEqual({ status: 200, statusText: '', text: 'hi' });
  expect(Buffer.from(String(headers['x-name']), 'latin1').toString('utf8')).toBe('Jörg €');
});

test.each([
  ['nothing', ''],
  ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['half of a head', 'HTTP/1.1 200 OK\r\nContent-'],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi'],
])('a target that answers with %s is FETCH_FAILED', async (_what, bytes) => {
  const port = await bytesTarget(bytes);
  expect(await ask(`http://plain.test:${port}/`)).toMatchObject({ status: 502, headers: { 'x-appengine-fetch-error': 'FETCH_FAILED' } });
});

test('a body that ends too soon is cut off for the app too, and counts no longer as open', async () => {
  const port = await bytesTarget('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhi');
  for (let count = 0; count < 250; count++) await expect(ask(`http://plain.test:${port}/`)).rejects.toThrow(/aborted|hang up/);
  expect(meter.totals.get('hello')).toMatchObject({ urlFetchCalls: 250, urlFetchBytes: 500 });
});

test('the head of an answer comes when the target sends it, whenever the body follows', async () => {
  let finish: () => unknown = () => undefined;
  const port = await targets.http((_request, response) => {
    response.setHeader('content-type', 'text/event-stream').flushHeaders();
    finish = () => response.end('late');
  });
  const head = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ socketPath, path: `http://plain.test:${port}/`, agent: false }, resolve)
      .on('error', reject)
      .end();
  });
  expect(head.headers['content-type']).toBe('text/event-stream');
  finish();
  let text = '';
  for await (const chunk of head.setEncoding('utf8')) text += String(chunk);
  expect(text).toBe('late');
});

test('a refusal is a status, a header and JSON', async () => {
  const found = await ask('http://127.0.0.2/');
  expect(found).toMatchObject({
    status: 403,
    headers: { 'content-type': 'application/json', 'x-appengine-fetch-error': 'FETCH_ADDRESS_REFUSED' },
  });
  expect(JSON.parse(found.text)).toMatchObject({
    error: { code: 'FETCH_ADDRESS_REFUSED', mend: expect.stringContaining('--fetch-allow') },
  });
});

test('it can be closed twice, and listen again', async () => {
  await egress.close();
  await egress.close();
  await egress.start();
  const port = await targets.http((_request, response) => response.end('again'));
  expect(await ask(`http://plain.test:${port}/`)).toMatchObject({ text: 'again' });
});

/** What a client does that knows of a proxy. Resolves with the open tunnel; rejects with the line that refuses it. */
function tunnel(authority: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path: authority, method: 'CONNECT', agent: false });
    call.once('connect', ({ statusCode, statusMessage }, socket: Socket) => {
      if (statusCode === 200) resolve(socket);
      else reject(new Error(`${String(statusCode)} ${String(statusMessage)}`));
    });
    call.once('error', reject);
    call.end();
  });
}

/** What comes until the connection closes. */
async function allOf(socket: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of socket.setEncoding('latin1')) text += String(chunk);
  return text;
}

describe('a tunnel', () => {
  const secure = (socket: Socket) => connectTls({ socket, servername: 'secure.test', ca: SAMPLE_CERTIFICATE });

  test('carries TLS that the app itself speaks, in both directions, and counts as one fetch', async () => {
    const port = await targets.https((incoming, response) => {
      let bytes = 0;
      incoming.on('data', (chunk: Buffer) => (bytes += chunk.length));
      incoming.on('end', () => response.setHeader('connection', 'close').end(`${bytes} ${'y'.repeat(3_000_000)}`));
    });
    const client = secure(await tunnel(`secure.test:${port}`));
    client.write(`POST / HTTP/1.1\r\nHost: secure.test\r\nContent-Length: 2000000\r\n\r\n${'x'.repeat(2_000_000)}`);
    const answer = await allOf(client);
    expect(answer).toContain('\r\n\r\n2000000 yyy');
    expect(answer.length).toBeGreaterThan(3_000_000);
    await expect.poll(() => meter.totals.get('hello')?.urlFetchBytes).toBeGreaterThan(5_000_000);
    expect(meter.totals.get('hello')).toMatchObject({ urlFetchCalls: 1 });
  });

  test('may be used for many requests', async () => {
    const port = await targets.https((incoming, response) => response.end(incoming.url));
    const client = secure(await tunnel(`secure.test:${port}`));
    let text = '';
    client.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    for (const path of ['/a', '/b', '/c']) {
      client.write(`GET ${path} HTTP/1.1\r\nHost: secure.test\r\n\r\n`);
      await expect.poll(() => text.endsWith(path)).toBe(true);
    }
    client.destroy();
  });

  test('that cannot be had is refused with the code in the first line', async () => {
    await expect(tunnel('127.0.0.2:443')).rejects.toThrow('403 FETCH_ADDRESS_REFUSED');
    await expect(tunnel('unknown.example:443')).rejects.toThrow('502 FETCH_FAILED');
    for (const what of [
      'secure.test',
      'secure.test:443/path',
      'secure.test:443?q',
      'a@secure.test:443',
      'http://secure.test:443',
      ':443',
      'a b:443',
    ])
      await expect(tunnel(what)).rejects.toThrow(/FETCH_INVALID|invalid characters|unescaped/i);
  });

  test('ends with the server that carries it', async () => {
    const port = await targets.https(() => undefined);
    const client = secure(await tunnel(`secure.test:${port}`));
    const ended = allOf(client).catch(() => 'cut');
    await new Promise((resolve) => client.once('secureConnect', resolve));
    await egress.close();
    expect(await ended).toMatch(/^(cut)?$/);
  });

  test('that its app drops while it is opened leaves nothing open', async () => {
    const port = await targets.https((_incoming, response) => response.end());
    for (let count = 0; count < 250; count++) {
      const call = request({ socketPath, path: `secure.test:${port}`, method: 'CONNECT', agent: false });
      call.on('error', () => undefined);
      call.on('connect', (_response, socket: Socket) => socket.destroy());
      call.on('socket', (socket) => socket.once('connect', () => setImmediate(() => count % 2 === 0 && call.destroy())));
      call.end();
      await new Promise((resolve) => call.once('close', resolve));
    }
    await expect
      .poll(() =>
        tunnel(`secure.test:${port}`).then(
          (socket) => Boolean(socket.destroy()),
          () => false,
        ),
      )
      .toBe(true);
  });
});
