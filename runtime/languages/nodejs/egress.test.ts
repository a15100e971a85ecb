import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { systemTimers } from '../../../sdk/support/clock.ts';
import { MemoryUsageMeter, type QuotaGate } from '../../api/usage-meter.ts';
import { FetchBroker } from '../../services/url-fetch/broker.ts';
import { EgressServer } from '../../services/url-fetch/egress-server.ts';
import { SAMPLE_CERTIFICATE } from '../../services/url-fetch/sample-certificate.ts';
import { sampleResolver, sampleRules, SampleTargets } from '../../services/url-fetch/sample-targets.ts';

const preload = join(import.meta.dirname, 'preload.cjs');
const targets = new SampleTargets();
const meter = new MemoryUsageMeter();
let overQuota = false;
const gate: QuotaGate = {
  check: () => {
    if (overQuota) throw new PlatformError('QUOTA_EXCEEDED', 'urlFetchCalls');
  },
};
let directory: string;
let broker: FetchBroker;
let egress: EgressServer;
let plain: number;
let secure: number;
/** Resolves when the target sees that a client went away in the middle of `/endless`. */
let onAborted: () => void = () => undefined;
/** What `/endless` has written. */
let sentBytes = 0;
/** Answers `/released`. */
let release: () => unknown = () => undefined;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'egress-'));
  plain = await targets.http(answer);
  secure = await targets.https(answer);
  broker = new FetchBroker(sampleResolver, sampleRules(['127.0.0.0/8']), meter, systemTimers, { authorities: [SAMPLE_CERTIFICATE] });
  egress = new EgressServer(
    join(directory, 'egress.sock'),
    { id: '1', appId: 'hello', service: 'default', version: 'v1' },
    broker,
    gate,
    meter,
  );
  await egress.start();
});
afterAll(async () => {
  await egress.close();
  await broker.close();
  await targets.close();
  rmSync(directory, { recursive: true, force: true });
});

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? '/', 'http://x');
  switch (pathname) {
    case '/redirect':
      response.writeHead(302, { location: '/echo?redirected' }).end();
      return;
    case '/missing':
      response.writeHead(404).end('no such page');
      return;
    case '/silent':
      return;
    case '/released':
      release = () => response.end('{}');
      return;
    case '/endless': {
      response.once('close', () => {
        onAborted();
      });
      const more = (): void => {
        do {
          if (response.destroyed) return;
          sentBytes += 65_536;
        } while (response.write(Buffer.alloc(65_536)));
        response.once('drain', more);
      };
      more();
      return;
    }
    default: {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        const { method, url, headers } = request;
        response.setHeader('Content-Type', 'application/json');
        response.setHeader('Set-Cookie', ['a=1', 'b=2']);
        response.end(JSON.stringify({ method, url, headers, body: body.length > 100 ? body.length : body }));
      });
    }
  }
}

/** Runs a program under the preload; resolves with what it printed, as JSON. `HTTP` and `HTTPS` are the targets' origins. */
function run(code: string, variables: Record<string, string> = {}): Promise<unknown> {
  const program = join(directory, `app-${Math.random().toString(36).slice(2)}.mjs`);
  writeFileSync(
    program,
    `import http from 'node:http'; import https from 'node:https'; import { once } from 'node:events';
     const HTTP = 'http://plain.test:${plain}', HTTPS = 'https://secure.test:${secure}';
     const text = async (response) => { let all = ''; for await (const chunk of response.setEncoding('utf8')) all += chunk; return all; };
     const said = async (request) => { const [response] = await once(request, 'response'); return { status: response.statusCode, ...JSON.parse(await text(response)) }; };
     const print = (value) => console.log(JSON.stringify(value));
     ${code}`,
  );
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env['PATH'], NODE_OPTIONS: `--require=${preload}`, APPENGINE_SOCKETS: directory, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return new Promise((resolve, reject) => {
    let out = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors += chunk));
    child.once('close', (exitCode) => {
      try {
        resolve(JSON.parse(out));
      } catch {
        reject(new Error(`exited with ${String(exitCode)}: ${out}${errors}`));
      }
    });
  });
}

