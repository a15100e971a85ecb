// Hostile numbers 57, 58, 61 and 62: whoever is not who they claim to be, at an app that some may enter and others not.
// Number 59, cookies for the shared domain, stands in http-front.test.ts; what tasks say of themselves in tasks.test.ts.
import { request as httpRequest } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SessionTokens } from '../../router/session-token.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { HttpFront, statuses } from './http-front.ts';

const KEY = Buffer.alloc(32, 5);
const DAY_MS = 86_400_000;
const HANDLERS = [
  { kind: 'script', url: '/admin.*', login: 'admin' },
  { kind: 'script', url: '/task.*', login: 'admin', authFailAction: 'unauthorized' },
  { kind: 'script', url: '/api.*', login: 'required', authFailAction: 'unauthorized' },
  { kind: 'script', url: '/.*' },
] as const;

let front: HttpFront;
let time: VirtualTime;

beforeEach(async () => {
  time = new VirtualTime();
  front = await HttpFront.start({ version: { handlers: HANDLERS }, apps: ['hello', 'other'], clock: time, sessionKey: KEY });
  front.accounts.byEmail.set('ada@example.com', { userId: '11', email: 'ada@example.com', isAdmin: false, epoch: 1, password: 'p' });
  front.accounts.byEmail.set('root@example.com', { userId: '12', email: 'root@example.com', isAdmin: true, epoch: 1, password: 'p' });
  await front.app();
});

afterEach(() => front.close());

