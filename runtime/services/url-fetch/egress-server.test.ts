import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemTimers } from '../../../sdk/support/clock.ts';
import { CloseStack } from '../../../sdk/support/close-stack.ts';
import { MemoryUsageMeter, OPEN_GATE } from '../../api/usage-meter.ts';
import { FetchBroker } from './broker.ts';
import { EgressServer } from './egress-server.ts';
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
