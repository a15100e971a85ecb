// Signing in and out through a real router: sockets in front, one app behind.
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { systemClock, systemRandom, systemTimers } from '../sdk/support/clock.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { DevAccounts } from './dev-accounts.ts';
import { MemoryAccounts, MemoryBlobReader, MemoryInstanceSource, MemoryRequestLog, MemoryRouteTableSource } from './memory-ports.ts';
import { type Accounts, type HandlerSpec } from './ports.ts';
import { RouterServer } from './server.ts';

const KEY = Buffer.alloc(32, 3);
const HANDLERS: readonly HandlerSpec[] = [
  { kind: 'static-dir', url: '/private', directory: 'private', expirationSeconds: 600, login: 'required' },
  { kind: 'static-dir', url: '/public', directory: 'public', expirationSeconds: 600 },
  { kind: 'script', url: '/account.*', login: 'required' },
  { kind: 'script', url: '/api/.*', login: 'required', authFailAction: 'unauthorized' },
  { kind: 'script', url: '/admin.*', login: 'admin' },
  { kind: 'script', url: '/.*' },
];
const CONTENT = 'secret words';
const SHA = 'ab'.repeat(32);
const FILE = { sha256: SHA, bytes: CONTENT.length };

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let folder: string;
let app: Server;
let router: RouterServer;
let port: number;
let accounts: MemoryAccounts;
let requestLog: MemoryRequestLog;
/** Headers of the requests that reached the app. */
let seen: IncomingMessage['headers'][];

const start = async (using: Accounts = accounts, trustedProxies: readonly string[] = []): Promise<void> => {
  const version = { version: 'v1', deploymentId: 'd1', handlers: HANDLERS, files: { 'private/a.txt': FILE, 'public/a.txt': FILE } };
  const services = [{ service: 'default', split: { v1: 1 }, shardBy: 'ip', versions: [version] }] as const;
  const routes = new MemoryRouteTableSource({
    revision: 1,
    apps: [
      { appId: 'hello', services },
      { appId: 'other', services },
    ],
  });
  const blobs = new MemoryBlobReader();
  blobs.paths.set(SHA, join(folder, 'blob'));
  const instances = new MemoryInstanceSource(join(folder, 'app.sock'));
  router = new RouterServer(
    { routes, instances, requestLog, blobs, accounts: using },
    systemClock,
    systemTimers,
    systemRandom,
    new MemoryLog(),
    { domain: 'localhost', drainMs: 100, sessionKey: KEY, trustedProxies },
  );
  ({ port } = await router.start({ host: '127.0.0.1', port: 0 }));
};

/** A browser, as far as cookies go. */
class Browser {
  readonly cookies = new Map<string, string>();
  readonly host: string;

  constructor(host = 'hello.localhost') {
    this.host = host;
  }

  ask(path: string, options: { method?: string; headers?: Record<string, string>; form?: Record<string, string> } = {}): Promise<Answer> {
    const body = options.form && new URLSearchParams(options.form).toString();
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers: Record<string, string> = {
      host: this.host,
      ...(cookie === '' ? {} : { cookie }),
      ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body.length) }),
      ...options.headers,
    };
    const method = options.method ?? (body === undefined ? 'GET' : 'POST');
    return new Promise((resolve, reject) => {
      const request = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        for (const line of response.headers['set-cookie'] ?? []) {
          const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
          if (/Max-Age=0/.test(line)) this.cookies.delete(name);
          else this.cookies.set(name, value);
        }
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }),
        );
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  /** Loads the form, fills it in and sends it. */
  async signIn(email: string, password: string, continueTo = '/', extra: Record<string, string> = {}): Promise<Answer> {
    const page = await this.ask(`/_ah/login?continue=${encodeURIComponent(continueTo)}`);
    return this.ask('/_ah/login', { form: { ...hiddenFields(page.body), email, password, ...extra } });
  }
}

const hiddenFields = (html: string): Record<string, string> =>
  Object.fromEntries(
    [...html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)].map(([, name = '', value = '']) => [
      name,
      value.replaceAll('&amp;', '&').replaceAll('&lt;', '<').replaceAll('&quot;', '"').replaceAll('&#39;', "'"),
    ]),
  );

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sign-in-'));
  await writeFile(join(folder, 'blob'), CONTENT);
  seen = [];
  requestLog = new MemoryRequestLog();
  accounts = new MemoryAccounts();
  accounts.byEmail.set('ada@example.com', { userId: '11', email: 'ada@example.com', isAdmin: false, epoch: 1, password: 'difference' });
  accounts.byEmail.set('root@localhost', { userId: '12', email: 'root@localhost', isAdmin: true, epoch: 4, password: 'analytical' });
  app = createServer((request, response) => {
    seen.push(request.headers);
    request.resume();
    response.end('the app');
  });
  app.listen(join(folder, 'app.sock'));
  await once(app, 'listening');
});

