// security 60 and 62: the console's own origin, and what a forged session or token is worth there.
import request from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import { ConsoleAccess } from '../../admin-console/console-access.ts';
import { type ConsoleApis, createConsoleApp } from '../../admin-console/console-app.ts';
import { consolePages } from '../../admin-console/console-pages.ts';
import { MemorySecretFile } from '../../admin-console/secret-file.ts';
import { type SessionView } from '../../sdk/contract/admin/session.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';

const TOKEN = 'owner-token-of-the-test';
const HOST = '127.0.0.1:8000';
const ORIGIN = `http://${HOST}`;
const OWN_PAGE = { origin: ORIGIN, 'sec-fetch-site': 'same-origin' };
const CHANGE = '/api/v1/apps/guestbook/instances/ab12';

let time: VirtualTime;
let stopped: string[];
let client: ReturnType<typeof request>;
let session: { cookie: string; view: SessionView };

beforeEach(async () => {
  time = new VirtualTime(1_800_000_000_000);
  stopped = [];
  const apps = {
    status: () => ({}),
    apps: () => Promise.resolve([]),
    stopInstance: (_app: string, id: string) => {
      stopped.push(id);
      return Promise.resolve();
    },
  };
  const access = new ConsoleAccess({ codes: new MemorySecretFile(), sessions: new MemorySecretFile() }, time, systemRandom);
  const pages = consolePages('/nowhere', systemRandom);
  client = request(
    createConsoleApp({ apps } as unknown as ConsoleApis, systemTimers, new MemoryLog(), { ownerToken: TOKEN, access, pages }),
  );
  session = await signIn((await access.makeCode()).code);
});

async function signIn(code: string): Promise<{ cookie: string; view: SessionView }> {
  const answer = await client
    .post('/api/v1/sign-in')
    .set({ host: HOST, ...OWN_PAGE })
    .send({ code });
  return { cookie: answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '', view: answer.body as SessionView };
}

/** As the browser sends it for a page at `headers.origin`; a header set to '' is left out. */
async function change(headers: Record<string, string>): Promise<{ readonly status: number; readonly code: string | undefined }> {
  const all = { host: HOST, cookie: session.cookie, 'x-csrf-token': session.view.csrfToken, ...OWN_PAGE, ...headers };
  const answer = await client.delete(CHANGE).set(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== '')));
  return { status: answer.status, code: (answer.body as { error?: { code: string } }).error?.code };
}