const ask = async (path: string, headers: Readonly<Record<string, string>> = {}, host = 'hello.localhost'): Promise<string> => {
  const lines = Object.entries({ Host: host, Connection: 'close', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return front.send(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
};
const statusOf = async (path: string, headers?: Readonly<Record<string, string>>, host?: string): Promise<number | undefined> =>
  statuses(await ask(path, headers, host))[0];

const token = (appId: string, changes: { email?: string; epoch?: number; expiresAtMs?: number } = {}, key = KEY): string => {
  const { email = 'root@example.com', epoch = 1, expiresAtMs = time.nowMs() + DAY_MS } = changes;
  const { userId, isAdmin } = front.accounts.byEmail.get(email)!;
  return new SessionTokens(key).seal(appId, { userId, email, isAdmin, epoch, expiresAtMs });
};
const session = (value: string): Record<string, string> => ({ Cookie: `appengine-session=${value}` });

/** By the entrance that only the platform's own user can reach. */
const asPlatform = (path: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const outgoing = httpRequest({ socketPath: front.platformSocket, path, headers: { host: 'hello.localhost' } }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });

describe('57 URLs of tasks and cron jobs', () => {
  it.each([
    {},
    { 'X-Appengine-Cron': 'true' },
    { 'X-Appengine-QueueName': 'default', 'X-Appengine-TaskName': 't1' },
    { 'x-appengine-queuename': 'default', X_AppEngine_QueueName: 'default' },
    { 'X-Google-Internal-SkipAdminCheck': 'true' },
    { 'X-Appengine-User-Is-Admin': '1', 'X-Appengine-User-Email': 'root@example.com', 'X-Appengine-User-Id': '12' },
    { 'X-Appengine-User-IP': '0.1.0.2', 'X-Forwarded-For': '0.1.0.2' },
    { 'User-Agent': 'AppEngine-Google; (+http://code.google.com/appengine)' },
  ])('57 are closed to nobody who claims %j', async (headers) => {
    expect(await statusOf('/task/run', headers)).toBe(401);
    expect(await statusOf('/admin/cron', headers)).toBe(302);
    expect(await statusOf('/task/run', { ...headers, ...session(token('hello', { email: 'ada@example.com' })) })).toBe(403);
    expect(front.seen).toHaveLength(0);
  });

  it('57 are open to the platform itself and to administrators', async () => {
    expect([await asPlatform('/task/run'), await asPlatform('/admin/cron')]).toEqual([200, 200]);
    expect(await statusOf('/task/run', session(token('hello')))).toBe(200);
  });
});

describe('58 a session cookie of another app', () => {
  it('58 is worthless, and one of this app is not', async () => {
    expect(await statusOf('/api/x', session(token('other')))).toBe(401);
    expect(await statusOf('/api/x', session(token('hello')), 'other.localhost')).toBe(401);
    expect(await statusOf('/api/x', session(token('hello')))).toBe(200);
    expect(await statusOf('/api/x', session(token('other')), 'other.localhost')).toBe(200);
  });

  it('58 is for one host alone: __Host-, Secure and without Domain where the connection is secure', async () => {
    await front.close();
    front = await HttpFront.start({ clock: time, sessionKey: KEY, trustedProxies: ['127.0.0.1'] });
    front.accounts.byEmail.set('ada@example.com', { userId: '11', email: 'ada@example.com', isAdmin: false, epoch: 1, password: 'p' });
    const https = { 'X-Forwarded-Proto': 'https', Origin: 'https://hello.localhost' };
    const page = await ask('/_ah/login', https);
    const [, nonce = ''] = /^Set-Cookie: (__Host-appengine-form=[^;]+);/im.exec(page) ?? [];
    const [, formToken = ''] = /name="form_token" value="([^"]+)"/.exec(page) ?? [];
    const form = `continue=%2F&email=ada%40example.com&password=p&form_token=${formToken}`;
    const lines = Object.entries({ ...https, Cookie: nonce, 'Content-Length': form.length }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    const type = 'Content-Type: application/x-www-form-urlencoded';
    const answer = await front.send(
      `POST /_ah/login HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n${type}\r\n${lines.join('')}\r\n${form}`,
    );
    expect(statuses(answer)).toEqual([303]);
    const cookies = [...`${page}${answer}`.matchAll(/^Set-Cookie: (.*?)\r$/gim)].map(([, cookie]) => cookie);
    expect(cookies.some((cookie) => cookie?.startsWith('__Host-appengine-session=v1.'))).toBe(true);
    for (const cookie of cookies) {
      expect(cookie).toMatch(/^__Host-[^]*; Path=\/;[^]*; HttpOnly;[^]*; Secure$/);
      expect(cookie).not.toMatch(/domain/i);
    }
  });

  it('58 does not reach the app that its own visitors sign in to', async () => {
    await ask('/', { Cookie: `a=1; appengine-session=${token('hello')}; b=2` });
    await ask('/', session(token('hello')));
    expect(front.seen.map(({ headers }) => headers.cookie)).toEqual(['a=1; b=2', undefined]);
    expect(JSON.stringify(front.seen)).not.toContain('appengine-session');
  });
});

describe('61 where a log-in goes on to', () => {
  it.each([
    '//evil.example/',
    '/\\evil.example/',
    '/%09/evil.example',
    'http://evil.example/',
    'https://hello.localhost.evil.example/',
    'http://hello.localhost@evil.example/',
    'javascript:alert(1)',
    '/.//evil.example',
    '/x\r\nSet-Cookie: a=b',
    '/x\r\n\r\n<script>',
  ])('61 %j is refused on the page, and in the form', async (target) => {
    for (const page of ['login', 'logout']) {
      const asked = target.startsWith('/%09') ? target : encodeURIComponent(target);
      const shown = await ask(`/_ah/${page}?continue=${asked}`);
      expect(statuses(shown)).toEqual([400]);
      expect(shown).toContain('LOGIN_REDIRECT_REFUSED');
      expect(shown).not.toMatch(/^(?:Location|Set-Cookie):/im);
      const form = `continue=${asked}&email=ada%40example.com&password=p`;
      const sent = await front.send(
        `POST /_ah/${page} HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\n\r\n${form}`,
      );
      expect(statuses(sent)).toEqual([400]);
    }
  });

  it.each(['//evil.example/admin', '///admin', '/admin//evil.example', 'http://evil.example/admin', '/\\evil.example'])(
    '61 a request for %s goes on to this host at most',
    async (target) => {
      const answer = await ask(target);
      for (const [, location = ''] of answer.matchAll(/^Location: (.*?)\r$/gim)) {
        expect(location).toMatch(/^\/_ah\/login\?continue=(%2F|%2F[^%].*)$/);
      }
    },
  );

  it('61 a host header does not turn a foreign address into an own one', async () => {
    const answer = await ask('/_ah/login?continue=http%3A%2F%2Fevil.example%2F', {}, 'evil.example');
    expect(statuses(answer)).toEqual([404]);
  });
});

describe('62 tokens that nobody issued', () => {
  it.each([
    ['empty', () => ''],
    ['words', () => 'root@example.com'],
    ['dev_appserver’s cookie', () => 'root@example.com:True:12'],
    ['a signature of another key', () => token('hello', {}, Buffer.alloc(32, 6))],
    ['no signature', () => token('hello').replace(/\.[^.]*$/, '.')],
    ['half a signature', () => token('hello').slice(0, -10)],
    ['an empty signature of full length', () => token('hello').replace(/[^.]*$/, 'A'.repeat(43))],
    [
      'the claims of another',
      () => {
        const [form, , mac] = token('hello', { email: 'ada@example.com' }).split('.');
        return [form, token('hello').split('.')[1], mac].join('.');
      },
    ],
    [
      'algorithm none',
      () => `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"u":"12","a":true}').toString('base64url')}.`,
    ],
    ['expired', () => token('hello', { expiresAtMs: time.nowMs() })],
    ['of before a change of the account', () => token('hello', { epoch: 0 })],
    ['of after one that never was', () => token('hello', { epoch: 2 })],
    ['10 kB', () => `v1.${'A'.repeat(10_000)}.${'A'.repeat(43)}`],
    ['a quoted one', () => `"${token('hello')}"`],
  ])('62 %s: signed out, 401 where it matters', async (_what, make) => {
    const headers = session(make());
    expect(await statusOf('/api/x', headers)).toBe(401);
    expect(await statusOf('/admin', headers)).toBe(302);
    expect(front.seen).toHaveLength(0);
    expect(await statusOf('/', headers)).toBe(200);
    expect(front.seen[0]?.headers).toMatchObject({ 'x-appengine-user-email': '', 'x-appengine-user-is-admin': '0' });
  });

  it('62 a token expires by itself', async () => {
    const headers = session(token('hello'));
    expect(await statusOf('/api/x', headers)).toBe(200);
    time.advance(DAY_MS);
    expect(await statusOf('/api/x', headers)).toBe(401);
  });

  it('62 a token of the secure cookie’s name does not count where the connection is not', async () => {
    expect(await statusOf('/api/x', { Cookie: `__Host-appengine-session=${token('hello')}` })).toBe(401);
  });

  it('62 tokens are compared in constant time', async () => {
    const { readFile } = await import('node:fs/promises');
    for (const file of ['session-token.ts', 'form-token.ts']) {
      const text = await readFile(new URL(`../../router/${file}`, import.meta.url), 'utf8');
      expect(text).toContain('timingSafeEqual(');
      expect(text).not.toMatch(/mac === |=== mac|digest\(.*\) ===/);
    }
  });
});