afterEach(async () => {
  await router.close();
  app.closeAllConnections();
  app.close();
  await rm(folder, { recursive: true });
});

describe('a visitor who has not signed in', () => {
  beforeEach(() => start());

  it.each([
    ['/account?tab=1&x=%2F', 302],
    ['/admin/', 302],
    ['/private/a.txt', 302],
    ['/private/none.txt', 302],
    ['/api/x', 401],
    ['/', 200],
    ['/public/a.txt', 200],
  ])('asks for %s and gets %i', async (path, status) => {
    const answer = await new Browser().ask(path);
    expect(answer.status).toBe(status);
    expect(answer.body).not.toContain(status === 200 ? 'nothing' : CONTENT);
    if (status === 302) {
      expect(answer.headers.location).toBe(`/_ah/login?continue=${encodeURIComponent(path)}`);
      expect(answer.headers['cache-control']).toBe('no-store');
    }
    expect(seen).toHaveLength(path === '/' ? 1 : 0);
  });

  it('is nobody to the app, whatever the client claims', async () => {
    await new Browser().ask('/', {
      headers: { 'x-appengine-user-email': 'root@localhost', X_AppEngine_User_Is_Admin: '1', 'x-appengine-user-id': '12' },
    });
    expect(seen[0]).toMatchObject({
      'x-appengine-user-email': '',
      'x-appengine-user-id': '',
      'x-appengine-user-nickname': '',
      'x-appengine-user-organization': '',
      'x-appengine-auth-domain': 'localhost',
      'x-appengine-user-is-admin': '0',
    });
    expect(Object.keys(seen[0]!)).not.toContain('x_appengine_user_is_admin');
  });

  it('is sent to the log-in page on a POST as well, and the body goes nowhere', async () => {
    const answer = await new Browser().ask('/account', { form: { a: 'b' } });
    expect([answer.status, answer.headers.location, seen.length]).toEqual([302, '/_ah/login?continue=%2Faccount', 0]);
  });

  it('gets no WebSocket', async () => {
    const socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.write('GET /account HTTP/1.1\r\nHost: hello.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await once(socket, 'close');
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 302 Found\r\nLocation: \/_ah\/login\?continue=%2Faccount\r\n/);
    expect(seen).toHaveLength(0);
  });

  it.each(['/_ah/login', '/_AH/LOGIN', '//_ah//login', '/_ah/login/', '/_ah/login;x=1', '/%5fah/login'])(
    'gets %s from the platform, never from the app',
    async (path) => {
      const answer = await new Browser().ask(path);
      expect([answer.status, answer.headers['content-type'], seen.length]).toEqual([200, 'text/html; charset=utf-8', 0]);
      expect(answer.body).toContain('<h1>Sign in</h1>');
    },
  );

  it('gets a page without scripts, that nobody may frame or keep', async () => {
    const answer = await new Browser().ask('/_ah/login?continue=%2Fx%22%3E%3Cscript%3E');
    expect(answer.headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'$/,
    );
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['referrer-policy']).toBe('same-origin');
    expect(answer.body).not.toContain('<script');
    expect(answer.body).toContain('value="/x%22%3E%3Cscript%3E"');
  });

  it.each(['PUT', 'DELETE', 'OPTIONS'])('may not %s the log-in page', async (method) => {
    const answer = await new Browser().ask('/_ah/login', { method });
    expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, HEAD, POST']);
  });
});