describe('60 the console has an origin of its own', () => {
  it('lets its own page change things', async () => {
    expect(await change({})).toEqual({ status: 200, code: undefined });
    expect(await change({ 'sec-fetch-site': '' })).toMatchObject({ status: 200 });
    expect(await change({ origin: '' })).toMatchObject({ status: 200 });
    expect(stopped).toEqual(['ab12', 'ab12', 'ab12']);
  });

  it.each<[string, Record<string, string>]>([
    ['without the token', { 'x-csrf-token': '' }],
    ['with a wrong token', { 'x-csrf-token': 'a'.repeat(43) }],
    ['with a token of other length', { 'x-csrf-token': 'a' }],
    ['from another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['from another site, without Sec-Fetch-Site', { origin: 'https://evil.example', 'sec-fetch-site': '' }],
    ["from an app's page", { origin: 'http://guestbook.localhost:8080', 'sec-fetch-site': 'cross-site' }],
    ['from another port of this host', { origin: 'http://127.0.0.1:8080', 'sec-fetch-site': 'same-site' }],
    ['from another port, by an old browser', { origin: 'http://127.0.0.1:8080', 'sec-fetch-site': '' }],
    ['from a frame without an origin', { origin: 'null', 'sec-fetch-site': '' }],
    ['with a user name in the origin', { origin: `http://${HOST}@evil.example`, 'sec-fetch-site': '' }],
    ['with no word of where it comes from', { origin: '', 'sec-fetch-site': '' }],
    ['typed into the address bar', { origin: '', 'sec-fetch-site': 'none' }],
  ])('refuses a change %s', async (_, headers) => {
    expect(await change(headers)).toEqual({ status: 403, code: 'CSRF_REFUSED' });
    expect(stopped).toEqual([]);
  });

  it("refuses another session's token", async () => {
    const link = await client.post('/api/v1/sign-in-links').set({ host: HOST, authorization: `Bearer ${TOKEN}` });
    const other = await signIn((link.body as { url: string }).url.split('#code=')[1] ?? '');
    expect(other.view.csrfToken).toHaveLength(43);
    expect(await change({ 'x-csrf-token': other.view.csrfToken })).toEqual({ status: 403, code: 'CSRF_REFUSED' });
  });

  it('does not let another page sign its reader in', async () => {
    const link = await client.post('/api/v1/sign-in-links').set({ host: HOST, authorization: `Bearer ${TOKEN}` });
    const code = (link.body as { url: string }).url.split('#code=')[1] ?? '';
    const post = (headers: Record<string, string>): request.Test =>
      client
        .post('/api/v1/sign-in')
        .set({ host: HOST, ...headers })
        .send({ code });
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }] as Record<string, string>[]) {
      const answer = await post(headers);
      expect([answer.status, answer.headers['set-cookie']]).toEqual([403, undefined]);
    }
    expect((await post(OWN_PAGE)).status).toBe(200);
  });

  it('needs no CSRF token of a bearer, whom no browser sends by itself', async () => {
    expect((await client.delete(CHANGE).set({ host: HOST, authorization: `Bearer ${TOKEN}` })).status).toBe(200);
  });

  it.each(['/', '/api/v1/status', '/api/v1/apps', '/assets/x.js', '/nothing'])('sends security headers with %s', async (path) => {
    const { headers } = await client.get(path).set({ host: HOST });
    const policy = (headers['content-security-policy'] ?? '').split('; ');
    expect(policy).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "script-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "connect-src 'self'",
      ]),
    );
    expect(policy.join()).not.toMatch(/unsafe|\*|http:|https:|upgrade/);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
      'permissions-policy': expect.stringContaining('camera=()'),
    });
    expect(headers['access-control-allow-origin']).toBeUndefined();
    expect(headers['x-powered-by']).toBeUndefined();
  });

  it('answers no preflight, and no foreign host name', async () => {
    const preflight = await client
      .options(CHANGE)
      .set({ host: HOST, origin: 'https://evil.example', 'access-control-request-method': 'DELETE' });
    expect(preflight.headers['access-control-allow-origin']).toBeUndefined();
    expect((await client.get('/').set('host', 'evil.example')).status).toBe(421);
  });
});

describe('62 forged and expired sessions and tokens', () => {
  const asked = async (headers: Record<string, string>): Promise<number> =>
    (await client.get('/api/v1/apps').set({ host: HOST, ...headers })).status;

  it.each<[string, () => Record<string, string>]>([
    ['no cookie', () => ({})],
    ['a made-up session', () => ({ cookie: `appengine-console-8000=${'a'.repeat(43)}` })],
    ['a session with a letter changed', () => ({ cookie: `${session.cookie.slice(0, -1)}${session.cookie.endsWith('A') ? 'B' : 'A'}` })],
    ['a session with something behind it', () => ({ cookie: `${session.cookie}A` })],
    ['the session under another port', () => ({ cookie: session.cookie.replace('8000', '8001') })],
    ['the cookie twice', () => ({ cookie: `${session.cookie}; ${session.cookie}` })],
    ['the CSRF token as the session', () => ({ cookie: `appengine-console-8000=${session.view.csrfToken}` })],
    ['the owner token as the session', () => ({ cookie: `appengine-console-8000=${TOKEN}` })],
    ['the session as the owner token', () => ({ authorization: `Bearer ${session.cookie.split('=')[1] ?? ''}` })],
    ['a wrong token beside the right cookie', () => ({ cookie: session.cookie, authorization: 'Bearer wrong' })],
    ['an unsigned web token', () => ({ authorization: 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJvd25lciJ9.' })],
    ['a cookie header of 20 kB', () => ({ cookie: `${'x=y; '.repeat(2_500)}${session.cookie}` })],
  ])('are 401: %s', async (_, headers) => {
    expect(await asked(headers())).toBe(401);
  });

  it('are 401 once the session is over, and the right one is not', async () => {
    expect(await asked({ cookie: session.cookie })).toBe(200);
    expect(await asked({ cookie: `theme=dark; ${session.cookie}; x=1` })).toBe(200);
    time.advance(LIMITS.consoleSessionIdleMs);
    expect(await asked({ cookie: session.cookie })).toBe(401);
  });
});
