// Users of an app, as people meet them: accounts made by the command line, a browser with its cookies, a platform in its
// own processes, an app that asks who it serves.
import { spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Browser } from './browser-session.ts';
import { command, PlatformProcess, root, waitFor } from './platform-process.ts';

const SERVER = `
const { datastore, taskQueue, users } = require('appengine');
const noted = datastore.key('Noted', 'task');
require('node:http').createServer(async (request, response) => {
  const url = new URL(request.url, 'http://app');
  if (url.pathname === '/urls') {
    const failure = await users.loginUrl('//evil.example').catch((error) => error.code);
    response.end(JSON.stringify({ login: await users.loginUrl('/after'), logout: await users.logoutUrl('/bye'), failure }));
    return;
  }
  if (url.pathname === '/enqueue') {
    await taskQueue.add({ url: '/admin/task' });
    response.end('added');
    return;
  }
  if (url.pathname === '/admin/task') {
    const queue = request.headers['x-appengine-queuename'];
    if (queue) await datastore.put({ key: noted, properties: { queue, isAdmin: users.isAdmin(request) } });
    response.end('done');
    return;
  }
  if (url.pathname === '/noted') {
    response.end(JSON.stringify((await datastore.get(noted))?.properties ?? null));
    return;
  }
  response.end(JSON.stringify({ user: users.currentUser(request) ?? null, isAdmin: users.isAdmin(request), cookie: request.headers.cookie ?? null }));
}).listen(process.env.PORT);
`;
const APP_YAML = `runtime: nodejs20
handlers:
- url: /files
  static_dir: files
  login: required
- url: /account.*
  script: auto
  login: required
- url: /admin.*
  script: auto
  login: admin
- url: /api/.*
  script: auto
  login: required
  auth_fail_action: unauthorized
- url: /.*
  script: auto
`;

interface Seen {
  readonly user: { readonly email: string; readonly userId: string; readonly isAdmin: boolean } | null;
  readonly isAdmin: boolean;
  readonly cookie: string | null;
}

let app: string;
let platform: PlatformProcess;