describe('an unmodified app reaches the outside by', () => {
  it.each([
    ['http.get with a URL', `print(await said(http.get(HTTP + '/echo?a=%20b')))`],
    ['http.get with a URL object and options', `print(await said(http.get(new URL(HTTP + '/echo?a=%20b'), { headers: { 'x-a': '1' } })))`],
    [
      'http.request with options',
      `const r = http.request({ host: 'plain.test', port: \${PORT}, path: '/echo?a=%20b' }); r.end(); print(await said(r))`,
    ],
    ['a named import', `const { get } = await import('node:http'); print(await said(get(HTTP + '/echo?a=%20b')))`],
    ['no agent', `print(await said(http.get(HTTP + '/echo?a=%20b', { agent: false })))`],
    [
      'an agent of its own',
      `const agent = new http.Agent({ keepAlive: true, maxSockets: 1 }); await said(http.get(HTTP, { agent })); print(await said(http.get(HTTP + '/echo?a=%20b', { agent }))); agent.destroy();`,
    ],
    ['https.get', `print(await said(https.get(HTTPS + '/echo?a=%20b')))`],
    [
      'https with an agent',
      `const agent = new https.Agent({ keepAlive: true }); print(await said(https.get(HTTPS + '/echo?a=%20b', { agent }))); agent.destroy();`,
    ],
    ['fetch', `const r = await fetch(HTTP + '/echo?a=%20b'); print({ status: r.status, ...await r.json() })`],
    ['fetch of https', `const r = await fetch(HTTPS + '/echo?a=%20b'); print({ status: r.status, ...await r.json() })`],
    ['a Request', `const r = await fetch(new Request(HTTPS + '/echo?a=%20b')); print({ status: r.status, ...await r.json() })`],
    [
      'the npm package undici',
      `const undici = await import(${JSON.stringify(import.meta.resolve('undici'))}); const r = await undici.request(HTTPS + '/echo?a=%20b'); print({ status: r.statusCode, ...await r.body.json() })`,
    ],
  ])('%s', async (_way, code) => {
    const found = await run(code.replace('${PORT}', String(plain)));
    expect(found).toMatchObject({ status: 200, method: 'GET', url: '/echo?a=%20b' });
    const { headers } = found as { headers: Record<string, string> };
    expect(headers['host']).toMatch(/^(plain\.test|secure\.test):\d+$/);
    expect(headers['user-agent']).toContain('AppEngine-Google; (+http://code.google.com/appengine; appid: s~hello)');
  });

  it.each([
    [
      'http',
      'text',
      `const r = http.request(HTTP + '/echo', { method: 'POST', headers: { 'content-type': 'text/plain' } }); r.end('hello'); print(await said(r))`,
    ],
    [
      'https',
      'chunks',
      `const r = https.request(HTTPS + '/echo', { method: 'POST' }); r.write('hel'); setImmediate(() => r.end('lo')); print(await said(r))`,
    ],
    [
      'http',
      'Expect',
      `const r = http.request(HTTP + '/echo', { method: 'POST', headers: { expect: '100-continue', 'content-length': 5 } }); r.on('continue', () => r.end('hello')); print(await said(r))`,
    ],
    [
      'http',
      'headers as an array',
      `const r = http.request(HTTP + '/echo', { method: 'POST', headers: ['Content-Length', '5', 'Host', 'plain.test'] }); r.end('hello'); print(await said(r))`,
    ],
    ['fetch', 'text', `const r = await fetch(HTTP + '/echo', { method: 'POST', body: 'hello' }); print(await r.json())`],
    [
      'fetch',
      'a stream',
      `const r = await fetch(HTTPS + '/echo', { method: 'POST', duplex: 'half', body: new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode('hello')); c.close(); } }) }); print(await r.json())`,
    ],
  ])('%s sends a body as %s', async (_client, _form, code) => {
    expect(await run(code)).toMatchObject({ method: 'POST', url: '/echo', body: 'hello' });
  });
});

