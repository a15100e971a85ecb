import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request from 'supertest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemRandom, systemTimers } from '../sdk/support/clock.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { type ConsoleApis, createConsoleApp } from './console-app.ts';
import { consolePages } from './console-pages.ts';

const SCRIPT = `console.log(${JSON.stringify('x'.repeat(5_000))});`;
const INDEX = '<!doctype html><meta name="csp-nonce" content="__CSP_NONCE__"><script type="module" src="/assets/index-a1.js"></script>';
const NAVIGATION = { accept: 'text/html,application/xhtml+xml' };

let folder: string;
let client: ReturnType<typeof request>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pages-'));
  const directory = join(folder, 'console');
  await mkdir(join(directory, 'assets'), { recursive: true });
  await writeFile(join(directory, 'index.html'), INDEX);
  await writeFile(join(directory, 'favicon.svg'), '<svg/>');
  await writeFile(join(directory, 'assets', 'index-a1.js'), SCRIPT);
  await writeFile(join(directory, 'assets', 'font-b2.woff2'), Buffer.alloc(4_000));
  await writeFile(join(directory, 'assets', '.secret.js'), 'no');
  await writeFile(join(folder, 'outside.js'), 'no');
  client = clientOf(directory);
});

afterEach(() => rm(folder, { recursive: true }));

function clientOf(directory: string): ReturnType<typeof request> {
  const apis = { apps: { status: () => ({}) } } as unknown as ConsoleApis;
  const options = { ownerToken: 't', pages: consolePages(directory, systemRandom) };
  return request(createConsoleApp(apis, systemTimers, new MemoryLog(), options));
}

describe('the page', () => {
  it.each(['/', '/sign-in', '/apps/guestbook/logs', '/apps/a.b/x', '/apiary'])('answers a navigation to %s', async (path) => {
    const answer = await client.get(path).set(NAVIGATION);
    expect([answer.status, answer.headers['cache-control'], answer.headers['etag']]).toEqual([200, 'no-store', undefined]);
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    const nonce = /content="([^"]+)"/.exec(answer.text)?.[1] ?? '';
    expect(nonce).toMatch(/^[A-Za-z0-9+/]{24}$/);
    expect(answer.headers['content-security-policy']).toContain(`style-src 'self' 'nonce-${nonce}';`);
  });

  it('has another nonce each time', async () => {
    const [one, other] = [await client.get('/').set(NAVIGATION), await client.get('/').set(NAVIGATION)];
    expect(one.text).not.toBe(other.text);
  });

  it('is not the answer to anything else', async () => {
    for (const path of ['/api', '/api/v1/nothing', '/API/v1/nothing']) expect((await client.get(path).set(NAVIGATION)).status).toBe(401);
    for (const path of ['/assets/index-old.js', '/assets/', '/assets']) expect((await client.get(path).set(NAVIGATION)).status).toBe(404);
    expect((await client.get('/other').set('accept', 'application/json')).body.error.code).toBe('NOT_FOUND');
    expect((await client.post('/').set(NAVIGATION)).status).toBe(404);
    expect((await client.head('/')).status).toBe(200);
  });

  it('says how to build it when it is missing, without a style or a script', async () => {
    const answer = await clientOf(join(folder, 'missing')).get('/').set(NAVIGATION);
    expect(answer.status).toBe(503);
    expect(answer.text).toContain('npm run build');
    expect(answer.text).not.toMatch(/<script|<style|style=/);
  });

  it('is found once it was built, without a restart', async () => {
    const directory = join(folder, 'later');
    const later = clientOf(directory);
    expect((await later.get('/')).status).toBe(503);
    await mkdir(directory);
    await writeFile(join(directory, 'index.html'), INDEX);
    expect((await later.get('/')).status).toBe(200);
  });
});

describe('assets', () => {
  it('may be kept for ever, and are compressed as the browser likes', async () => {
    const plain = await client.get('/assets/index-a1.js').set('accept-encoding', 'identity');
    expect(plain.text).toBe(SCRIPT);
    expect(plain.headers).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': 'text/javascript; charset=utf-8',
      vary: 'Accept-Encoding',
    });
    const zipped = await client.get('/assets/index-a1.js').set('accept-encoding', 'gzip');
    expect([zipped.headers['content-encoding'], zipped.text]).toEqual(['gzip', SCRIPT]);
    for (let round = 0; round < 2; round++) {
      const brotli = await client.get('/assets/index-a1.js').set('accept-encoding', 'gzip, deflate, br').buffer(true);
      expect([brotli.headers['content-encoding'], brotli.text]).toEqual(['br', SCRIPT]);
      expect(Number(brotli.headers['content-length'])).toBeLessThan(SCRIPT.length / 10);
    }
  });

  it('leave alone what is compressed already', async () => {
    const answer = await client.get('/assets/font-b2.woff2').set('accept-encoding', 'br');
    expect([answer.status, answer.headers['content-encoding'], answer.headers['content-type']]).toEqual([200, undefined, 'font/woff2']);
  });

  it('serve the files beside the page for an hour', async () => {
    const answer = await client.get('/favicon.svg');
    expect([answer.status, answer.headers['cache-control'], answer.headers['content-type']]).toEqual([
      200,
      'public, max-age=3600',
      'image/svg+xml',
    ]);
  });

  it.each([
    '/assets/.secret.js',
    '/assets/..%2f..%2foutside.js',
    '/assets/..%5coutside.js',
    '/..%2foutside.js',
    '/assets/index-a1.js%00.js',
  ])('are nothing outside the folder: %s', async (path) => {
    const answer = await client.get(path);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.text).not.toBe('no');
  });
});
