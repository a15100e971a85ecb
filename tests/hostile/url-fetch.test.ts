// What an app must not reach, and what must not reach the platform by its requests (security: 30 to 38), against the real
// broker behind both of its doors.
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OPEN_GATE, MemoryUsageMeter } from '../../runtime/api/usage-meter.ts';
import { CallPassage } from '../../runtime/api/call-passage.ts';
import { ServiceTable } from '../../runtime/api/service-table.ts';
import { type AddressRules, refusalOf } from '../../runtime/services/url-fetch/address-guard.ts';
import { FetchBroker } from '../../runtime/services/url-fetch/broker.ts';
import { EgressServer } from '../../runtime/services/url-fetch/egress-server.ts';
import { urlFetchApi } from '../../runtime/services/url-fetch/fetch-service.ts';
import { type Resolver } from '../../runtime/services/url-fetch/guarded-connector.ts';
import { SAMPLE_CERTIFICATE } from '../../runtime/services/url-fetch/sample-certificate.ts';
import { sampleResolver, sampleRules, SampleTargets } from '../../runtime/services/url-fetch/sample-targets.ts';
import { UrlFetchClient, type UrlFetchOptions, type UrlFetchResult } from '../../sdk/client/url-fetch.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { RpcClient } from '../../sdk/contract/wire/client.ts';
import { RpcServer } from '../../sdk/contract/wire/server.ts';
import { systemClock, systemTimers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';

const caller = { id: '1', appId: 'hello', service: 'default', version: 'v1' };
const PUBLIC_ONLY = sampleRules([]);

let closing: CloseStack;
let directory: string;
let targets: SampleTargets;

beforeEach(async () => {
  closing = new CloseStack();
  directory = await mkdtemp(join(tmpdir(), 'hostile-fetch-'));
  targets = new SampleTargets();
  closing.defer(() => rm(directory, { recursive: true, force: true }));
  closing.defer(() => targets.close());
});
afterEach(() => closing.close());

interface Doors {
  /** By egress.sock. `code` is the platform's, of a refusal. */
  readonly egress: (
    url: string,
    options?: { method?: string; headers?: Record<string, string>; body?: string | Buffer },
  ) => Promise<EgressResult>;
  /** By egress.sock, with CONNECT: `200`, or the status and the code that refused it. Bytes may follow in `text`. */
  readonly tunnel: (authority: string) => Promise<{ readonly said: string; readonly socket: Socket }>;
  /** By api.sock. */
  readonly api: (url: string, options?: UrlFetchOptions) => Promise<UrlFetchResult>;
  /** Bytes as they are; resolves with the answer's. */
  readonly raw: (text: string) => Promise<string>;
}

interface EgressResult {
  readonly status: number;
  readonly code: string | undefined;
  readonly message: string;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly bytes: number;
  readonly text: string;
  /** False when it broke off. */
  readonly isWhole: boolean;
}

async function open(rules: AddressRules, resolve: Resolver = sampleResolver): Promise<Doors> {
  const meter = new MemoryUsageMeter();
  const broker = new FetchBroker(resolve, rules, meter, systemTimers, { authorities: [SAMPLE_CERTIFICATE] });
  closing.defer(() => broker.close());
  const egressPath = join(directory, 'egress.sock');
  const egress = new EgressServer(egressPath, caller, broker, OPEN_GATE, meter);
  await egress.start();
  closing.defer(() => egress.close());
  const apiPath = join(directory, 'api.sock');
  const table = new ServiceTable([urlFetchApi(broker, systemTimers)], new CallPassage(OPEN_GATE, meter), systemTimers);
  const api = new RpcServer(apiPath, systemTimers, table.servicesOf(caller));
  await api.start();
  closing.defer(() => api.close());
  const rpc = new RpcClient(apiPath, systemClock, systemTimers);
  closing.defer(() => {
    rpc.close();
  });
  return {
    api: (url, options) => new UrlFetchClient(rpc).fetch(url, options),
    egress: (path, options = {}) => egressRequest(egressPath, path, options),
    tunnel: (path) =>
      new Promise((settle, reject) => {
        const call = request({ socketPath: egressPath, path, method: 'CONNECT', agent: false });
        call.once('connect', ({ statusCode = 0, statusMessage = '' }, socket: Socket) => {
          closing.defer(() => void socket.destroy());
          settle({ said: statusCode === 200 ? '200' : `${statusCode} ${statusMessage}`, socket });
        });
        call.once('error', reject);
        call.end();
      }),
    raw: (text) =>
      new Promise((settle) => {
        const socket = connect(egressPath);
        let all = '';
        socket.setEncoding('latin1').on('data', (chunk: string) => (all += chunk));
        socket.on('error', () => undefined);
        socket.on('close', () => {
          settle(all);
        });
        socket.write(text, 'latin1');
      }),
  };
}

function egressRequest(
  socketPath: string,
  path: string,
  { method = 'GET', headers = {}, body }: { method?: string; headers?: Record<string, string>; body?: string | Buffer },
): Promise<EgressResult> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, method, headers, agent: false }, (response) => {
      let bytes = 0;
      let text = '';
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes < 100_000) text += chunk.toString('latin1');
      });
      response.on('error', () => undefined);
      response.on('close', () => {
        const code = response.headers['x-appengine-fetch-error'];
        const message = decodeURIComponent(String(response.headers['x-appengine-fetch-reason'] ?? ''));
        const { statusCode: status = 0, headers: found, complete: isWhole } = response;
        resolve({ status, code: code === undefined ? undefined : String(code), message, headers: found, bytes, text, isWhole });
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

/** A TCP server that only counts who came. */
async function counter(host: string): Promise<{ port: number; count: () => number }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  closing.defer(() => void server.close());
  return { port: (server.address() as { port: number }).port, count: () => connections };
}

const refused = { code: 'FETCH_ADDRESS_REFUSED', status: 403 };
const refusedTunnel = '403 FETCH_ADDRESS_REFUSED';
const refusal = expect.objectContaining({ code: 'FETCH_ADDRESS_REFUSED' });

describe('30 addresses that are not public', () => {
  test.each([
    ...['127.0.0.1', '127.255.0.3', '0.0.0.0', '0.1.2.3', '10.1.2.3', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1'],
    ...['192.0.2.1', '198.18.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
    ...['[::1]', '[::]', '[fe80::1]', '[fd00::1]', '[fc00::1]', '[ff02::1]', '[fec0::1]', '[2001:db8::1]', '[4000::1]'],
  ])('%s is refused by both doors', async (host) => {
    const { api, egress, tunnel } = await open(PUBLIC_ONLY);
    expect(await egress(`http://${host}/`)).toMatchObject(refused);
    expect((await tunnel(`${host}:443`)).said).toBe(refusedTunnel);
    await expect(api(`https://${host}/`)).rejects.toThrow(refusal);
  });

  test('nothing knocks at the door of what is refused', async () => {
    const { egress, tunnel } = await open(PUBLIC_ONLY);
    const { port, count } = await counter('127.0.0.1');
    expect(await egress(`http://127.0.0.1:${port}/`)).toMatchObject(refused);
    expect(await egress(`https://127.0.0.1:${port}/`)).toMatchObject(refused);
    expect((await tunnel(`127.0.0.1:${port}`)).said).toBe(refusedTunnel);
    expect(count()).toBe(0);
  });

  test('the operator may allow a range, and no more than that', async () => {
    const port = await targets.http((_request, response) => response.end('inside'));
    const { egress } = await open(sampleRules(['127.0.0.1/32']));
    expect(await egress(`http://127.0.0.1:${port}/`)).toMatchObject({ status: 200, text: 'inside' });
    expect(await egress(`http://127.0.0.2:${port}/`)).toMatchObject(refused);
  });

  test.each([22, 25, 53, 443 + 10, 1_023])('port %d is none of the web', async (port) => {
    const { egress, tunnel } = await open(sampleRules(['127.0.0.0/8']));
    expect(await egress(`http://127.0.0.1:${port}/`)).toMatchObject(refused);
    expect((await tunnel(`127.0.0.1:${port}`)).said).toBe(refusedTunnel);
  });

  test.each([
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['HTTP', 'GET / HTTP/1.1\r\nHost: plain.test\r\n\r\n'],
    ['something that begins almost as TLS does', '\x16\x02'],
  ])('a tunnel carries no %s', async (_what, bytes) => {
    let heard = 0;
    const server = createServer((socket) => socket.on('error', () => undefined).on('data', (chunk) => (heard += chunk.length)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.defer(() => void server.close());
    const { tunnel } = await open(sampleRules(['127.0.0.1/32']));
    const { said, socket } = await tunnel(`plain.test:${(server.address() as { port: number }).port}`);
    expect(said).toBe('200');
    socket.on('error', () => undefined).resume();
    socket.write(bytes, 'latin1');
    await new Promise((resolve) => socket.once('close', resolve));
    expect(heard).toBe(0);
  });
});

test.each([
  ...['2130706433', '0x7f000001', '0x7f.1', '0177.0.0.1', '017700000001', '127.1', '127.0.1', '0', '127.0.0.1.', '%31%32%37.0.0.1'],
  ...['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:7f00:0001]', '[::127.0.0.1]', '[64:ff9b::7f00:1]', '[64:ff9b:1::7f00:1]'],
  ...['[2002:7f00:1::]', '[2001:0:7f00:1::]', '[::ffff:0:127.0.0.1]', '[::ffff:a9fe:a9fe]', '169.254.43518', '2852039166'],
])('31 %s is one of them in another form', async (host) => {
  const { api, egress, tunnel } = await open(PUBLIC_ONLY);
  const { port, count } = await counter('127.0.0.1');
  const url = `http://${host}:${port}/`;
  expect(await egress(url)).toMatchObject(refused);
  expect((await tunnel(`${host}:${port}`)).said).toBe(refusedTunnel);
  await expect(api(url)).rejects.toThrow(refusal);
  expect(count()).toBe(0);
});

describe('32 names', () => {
  test.each([['127.0.0.1'], ['::1'], ['::ffff:10.0.0.1'], ['169.254.169.254'], ['64:ff9b::a00:1']])(
    'one that leads to %s is refused',
    async (address) => {
      const { api, egress, tunnel } = await open(PUBLIC_ONLY, () => Promise.resolve([address]));
      expect((await tunnel('innocent.example:443')).said).toBe(refusedTunnel);
      expect(await egress('http://innocent.example/')).toMatchObject({
        ...refused,
        message: expect.stringContaining(`innocent.example leads to ${address}`),
      });
      await expect(api('https://innocent.example/')).rejects.toThrow(refusal);
    },
  );

  test('one bad address among good ones is enough', async () => {
    const { egress } = await open(PUBLIC_ONLY, () => Promise.resolve(['93.184.216.34', '10.0.0.1']));
    expect(await egress('http://mixed.example/')).toMatchObject(refused);
  });
});

test('33 a name that changes between check and connection changes nothing', async () => {
  const good = await targets.http((_request, response) => response.setHeader('Connection', 'close').end('good'));
  const { egress } = await open(sampleRules(['127.0.0.1/32']), rebinding());
  expect(await egress(`http://rebind.example:${good}/`)).toMatchObject({ status: 200, text: 'good' });
  expect(lookups).toBe(1);
  expect(await egress(`http://rebind.example:${good}/`)).toMatchObject(refused);
  const again = await open(sampleRules(['127.0.0.1/32']), rebinding());
  expect((await again.tunnel(`rebind.example:${good}`)).said).toBe('200');
  expect(lookups).toBe(1);
  expect((await again.tunnel(`rebind.example:${good}`)).said).toBe(refusedTunnel);
});

let lookups = 0;
/** The first answer is allowed, every later one leads elsewhere. */
function rebinding(): Resolver {
  lookups = 0;
  return () => Promise.resolve([lookups++ === 0 ? '127.0.0.1' : '127.0.0.2']);
}

describe('34 redirects', () => {
  test.each([
    ['a private address', 'http://10.0.0.1/', 'FETCH_ADDRESS_REFUSED'],
    ['the loopback in IPv6', 'http://[::1]/', 'FETCH_ADDRESS_REFUSED'],
    ['a file', 'file:///etc/passwd', 'FETCH_INVALID'],
    ['another protocol', 'gopher://plain.test/', 'FETCH_INVALID'],
    ['user information', 'http://a:b@plain.test/', 'FETCH_INVALID'],
  ])('to %s', async (_where, location, code) => {
    const port = await targets.http((_request, response) => response.writeHead(302, { location }).end());
    const { api } = await open(sampleRules(['127.0.0.1/32']));
    await expect(api(`http://plain.test:${port}/`)).rejects.toThrow(expect.objectContaining({ code }));
    expect(await api(`http://plain.test:${port}/`, { followRedirects: false })).toMatchObject({ status: 302, headers: { location } });
  });

  test('five at most', async () => {
    const port = await targets.http(({ url = '/0' }, response) => {
      const left = Number(url.slice(1));
      if (left === 0) response.end('there');
      else response.writeHead(307, { location: `/${left - 1}` }).end();
    });
    const { api } = await open(sampleRules(['127.0.0.1/32']));
    expect(await api(`http://plain.test:${port}/5`)).toMatchObject({ status: 200, finalUrl: `http://plain.test:${port}/0` });
    await expect(api(`http://plain.test:${port}/6`)).rejects.toThrow(expect.objectContaining({ code: 'FETCH_TOO_MANY_REDIRECTS' }));
  });

  test('secrets for one site do not go to another, and a POST becomes a GET', async () => {
    const seen: string[] = [];
    const second = await targets.http(({ method, headers }, response) => {
      seen.push(`${method ?? ''} ${headers.authorization ?? 'none'} ${headers.cookie ?? 'none'} ${headers['content-type'] ?? 'none'}`);
      response.end();
    });
    const first = await targets.http((_request, response) => response.writeHead(302, { location: `http://other.test:${second}/` }).end());
    const { api } = await open(sampleRules(['127.0.0.1/32']));
    await api(`http://plain.test:${first}/`, { method: 'POST', payload: 'x', headers: { authorization: 'secret', cookie: 'a=1' } });
    expect(seen).toEqual(['GET none none none']);
  });
});

test('35 the platform itself, allowed or not', async () => {
  const port = await targets.http((_request, response) => response.end('console'));
  const rules = { ...sampleRules(['0.0.0.0/0', '::/0'], [port]), ownAddresses: () => ['203.0.113.5', 'fe80::5%eth0'] };
  const { egress, api, tunnel } = await open(rules, () => Promise.resolve(['127.0.0.1']));
  const hosts = ['127.0.0.1', 'localhost', '127.9.9.9', '0.0.0.0', '[::1]', '[::]', '[::ffff:127.0.0.1]', '203.0.113.5', 'console.example'];
  for (const host of hosts) {
    expect(await egress(`http://${host}:${port}/`)).toMatchObject({
      ...refused,
      message: expect.stringContaining('belongs to the platform'),
    });
    expect((await tunnel(`${host}:${port}`)).said).toBe(refusedTunnel);
    await expect(api(`http://${host}:${port}/`)).rejects.toThrow(refusal);
  }
  const own = { ...sampleRules([]), ownAddresses: () => ['93.184.216.34'] };
  expect(refusalOf('93.184.216.34', 443, own)).toContain("the platform's own machine");
  expect(refusalOf('93.184.216.35', 443, own)).toBeUndefined();
  expect(await egress('http+unix://%2Frun%2Fapp.sock/')).toMatchObject({ code: 'FETCH_INVALID' });
});

test('a certificate that nobody vouches for is refused, unless the call takes any', async () => {
  const port = await targets.https((_request, response) => response.end('hello'));
  const { api } = await open(sampleRules(['127.0.0.1/32']));
  expect(await api(`https://secure.test:${port}/`)).toMatchObject({ status: 200 });
  expect(await api(`https://wrong.test:${port}/`, { validateCertificate: false })).toMatchObject({ status: 200 });
  await expect(api(`https://wrong.test:${port}/`)).rejects.toThrow(expect.objectContaining({ code: 'FETCH_FAILED' }));
});

describe('36 answers without measure', () => {
  test('one that announces ten gigabytes is refused before its body', async () => {
    const port = await targets.http((_request, response) => {
      response.writeHead(200, { 'content-length': 10 * 2 ** 30 }).write('x');
    });
    const { egress, api } = await open(sampleRules(['127.0.0.1/32']));
    expect(await egress(`http://plain.test:${port}/`)).toMatchObject({ status: 502, code: 'FETCH_TOO_LARGE' });
    await expect(api(`http://plain.test:${port}/`, { deadlineMs: 500 })).rejects.toThrow(
      expect.objectContaining({ code: 'FETCH_DEADLINE' }),
    );
  });

  test('one without end is cut at the limit', async () => {
    let stopped = 0;
    const port = await targets.http((_request, response) => {
      response.once('close', () => stopped++);
      const chunk = Buffer.alloc(2 ** 20);
      const more = (): void => {
        if (!response.destroyed) response.write(chunk, () => setImmediate(more));
      };
      more();
    });
    const { egress, api } = await open(sampleRules(['127.0.0.1/32']));
    const found = await egress(`http://plain.test:${port}/`);
    expect(found).toMatchObject({ status: 200, isWhole: false });
    expect(found.bytes).toBeLessThanOrEqual(LIMITS.fetchAnswerBytesMax);
    await expect(api(`http://plain.test:${port}/`)).rejects.toThrow(expect.objectContaining({ code: 'FETCH_TOO_LARGE' }));
    const cut = await api(`http://plain.test:${port}/`, { allowTruncated: true });
    expect(cut).toMatchObject({ contentWasTruncated: true, content: { length: LIMITS.fetchContentBytesMax } });
    await expect.poll(() => stopped).toBe(3);
  });

  test('one without end through a tunnel is cut at its limit, and so is a request', async () => {
    const port = await targets.https((incoming, response) => {
      incoming.on('error', () => undefined).resume();
      if (incoming.method === 'POST') return;
      const more = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(2 ** 20), () => setImmediate(more));
      };
      more();
    });
    const { tunnel } = await open(sampleRules(['127.0.0.1/32']));
    const speak = async () =>
      connectTls({ socket: (await tunnel(`secure.test:${port}`)).socket, ca: SAMPLE_CERTIFICATE, servername: 'secure.test' });
    const reading = await speak();
    let received = 0;
    reading.on('error', () => undefined).on('data', (chunk: Buffer) => (received += chunk.length));
    reading.write('GET / HTTP/1.1\r\nHost: secure.test\r\n\r\n');
    await new Promise((resolve) => reading.once('close', resolve));
    expect(received).toBeGreaterThanOrEqual(LIMITS.fetchAnswerBytesMax);
    expect(received).toBeLessThanOrEqual(LIMITS.egressTunnelReceivedBytesMax);
    const writing = await speak();
    writing.on('error', () => undefined).resume();
    writing.write('POST / HTTP/1.1\r\nHost: secure.test\r\nContent-Length: 99999999999\r\n\r\n');
    const more = (): void => {
      if (!writing.destroyed) writing.write(Buffer.alloc(2 ** 20), () => setImmediate(more));
    };
    more();
    await new Promise((resolve) => writing.once('close', resolve));
    expect(writing.bytesWritten).toBeGreaterThanOrEqual(LIMITS.fetchRequestBytesMax);
  });

  test('a decompression bomb is as large as the limit, no larger', async () => {
    const bomb = gzipSync(Buffer.alloc(200 * 2 ** 20));
    const port = await targets.http((_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb));
    const { egress, api } = await open(sampleRules(['127.0.0.1/32']));
    await expect(api(`http://plain.test:${port}/`)).rejects.toThrow(expect.objectContaining({ code: 'FETCH_TOO_LARGE' }));
    expect((await api(`http://plain.test:${port}/`, { allowTruncated: true })).content.length).toBe(LIMITS.fetchContentBytesMax);
    expect((await egress(`http://plain.test:${port}/`)).bytes).toBe(bomb.length);
  });

  test('many large answers at once are refused before they fill the memory of the platform', async () => {
    const waiting: (() => void)[] = [];
    const port = await targets.http((_request, response) => {
      response.write(Buffer.alloc(9 * 2 ** 20));
      waiting.push(() => response.end());
    });
    const { api } = await open(sampleRules(['127.0.0.1/32']));
    const outcomes: string[] = [];
    const calls = Array.from({ length: 12 }, () =>
      api(`http://plain.test:${port}/`, { deadlineMs: 60_000 }).then(
        () => outcomes.push('whole'),
        (error: unknown) => outcomes.push((error as { readonly code: string }).code),
      ),
    );
    const room = Math.floor(LIMITS.fetchHeldBytesPerAppMax / (9 * 2 ** 20));
    await expect.poll(() => outcomes.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(12 - room);
    expect(new Set(outcomes)).toEqual(new Set(['RPC_OVERLOADED']));
    for (const finish of waiting) finish();
    await Promise.all(calls);
    expect(outcomes.filter((outcome) => outcome === 'whole').length).toBeLessThanOrEqual(room);
    const again = api(`http://plain.test:${port}/`);
    await expect.poll(() => waiting.length).toBe(13);
    waiting[12]?.();
    expect(await again).toMatchObject({ status: 200 });
  });

  test('what says that it is gzip and is not leaves nothing behind', async () => {
    const port = await targets.http((_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('no gzip'));
    const { api } = await open(sampleRules(['127.0.0.1/32']));
    for (let count = 0; count <= LIMITS.fetchesOpenPerAppMax; count++) {
      await expect(api(`http://plain.test:${port}/`)).rejects.toThrow(expect.objectContaining({ code: 'FETCH_FAILED' }));
    }
  });

  test('headers without end', async () => {
    const port = await targets.http((_request, response) =>
      response.writeHead(200, { 'x-long': 'x'.repeat(2 * LIMITS.fetchAnswerHeaderBytesMax) }).end(),
    );
    const { egress } = await open(sampleRules(['127.0.0.1/32']));
    expect(await egress(`http://plain.test:${port}/`)).toMatchObject({ code: 'FETCH_TOO_LARGE' });
  });

  test('a request over ten megabytes', async () => {
    const port = await targets.http((request) => request.resume());
    const { egress, api } = await open(sampleRules(['127.0.0.1/32']));
    const body = Buffer.alloc(LIMITS.fetchRequestBytesMax + 1);
    const url = `http://plain.test:${port}/`;
    const announced = { method: 'POST', body, headers: { 'content-length': String(body.length) } };
    expect(await egress(url, announced)).toMatchObject({ status: 413, code: 'FETCH_REQUEST_TOO_LARGE' });
    expect(await egress(url, { method: 'POST', body, headers: { 'transfer-encoding': 'chunked' } })).toMatchObject({
      code: 'FETCH_REQUEST_TOO_LARGE',
    });
    await expect(api(url, { method: 'POST', payload: body })).rejects.toThrow(expect.objectContaining({ code: 'FETCH_REQUEST_TOO_LARGE' }));
  });

  test('a target that never answers', async () => {
    const port = await targets.http(() => undefined);
    const { api } = await open(sampleRules(['127.0.0.1/32']));
    await expect(api(`http://plain.test:${port}/`, { deadlineMs: 100 })).rejects.toThrow(
      expect.objectContaining({ code: 'FETCH_DEADLINE' }),
    );
  });

  test('more requests at once than an app may have', async () => {
    const waiting: (() => void)[] = [];
    const port = await targets.http((_request, response) => waiting.push(() => response.end('late')));
    const { egress } = await open(sampleRules(['127.0.0.1/32']));
    const url = `http://plain.test:${port}/`;
    const open1 = Array.from({ length: LIMITS.fetchesOpenPerAppMax }, () => egress(url));
    await expect.poll(() => waiting.length, { timeout: 20_000 }).toBe(LIMITS.fetchesOpenPerAppMax);
    expect(await egress(url)).toMatchObject({ status: 503, code: 'RPC_OVERLOADED' });
    for (const answer of waiting.splice(0)) answer();
    expect((await Promise.all(open1)).every(({ text }) => text === 'late')).toBe(true);
    const next = egress(url);
    await expect.poll(() => waiting.length).toBe(1);
    waiting[0]?.();
    expect(await next).toMatchObject({ status: 200 });
  });
});

describe('37 CR, LF and NUL', () => {
  test.each(['http://plain.test/a\r\nX: 1', 'http://plain.test/\0', 'http://pla\nin.test/', 'http://plain.test/\t', 'http://plain.test/ä'])(
    'in the URL %j',
    async (url) => {
      const { api } = await open(sampleRules(['127.0.0.1/32']));
      await expect(api(url)).rejects.toThrow(expect.objectContaining({ code: 'FETCH_INVALID' }));
    },
  );

  test.each([
    ['x-a', 'b\r\nx-c: d'],
    ['x-a', 'b\0c'],
    ['x-a', 'b\nc'],
    ['x-a\r\nx-b', 'c'],
    ['x a', 'c'],
    ['', 'c'],
  ])('in the header %j with %j', async (name, value) => {
    const { api } = await open(sampleRules(['127.0.0.1/32']));
    await expect(api('http://plain.test/', { headers: { [name]: value } })).rejects.toThrow(
      expect.objectContaining({ code: 'FETCH_INVALID' }),
    );
  });

  test('in the method', async () => {
    const { api } = await open(sampleRules(['127.0.0.1/32']));
    const method = 'GET / HTTP/1.1\r\nX: 1\r\n\r\nGET' as 'GET';
    await expect(api('http://plain.test/', { method })).rejects.toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  test.each([
    'GET http://plain.test/ HTTP/1.1\r\nHost: x\r\nX-A: b\0c\r\n\r\n',
    'GET http://plain.test/ HTTP/1.1\r\nHost: x\r\nX A: b\r\n\r\n',
    'GET http://plain.test/\0 HTTP/1.1\r\nHost: x\r\n\r\n',
    'GE\0T http://plain.test/ HTTP/1.1\r\nHost: x\r\n\r\n',
    'POST http://plain.test/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ])('in bytes on the socket: %j', async (text) => {
    const { raw } = await open(sampleRules(['127.0.0.1/32']));
    const found = await raw(text);
    expect(found).toMatch(/^HTTP\/1\.1 400 [^]*FETCH_INVALID/);
  });

  test('upgrades are refused, and tunnels to what is no host and port', async () => {
    const { raw } = await open(sampleRules(['127.0.0.1/32']));
    expect(await raw('CONNECT plain.test:443/x HTTP/1.1\r\nHost: x\r\n\r\n')).toContain('FETCH_INVALID');
    expect(await raw('GET http://plain.test/ HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')).toContain(
      'FETCH_INVALID',
    );
    const { egress } = await open(sampleRules(['127.0.0.1/32']));
    expect(await egress('/relative')).toMatchObject({ status: 400, code: 'FETCH_INVALID' });
    expect(await egress('http://plain.test/', { method: 'TRACE' })).toMatchObject({ code: 'FETCH_INVALID' });
  });
});

test('38 headers that an app may not send, and those of a target that may not come back', async () => {
  let seen: NodeJS.Dict<string | string[]> = {};
  const port = await targets.http(({ headers }, response) => {
    seen = headers;
    response
      .writeHead(200, {
        'x-appengine-fetch-error': 'FETCH_FAILED',
        'proxy-authenticate': 'Basic',
        'keep-alive': 'timeout=9',
        'x-kept': '1',
      })
      .end();
  });
  const { egress, api } = await open(sampleRules(['127.0.0.1/32']));
  const headers = {
    host: 'evil.example',
    connection: 'x-hop, close',
    'x-hop': '1',
    te: 'trailers',
    via: '1.1 x',
    'proxy-authorization': 'Basic x',
    'proxy-connection': 'keep-alive',
    'x-appengine-inbound-appid': 'another',
    'x-appengine-user-id': '1',
    'x-forwarded-for': '1.2.3.4',
    'x-kept': '1',
    'user-agent': 'mine/1',
  };
  const kept = {
    host: `plain.test:${port}`,
    'cdn-loop': 'appengine; app=hello',
    'x-kept': '1',
    'user-agent': expect.stringMatching(/^mine\/1 AppEngine-Google; .*appid: s~hello\)$/),
  };
  const found = await egress(`http://plain.test:${port}/`, { headers });
  expect(seen).toEqual({ ...kept, connection: 'keep-alive', 'x-appengine-inbound-appid': 'hello' });
  expect(found).toMatchObject({ status: 200, code: undefined, headers: { 'x-kept': '1' } });
  expect(found.headers).not.toHaveProperty('proxy-authenticate');
  expect((await api(`http://plain.test:${port}/`, { headers })).headers).not.toHaveProperty('x-appengine-fetch-error');
  expect(seen).toEqual({ ...kept, connection: 'keep-alive', 'accept-encoding': 'gzip' });
});