describe('outside of an app', () => {
  it('leaves redirects to the client of the app: fetch follows, http does not', async () => {
    const found = await run(`
      const followed = await fetch(HTTP + '/redirect'); const { url } = await followed.json();
      const [plain] = await once(http.get(HTTP + '/redirect'), 'response'); plain.resume();
      print({ url, finalUrl: followed.url, redirected: followed.redirected, status: plain.statusCode, location: plain.headers.location });`);
    expect(found).toEqual({
      url: '/echo?redirected',
      finalUrl: `http://plain.test:${plain}/echo?redirected`,
      redirected: true,
      status: 302,
      location: '/echo?redirected',
    });
  });

  it('passes an answer with an error status and several cookies on as they are', async () => {
    const found = await run(`
      const missing = await fetch(HTTP + '/missing'); const cookies = (await fetch(HTTP + '/echo')).headers.getSetCookie();
      print({ status: missing.status, text: await missing.text(), cookies });`);
    expect(found).toEqual({ status: 404, text: 'no such page', cookies: ['a=1', 'b=2'] });
  });

  it.each([
    ['http', `http.get('http://10.0.0.1/').on('error', ({ code, message }) => print({ code, message }))`],
    ['fetch', `await fetch('http://10.0.0.1/').catch(({ name, cause: { code, message } }) => print({ name, code, message }))`],
    [
      'a POST',
      `const r = http.request('http://10.0.0.1/', { method: 'POST' }).on('error', ({ code, message }) => print({ code, message })); r.end('x'.repeat(1e6))`,
    ],
    ['https', `https.get('https://[fd00::1]/').on('error', ({ code, message }) => print({ code, message }))`],
  ])('is an Error with a code for %s where the platform refuses', async (_client, code) => {
    expect(await run(code)).toMatchObject({ code: 'FETCH_ADDRESS_REFUSED', message: expect.stringContaining('is not a public address') });
  });

  it('is an Error with a code where nobody answers, the certificate is wrong, or the quota is used up', async () => {
    const code = (url: string): string =>
      `http${url.startsWith('https') ? 's' : ''}.get('${url}').on('error', (e) => print({ code: e.code, message: e.message }))`;
    expect(await run(code('http://nobody.invalid/'))).toMatchObject({ code: 'FETCH_FAILED' });
    expect(await run(code(`https://other.test:${secure}/`))).toMatchObject({
      code: 'FETCH_FAILED',
      message: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
    });
    overQuota = true;
    try {
      expect(await run(code(`http://plain.test:${plain}/`))).toMatchObject({ code: 'QUOTA_EXCEEDED' });
    } finally {
      overQuota = false;
    }
  });

  it('keeps the timeouts of the app', async () => {
    const found = await run(`
      const r = http.get(HTTP + '/silent', { timeout: 100 }); await once(r, 'timeout'); r.destroy(); r.on('error', () => {});
      const agent = new http.Agent({ timeout: 100 }); const s = http.get(HTTP + '/silent', { agent }); await once(s, 'timeout'); s.destroy(); s.on('error', () => {});
      const error = await fetch(HTTP + '/silent', { signal: AbortSignal.timeout(100) }).catch((e) => e);
      print({ name: error.name });`);
    expect(found).toEqual({ name: 'TimeoutError' });
  });

  it.each([
    ['http', `const [r] = await once(http.get(HTTP + '/endless'), 'response'); r.once('data', () => { r.destroy(); print(1); })`],
    [
      'fetch',
      `const c = new AbortController(); const r = await fetch(HTTP + '/endless', { signal: c.signal }); await r.body.getReader().read(); c.abort(); print(1)`,
    ],
  ])('a target learns that the client went away: %s', async (_client, code) => {
    const aborted = new Promise<void>((resolve) => (onAborted = resolve));
    await run(code);
    await aborted;
  });

  it('an answer that the app does not read is not read from the target either', async () => {
    sentBytes = 0;
    const found = run(
      `const [r] = await once(http.get(HTTP + '/endless'), 'response'); await once(r, 'readable'); await said(http.get(HTTP + '/released')); print(1); process.exit()`,
    );
    let before = -1;
    await expect.poll(() => sentBytes > 0 && before === (before = sentBytes), { interval: 200, timeout: 15_000 }).toBe(true);
    expect(sentBytes).toBeLessThan(16 * 2 ** 20);
    release();
    await found;
  });

  it('leaves sockets and the loopback inside as they are', async () => {
    const found = await run(`
      import { createServer } from 'node:http';
      const server = createServer((request, response) => response.end('inside ' + request.url)).listen(0, '127.0.0.1'); await once(server, 'listening');
      const { port } = server.address();
      const local = createServer((request, response) => response.end('socket ' + request.url)).listen(process.env.APPENGINE_SOCKETS + '/local.sock'); await once(local, 'listening');
      const [a] = await once(http.get('http://127.0.0.1:' + port + '/a'), 'response');
      const [b] = await once(http.get({ socketPath: process.env.APPENGINE_SOCKETS + '/local.sock', path: '/b' }), 'response');
      const c = await fetch('http://127.0.0.1:' + port + '/c');
      print([await text(a), await text(b), await c.text()]); process.exit();`);
    expect(found).toEqual(['inside /a', 'socket /b', 'inside /c']);
  });

  it('waits for a platform that starts anew', async () => {
    await egress.close();
    const asks = join(directory, 'asks');
    const found = run(
      `import { writeFileSync } from 'node:fs'; const r = http.get(HTTP + '/echo'); writeFileSync(${JSON.stringify(asks)}, ''); print(await said(r))`,
    );
    await expect.poll(() => existsSync(asks), { timeout: 15_000 }).toBe(true);
    await egress.start();
    expect(await found).toMatchObject({ status: 200 });
  });

  it('keeps connections and limits of an agent', async () => {
    const found = await run(`
      const agent = new http.Agent({ keepAlive: true, maxSockets: 2 }); let sockets = new Set();
      await Promise.all(Array.from({ length: 10 }, async () => { const r = http.get(HTTP + '/echo', { agent }); r.once('socket', (s) => sockets.add(s)); await said(r); }));
      agent.destroy(); print({ sockets: sockets.size });`);
    expect(found).toEqual({ sockets: 2 });
  });

  it('is counted: a call each, and the bytes of both bodies', async () => {
    meter.totals.clear();
    await run(`const r = await fetch(HTTP + '/missing', { method: 'POST', body: 'hello' }); await r.text(); print(1)`);
    await expect.poll(() => meter.totals.get('hello')?.urlFetchBytes).toBe('hello'.length + 'no such page'.length);
    expect(meter.totals.get('hello')).toMatchObject({ urlFetchCalls: 1, cpuMegacycles: 5 });
  });

  it('does not touch a dispatcher that the app chose', async () => {
    const undici = JSON.stringify(import.meta.resolve('undici'));
    const found = await run(`
      const { MockAgent, setGlobalDispatcher } = await import(${undici});
      const mock = new MockAgent(); mock.disableNetConnect(); setGlobalDispatcher(mock);
      mock.get('http://mocked.test').intercept({ path: '/' }).reply(200, 'mocked');
      print(await (await fetch('http://mocked.test/')).text());`);
    expect(found).toBe('mocked');
  });
});