describe('signing in', () => {
  beforeEach(() => start());

  it('goes on to where the visitor came from, with who it is in the headers', async () => {
    const browser = new Browser();
    const answer = await browser.signIn('ada@example.com', 'difference', '/account?tab=1');
    expect([answer.status, answer.headers.location]).toEqual([303, '/account?tab=1']);
    const [cookie] = answer.headers['set-cookie'] ?? [];
    expect(cookie).toMatch(/^appengine-session=v1\.[\w.-]+; Path=\/; Max-Age=86400; HttpOnly; SameSite=Lax$/);
    const page = await browser.ask('/account?tab=1', {
      headers: { cookie: `theme=dark; appengine-session=${browser.cookies.get('appengine-session')}` },
    });
    expect(page.body).toBe('the app');
    expect(seen[0]).toMatchObject({
      'x-appengine-user-email': 'ada@example.com',
      'x-appengine-user-id': '11',
      'x-appengine-user-nickname': 'ada@example.com',
      'x-appengine-user-is-admin': '0',
      cookie: 'theme=dark',
    });
    expect(accounts.forms[0]).toMatchObject({ appId: 'hello', clientAddress: '127.0.0.1' });
    expect((await requestLog.atLeast(3)).every((row) => row.appId === 'hello')).toBe(true);
  });

  it('lets a user into what is for users, an administrator into all', async () => {
    const [user, admin] = [new Browser(), new Browser()];
    await user.signIn('ada@example.com', 'difference');
    await admin.signIn('root@localhost', 'analytical');
    for (const [path, asUser, asAdmin] of [
      ['/account', 200, 200],
      ['/api/x', 200, 200],
      ['/admin/x', 403, 200],
      ['/private/none.txt', 404, 404],
    ] as const) {
      expect([(await user.ask(path)).status, (await admin.ask(path)).status], path).toEqual([asUser, asAdmin]);
    }
    expect((await user.ask('/admin/x')).body).toContain('ADMIN_REQUIRED');
    expect(seen.at(-1)).toMatchObject({ 'x-appengine-user-nickname': 'root', 'x-appengine-user-is-admin': '1' });
  });

  it('keeps files behind a log-in out of shared caches', async () => {
    const browser = new Browser();
    await browser.signIn('ada@example.com', 'difference');
    const answer = await browser.ask('/private/a.txt');
    expect([answer.body, answer.headers['cache-control']]).toEqual([CONTENT, 'private, no-cache']);
    expect((await browser.ask('/public/a.txt')).headers['cache-control']).toBe('public, max-age=600');
    const fresh = await browser.ask('/private/a.txt', { headers: { 'if-none-match': answer.headers.etag! } });
    expect(fresh.status).toBe(304);
    expect((await new Browser().ask('/private/a.txt', { headers: { 'if-none-match': answer.headers.etag! } })).status).toBe(302);
  });

  it.each([
    ['ada@example.com', 'wrong'],
    ['nobody@example.com', 'difference'],
    ['', ''],
  ])('says the same of %j with %j', async (email, password) => {
    const browser = new Browser();
    const answer = await browser.signIn(email, password, '/account');
    expect(answer.status).toBe(401);
    expect(answer.body).toContain('role="alert">The e-mail address or the password is wrong.');
    expect(answer.body).toContain(`value="${email}"`);
    expect(browser.cookies.has('appengine-session')).toBe(false);
    expect(hiddenFields(answer.body)['continue']).toBe('/account');
  });

  it('says when there were too many tries, and fails as a whole when the accounts are away', async () => {
    accounts.failure = new PlatformError('LOGIN_TOO_OFTEN');
    const often = await new Browser().signIn('ada@example.com', 'difference');
    expect([often.status, often.headers['retry-after']]).toEqual([429, '60']);
    accounts.failure = new PlatformError('RPC_UNAVAILABLE');
    expect((await new Browser().signIn('ada@example.com', 'difference')).status).toBe(503);
  });

  it('takes a form only from its own page, in the browser that loaded it', async () => {
    const browser = new Browser();
    const page = await browser.ask('/_ah/login');
    const form = { ...hiddenFields(page.body), email: 'ada@example.com', password: 'difference' };
    const post = (headers: Record<string, string>, changes: Record<string, string> = {}): Promise<Answer> =>
      browser.ask('/_ah/login', { form: { ...form, ...changes }, headers });
    for (const refused of [
      post({ origin: 'http://evil.example' }),
      post({ origin: 'null' }),
      post({ origin: 'http://other.localhost' }),
      post({ 'sec-fetch-site': 'cross-site' }),
      post({ 'sec-fetch-site': 'same-site' }),
      post({ cookie: 'a=b' }),
      post({ cookie: `appengine-form=${'0'.repeat(32)}` }),
      post({}, { form_token: '' }),
      post({}, { form_token: `9999999999999.${'A'.repeat(43)}` }),
      post({ 'content-type': 'text/plain' }),
    ]) {
      const answer = await refused;
      expect(answer.status).toBe(403);
      expect(answer.headers['set-cookie']?.join()).not.toContain('appengine-session');
    }
    expect(accounts.forms).toHaveLength(0);
    expect((await post({ origin: 'http://hello.localhost', 'sec-fetch-site': 'same-origin' })).status).toBe(303);
  });

  it('refuses a form of another app, and a body without end', async () => {
    const other = new Browser('other.localhost');
    const page = await other.ask('/_ah/login');
    const form = { ...hiddenFields(page.body), email: 'ada@example.com', password: 'difference' };
    const nonce = other.cookies.get('appengine-form')!;
    const answer = await new Browser().ask('/_ah/login', { form, headers: { cookie: `appengine-form=${nonce}` } });
    expect(answer.status).toBe(403);
    const long = await new Browser().ask('/_ah/login', { form: { email: 'x'.repeat(LIMITS.loginBodyBytesMax) } });
    expect([long.status, long.headers.connection]).toEqual([413, 'close']);
  });

  it('ends with a change of the account, and waits while the accounts are not known', async () => {
    const browser = new Browser();
    await browser.signIn('ada@example.com', 'difference');
    expect((await browser.ask('/account')).status).toBe(200);
    accounts.failure = new PlatformError('ROUTE_STARTING');
    expect((await browser.ask('/account')).status).toBe(503);
    expect((await new Browser().ask('/')).status).toBe(200);
    accounts.failure = undefined;
    accounts.byEmail.set('ada@example.com', { ...accounts.byEmail.get('ada@example.com')!, epoch: 2 });
    expect((await browser.ask('/account')).status).toBe(302);
    accounts.byEmail.delete('ada@example.com');
    expect((await browser.ask('/account')).status).toBe(302);
  });
});

