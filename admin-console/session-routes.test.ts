import request from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import { type SessionView } from '../sdk/contract/admin/session.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { systemClock, systemRandom, systemTimers } from '../sdk/support/clock.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { ConsoleAccess } from './console-access.ts';
import { type ConsoleApis, createConsoleApp } from './console-app.ts';
import { MemorySecretFile } from './secret-file.ts';

const TOKEN = 'owner-token-of-the-test';
const HOST = '127.0.0.1:8000';
const BEARER = { authorization: `Bearer ${TOKEN}`, host: HOST };
const OWN_PAGE = { host: HOST, origin: `http://${HOST}`, 'sec-fetch-site': 'same-origin' };

/** Of the apps only what these tests ask. */
const apis = {
  apps: { status: () => ({}), apps: () => Promise.resolve([]), stopInstance: () => Promise.resolve() },
} as unknown as ConsoleApis;

let client: ReturnType<typeof request>;

beforeEach(() => {
  const access = new ConsoleAccess({ codes: new MemorySecretFile(), sessions: new MemorySecretFile() }, systemClock, systemRandom);
  client = request(createConsoleApp(apis, systemTimers, new MemoryLog(), { ownerToken: TOKEN, access }));
});

async function newCode(headers: Record<string, string> = BEARER): Promise<string> {
  const answer = await client.post('/api/v1/sign-in-links').set(headers);
  expect(answer.status).toBe(200);
  return (answer.body as { url: string }).url.split('#code=')[1] ?? '';
}

async function signIn(headers: Record<string, string> = OWN_PAGE): Promise<{ cookie: string; attributes: string; view: SessionView }> {
  const answer = await client
    .post('/api/v1/sign-in')
    .set(headers)
    .send({ code: await newCode() });
  expect(answer.status).toBe(200);
  const [pair = '', ...attributes] = (answer.headers['set-cookie']?.[0] ?? '').split('; ');
  return { cookie: pair, attributes: attributes.join('; '), view: answer.body as SessionView };
}

describe('signing in', () => {
  it('takes a code and sets a cookie that scripts and other sites cannot use', async () => {
    const { cookie, attributes, view } = await signIn();
    expect(cookie).toMatch(/^appengine-console-8000=[\w-]{43}$/);
    expect(attributes).toBe('Max-Age=43200; Path=/; HttpOnly; SameSite=Strict');
    expect(view).toEqual({ user: 'owner', csrfToken: expect.stringMatching(/^[\w-]{43}$/), expiresAtMs: expect.any(Number) });
    const session = await client.get('/api/v1/session').set({ ...OWN_PAGE, cookie });
    expect([session.status, session.body, session.headers['cache-control']]).toEqual([200, view, 'no-store']);
    expect((await client.get('/api/v1/apps').set({ host: HOST, cookie })).body).toEqual({ apps: [] });
  });

  it('sets a cookie bound to the host and to TLS when the browser came by https', async () => {
    const headers = { host: 'console.localhost', 'x-forwarded-proto': 'https', origin: 'https://console.localhost' };
    const access = new ConsoleAccess({ codes: new MemorySecretFile(), sessions: new MemorySecretFile() }, systemClock, systemRandom);
    const options = { ownerToken: TOKEN, access, hostNames: ['console.localhost'] };
    client = request(createConsoleApp(apis, systemTimers, new MemoryLog(), options));
    const link = await client.post('/api/v1/sign-in-links').set({ ...headers, authorization: `Bearer ${TOKEN}` });
    expect((link.body as { url: string }).url).toMatch(/^https:\/\/console\.localhost\/sign-in#code=/);
    const { cookie, attributes } = await signIn(headers);
    expect(cookie).toMatch(/^__Host-appengine-console=/);
    expect(attributes).toBe('Max-Age=43200; Path=/; HttpOnly; SameSite=Strict; Secure');
    expect((await client.get('/api/v1/session').set({ ...headers, cookie })).status).toBe(200);
  });

  it('refuses a used code, a body that is none, and too many tries', async () => {
    const code = await newCode();
    const post = (body: object): request.Test => client.post('/api/v1/sign-in').set(OWN_PAGE).send(body);
    expect((await post({ code })).status).toBe(200);
    const used = await post({ code });
    expect([used.status, used.body.error.code]).toEqual([401, 'SIGN_IN_CODE_INVALID']);
    expect(used.headers['set-cookie']).toBeUndefined();
    for (const body of [{}, { code: 7 }, { code, more: 1 }]) expect((await post(body)).body.error.code).toBe('INVALID_ARGUMENT');
    const form = await client.post('/api/v1/sign-in').set(OWN_PAGE).type('form').send({ code });
    expect(form.body.error.code).toBe('INVALID_ARGUMENT');
    for (let count = 1; count < LIMITS.signInFailuresMax; count++) await post({ code: 'wrong' });
    const tooOften = await post({ code: await newCode() });
    expect([tooOften.status, tooOften.body.error.code]).toEqual([429, 'LOGIN_TOO_OFTEN']);
  });

  it('makes links for the bearer of the owner token alone', async () => {
    expect((await client.post('/api/v1/sign-in-links').set({ host: HOST })).status).toBe(401);
    const { cookie, view } = await signIn();
    const bySession = await client.post('/api/v1/sign-in-links').set({ ...OWN_PAGE, cookie, 'x-csrf-token': view.csrfToken });
    expect([bySession.status, bySession.body.error.code]).toEqual([401, 'UNAUTHENTICATED']);
  });
});

describe('signing out', () => {
  it('ends the session and takes the cookie back', async () => {
    const { cookie, view } = await signIn();
    const answer = await client.delete('/api/v1/session').set({ ...OWN_PAGE, cookie, 'x-csrf-token': view.csrfToken });
    expect([answer.status, answer.body]).toEqual([200, {}]);
    expect(answer.headers['set-cookie']).toEqual(['appengine-console-8000=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict']);
    expect((await client.get('/api/v1/session').set({ ...OWN_PAGE, cookie })).status).toBe(401);
  });

  it('has nothing to end for a bearer', async () => {
    expect((await client.get('/api/v1/session').set(BEARER)).body.error.code).toBe('UNAUTHENTICATED');
    expect((await client.delete('/api/v1/session').set(BEARER)).body.error.code).toBe('UNAUTHENTICATED');
  });
});