/** A password goes in through a pipe. */
function account(password: string, ...args: readonly string[]): Promise<number | null> {
  const connection = ['--server', platform.consoleUrl, '--data-dir', platform.dataDirectory];
  const child = spawn(process.execPath, [command, 'accounts', ...args, '--password-stdin', ...connection], {
    cwd: root,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  child.stdin.end(`${password}\n`);
  return new Promise((resolve) => child.once('close', resolve));
}

beforeAll(async () => {
  app = await mkdtemp(join(tmpdir(), 'users-'));
  await mkdir(join(app, 'files'));
  await writeFile(join(app, 'app.yaml'), APP_YAML);
  await writeFile(join(app, 'server.js'), SERVER);
  await writeFile(join(app, 'files', 'plan.txt'), 'the secret plan');
  platform = await PlatformProcess.start();
  for (const id of ['shop', 'blog']) await platform.appengineJson('deploy', app, '--app', id);
  expect(await account('difference engine', 'add', 'ada@example.com', '--admin-of', 'blog')).toBe(0);
  expect(await account('analytical engine', 'add', 'root@example.com', '--admin-of', '*')).toBe(0);
});

afterAll(async () => {
  await platform.remove();
  await rm(app, { recursive: true });
});

const visit = (id: string): Browser => new Browser(platform.routerPort, `${id}.localhost`);

describe('a visitor', () => {
  test('is asked to sign in where app.yaml says so, files included', async () => {
    const browser = visit('shop');
    expect((await browser.get('/')).text).toContain('"user":null');
    for (const path of ['/account?tab=1', '/admin', '/files/plan.txt']) {
      const answer = await browser.get(path);
      expect([answer.status, answer.headers['location']], path).toEqual([302, `/_ah/login?continue=${encodeURIComponent(path)}`]);
    }
    const api = await browser.get('/api/items');
    expect([api.status, JSON.parse(api.text).error.code]).toEqual([401, 'LOGIN_REQUIRED']);
  });

  test('signs in and comes to the page that was asked for; an administrator of another app is none here', async () => {
    const browser = visit('shop');
    expect((await browser.signIn('ada@example.com', 'wrong engine')).status).toBe(401);
    const answer = await browser.signIn('Ada@Example.com', 'difference engine', '/account?tab=1');
    expect([answer.status, answer.headers['location']]).toEqual([303, '/account?tab=1']);
    const seen = JSON.parse((await browser.get('/account?tab=1')).text) as Seen;
    expect(seen).toMatchObject({ user: { email: 'ada@example.com', isAdmin: false }, isAdmin: false, cookie: null });
    expect(seen.user?.userId).toMatch(/^2\d{20}$/);
    expect((await browser.get('/files/plan.txt')).text).toBe('the secret plan');
    const refused = await browser.get('/admin');
    expect([refused.status, refused.text.includes('ADMIN_REQUIRED')]).toEqual([403, true]);

    const other = visit('blog');
    await other.signIn('ada@example.com', 'difference engine');
    expect(JSON.parse((await other.get('/admin')).text)).toMatchObject({ user: { userId: seen.user?.userId, isAdmin: true } });
    const [name, value] = [...other.cookies].find(([cookie]) => cookie.includes('session'))!;
    browser.cookies.clear();
    browser.cookies.set(name, value);
    expect((await browser.get('/account')).status).toBe(302);
  });

  test('signs out', async () => {
    const browser = visit('shop');
    await browser.signIn('root@example.com', 'analytical engine');
    expect((await browser.get('/admin')).status).toBe(200);
    const answer = await browser.signOut('/bye');
    expect([answer.status, answer.headers['location']]).toEqual([303, '/bye']);
    expect((await browser.get('/admin')).status).toBe(302);
  });

  test('stays signed in while router and control die and come back', async () => {
    const browser = visit('shop');
    await browser.signIn('root@example.com', 'analytical engine');
    for (const role of ['router', 'control']) {
      const pid = platform.rolePid(role)!;
      process.kill(pid, 'SIGKILL');
      await waitFor(`${role} to be back`, async () => {
        const answer = await browser.get('/admin').catch(() => undefined);
        // While it comes back: refused, or told to try again; never signed out.
        expect([undefined, 200, 503]).toContain(answer?.status);
        return platform.rolePid(role) !== undefined && platform.rolePid(role) !== pid && answer?.status === 200;
      });
    }
    await waitFor('the admin API to be back', async () => (await platform.appengine('accounts', 'list')).code === 0);
  });
});

describe('a change of the account', () => {
  const signedOut = (browser: Browser): Promise<true> =>
    waitFor('the session to end', async () => (await browser.get('/account')).status === 302, 10_000);

  test('ends its sessions: a new password, other rights, a deletion', async () => {
    const browser = visit('shop');
    expect(await account('first password', 'add', 'eve@example.com')).toBe(0);
    await browser.signIn('eve@example.com', 'first password');
    expect((await browser.get('/account')).status).toBe(200);
    expect(await account('second password', 'set', 'eve@example.com')).toBe(0);
    await signedOut(browser);
    expect((await browser.signIn('eve@example.com', 'first password')).status).toBe(401);

    await browser.signIn('eve@example.com', 'second password');
    await platform.appengineJson('accounts', 'set', 'eve@example.com', '--admin-of', 'shop');
    await signedOut(browser);
    await browser.signIn('eve@example.com', 'second password');
    await waitFor('the new session to count', async () => (await browser.get('/admin')).status === 200);

    await platform.appengineJson('accounts', 'delete', 'eve@example.com');
    await signedOut(browser);
    expect((await browser.signIn('eve@example.com', 'second password')).status).toBe(401);
    const { accounts } = await platform.appengineJson<{ accounts: { email: string }[] }>('accounts', 'list');
    expect(accounts.map(({ email }) => email)).toEqual(['ada@example.com', 'root@example.com']);
  });
});

test('a handler of tasks is open to the queue and to administrators, and to nobody else', async () => {
  const browser = visit('shop');
  const stranger = await browser.get('/admin/task');
  expect([stranger.status, stranger.headers['location']]).toEqual([302, '/_ah/login?continue=%2Fadmin%2Ftask']);
  expect((await browser.get('/enqueue')).text).toBe('added');
  await waitFor('the task to be done', async () => (await browser.get('/noted')).text !== 'null');
  expect(JSON.parse((await browser.get('/noted')).text)).toEqual({ queue: 'default', isAdmin: false });
});

test('the app learns where to send people', async () => {
  expect(JSON.parse((await platform.http('shop', '/urls')).text)).toEqual({
    login: '/_ah/login?continue=%2Fafter',
    logout: '/_ah/logout?continue=%2Fbye',
    failure: 'LOGIN_REDIRECT_REFUSED',
  });
});

test('the session key is secret, and passwords are nowhere in the clear', async () => {
  const key = join(platform.dataDirectory, 'credentials', 'session-key');
  expect(statSync(key).mode & 0o777).toBe(0o600);
  expect(readFileSync(key, 'utf8')).toMatch(/^[\w-]{43}\n$/);
  const { code } = await platform.appengine('accounts', 'list', '--json');
  expect(code).toBe(0);
  expect(platform.output).not.toContain('engine');
});

test('accounts outlive a restart, and so do sessions', async () => {
  const browser = visit('shop');
  await browser.signIn('root@example.com', 'analytical engine');
  await platform.stop();
  await platform.start();
  await waitFor('the session to count', async () => (await browser.get('/admin')).status === 200);
});