describe('over https, as a trusted proxy says', () => {
  it('the cookie is bound to the host by its name', async () => {
    await start(accounts, ['127.0.0.1']);
    const https = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.9' };
    const browser = new Browser();
    const page = await browser.ask('/_ah/login', { headers: https });
    const answer = await browser.ask('/_ah/login', {
      form: { ...hiddenFields(page.body), email: 'ada@example.com', password: 'difference' },
      headers: { ...https, origin: 'https://hello.localhost' },
    });
    expect(answer.headers['set-cookie']?.[0]).toMatch(
      /^__Host-appengine-session=.*; Path=\/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure$/,
    );
    expect(accounts.forms[0]?.clientAddress).toBe('192.0.2.9');
    expect((await browser.ask('/account', { headers: https })).status).toBe(200);
    const plain = browser.cookies.get('__Host-appengine-session');
    expect((await browser.ask('/account', { headers: { ...https, cookie: `appengine-session=${plain}` } })).status).toBe(302);
  });
});

describe('signing out', () => {
  let browser: Browser;

  beforeEach(async () => {
    await start();
    browser = new Browser();
    await browser.signIn('ada@example.com', 'difference');
  });

  it.each(['same-origin', 'none'])('takes a link from %s at its word', async (site) => {
    const answer = await browser.ask('/_ah/logout?continue=/bye', { headers: { 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate' } });
    expect([answer.status, answer.headers.location, browser.cookies.has('appengine-session')]).toEqual([302, '/bye', false]);
    expect((await browser.ask('/account')).status).toBe(302);
  });

  it.each([
    {},
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
    { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'no-cors' },
  ])('asks first when a link may not be the visitor’s wish: %j', async (headers) => {
    const page = await browser.ask('/_ah/logout?continue=/bye', { headers: headers });
    expect([page.status, browser.cookies.has('appengine-session')]).toEqual([200, true]);
    expect(page.body).toContain('You are signed in as ada@example.com');
    const forged = await browser.ask('/_ah/logout', { form: { continue: '/bye' } });
    expect([forged.status, browser.cookies.has('appengine-session')]).toEqual([403, true]);
    const answer = await browser.ask('/_ah/logout', { form: hiddenFields(page.body) });
    expect([answer.status, answer.headers.location, browser.cookies.has('appengine-session')]).toEqual([303, '/bye', false]);
  });
});

describe('a development server', () => {
  beforeEach(() => start(new DevAccounts()));

  it('signs in any address, as an administrator where wanted', async () => {
    const browser = new Browser();
    const page = await browser.ask('/_ah/login?continue=/admin');
    expect(page.body).toContain('name="admin"');
    expect(page.body).not.toContain('type="password"');
    expect((await browser.signIn('Test@Example.com', '', '/')).status).toBe(303);
    expect((await browser.ask('/admin')).status).toBe(403);
    expect((await browser.signIn('test@example.com', '', '/', { admin: '1' })).status).toBe(303);
    expect((await browser.ask('/admin')).status).toBe(200);
    expect(seen[0]).toMatchObject({ 'x-appengine-user-email': 'test@example.com', 'x-appengine-user-is-admin': '1' });
    expect(seen[0]?.['x-appengine-user-id']).toMatch(/^1\d{20}$/);
  });

  it('gives sessions that are worth nothing to a server with accounts', async () => {
    const browser = new Browser();
    await browser.signIn('ada@example.com', '', '/', { admin: '1' });
    await router.close();
    await start(accounts);
    expect((await browser.ask('/account')).status).toBe(302);
  });

  it('refuses what is no address', async () => {
    expect((await new Browser().signIn('no address', '')).status).toBe(401);
  });
});
