// Where requests go, on a whole platform: dispatch.yaml, compressed static files, error pages, and gradual moves of traffic
// that outlive the control process and go back when the new version fails.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AppView, type ServiceView } from '../../sdk/contract/admin/admin.ts';
import { type CronJobView } from '../../sdk/contract/admin/tasks.ts';
import { type Answer, PlatformProcess, waitFor } from './platform-process.ts';

const SERVER = `
let ticks = 0;
require('node:http').createServer((request, response) => {
  if (request.url === '/die') process.exit(1);
  if (request.url === '/api/tick') ticks++;
  response.statusCode = process.env.BROKEN ? 500 : 200;
  response.end(process.env.GAE_SERVICE + ' ' + process.env.GAE_VERSION + ' ' + ticks);
}).listen(process.env.PORT);
`;
const WEB_YAML = `
runtime: nodejs
error_handlers:
- file: sorry.html
handlers:
- {url: /static, static_dir: public, expiration: 1h}
- {url: /.*, script: auto}
`;

let platform: PlatformProcess;
let directory: string;

/** A directory with the app's server and these files. */
async function app(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const root = join(directory, name);
  for (const [path, text] of Object.entries({ 'server.js': SERVER, ...files })) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

async function settings(name: string, text: string): Promise<void> {
  await writeFile(join(directory, name), text);
  await platform.appengineJson('deploy', join(directory, name), '--app', 'shop');
}

/** The app's default service, by the admin API; undefined while nobody answers there. */
async function service(): Promise<ServiceView | undefined> {
  const token = (await readFile(join(platform.dataDirectory, 'credentials', 'owner-token'), 'utf8')).trim();
  try {
    const answer = await fetch(`${platform.consoleUrl}/api/v1/apps/shop`, { headers: { authorization: `Bearer ${token}` } });
    const { services } = (await answer.json()) as AppView;
    return services.find((each) => each.service === 'default');
  } catch {
    return undefined;
  }
}

const text = async (host: string, path: string): Promise<string> => (await platform.http(host, path)).text;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'routing-'));
  platform = await PlatformProcess.start();
  const web = await app('web', {
    'app.yaml': WEB_YAML,
    'sorry.html': '<h1>Sorry</h1>',
    'public/a.css': 'body { color: red }\n'.repeat(500),
  });
  const api = await app('api', { 'app.yaml': 'runtime: nodejs\nservice: api\n' });
  await platform.appengineJson('deploy', web, '--app', 'shop', '--version', 'v1');
  await platform.appengineJson('deploy', api, '--app', 'shop', '--version', 'a1');
});

afterAll(async () => {
  await platform.remove();
  await rm(directory, { recursive: true, force: true });
});

test('dispatch.yaml sends paths to services, cron jobs included, but not from a version’s own URL', async () => {
  expect(await text('shop', '/api/x')).toMatch(/^default v1/);
  await settings('dispatch.yaml', 'dispatch:\n- {url: "*/api/*", service: api}\n');
  await waitFor('the rule', async () => (await text('shop', '/api/x')).startsWith('api a1'));
  expect(await text('shop', '/other')).toMatch(/^default v1/);
  expect(await text('v1-dot-shop', '/api/x')).toMatch(/^api a1/);
  expect(await text('v1-dot-default-dot-shop', '/api/x')).toMatch(/^default v1/);
  await settings('cron.yaml', 'cron:\n- {url: /api/tick, schedule: every 24 hours}\n');
  const { jobs } = await platform.appengineJson<{ jobs: CronJobView[] }>('cron', 'list', '--app', 'shop');
  await platform.appengineJson('cron', 'run', jobs[0]?.id ?? '', '--app', 'shop');
  await waitFor('the job at the service of the rule', async () => (await text('api-dot-shop', '/ticks')) === 'api a1 1');
  await settings('dispatch.yaml', 'dispatch: []\n');
  await waitFor('no rule any more', async () => (await text('shop', '/api/x')).startsWith('default v1'));
});

test('static files come compressed, and a page of the app for errors of the platform', async () => {
  const ask = (headers: Record<string, string>): Promise<Answer> => platform.http('shop', '/static/a.css', { headers });
  const coded = await waitFor('the compressed form', async () => {
    const answer = await ask({ 'accept-encoding': 'gzip, br' });
    return answer.headers['content-encoding'] === 'br' && answer;
  });
  expect(Number(coded.headers['content-length'])).toBeLessThan(200);
  expect(coded.headers['vary']).toBe('Accept-Encoding');
  const etag = String(coded.headers.etag);
  expect((await ask({ 'accept-encoding': 'br', 'if-none-match': etag })).status).toBe(304);
  expect((await ask({ 'if-none-match': etag })).text).toHaveLength(10_000);
  expect((await ask({ range: 'bytes=0-3' })).text).toBe('body');

  const died = await platform.http('shop', '/die', { method: 'POST' });
  expect(died).toMatchObject({ status: 500, text: '<h1>Sorry</h1>', headers: { 'content-type': 'text/html; charset=utf-8' } });
  const next = await platform.http('shop', '/');
  expect(next).toMatchObject({ status: 200 });
});

test('traffic moves step by step, on through a kill -9 of the control process', async () => {
  await platform.appengineJson('deploy', join(directory, 'web'), '--app', 'shop', '--version', 'v2', '--no-promote');
  await platform.appengineJson('services', 'set-traffic', '--app', 'shop', '--splits', 'v2=1', '--migrate', '--duration', '5s');
  expect((await service())?.migration).toMatchObject({ to: 'v2', state: 'running' });
  await waitFor('the second step', async () => ((await service())?.migration?.progress ?? 0) > 0.01);
  const control = platform.rolePid('control');
  if (control === undefined) throw new Error('no control process');
  process.kill(control, 'SIGKILL');
  const done = await waitFor(
    'the end of the migration',
    async () => {
      const found = await service();
      return found?.migration?.state === 'done' && found;
    },
    40_000,
  );
  expect(done.split).toEqual({ v2: 1 });
  await waitFor('the new version', async () => (await text('shop', '/')).startsWith('default v2'));
});

test('a version that fails gives the traffic back', async () => {
  const broken = await app('broken', { 'app.yaml': 'runtime: nodejs\nenv_variables: {BROKEN: "1"}\n' });
  await platform.appengineJson('deploy', broken, '--app', 'shop', '--version', 'v3', '--no-promote');
  const words = ['--app', 'shop', '--splits', 'v3=1', '--migrate', '--duration', '1h', '--split-by', 'random'];
  await platform.appengineJson('services', 'set-traffic', ...words);
  // The router counts from the control plane's first look on, which comes within a second or two.
  const rolledBack = await waitFor('the roll-back', async () => {
    for (let round = 0; round < 4; round++) {
      await Promise.all(Array.from({ length: 20 }, (_, index) => platform.http(index % 4 === 0 ? 'v3-dot-shop' : 'shop', '/')));
    }
    const found = await service();
    return found?.migration?.state === 'rolled-back' && found;
  });
  expect(rolledBack.split).toEqual({ v2: 1 });
  expect(rolledBack.migration?.reason).toMatch(/answers since the last step were errors/);
  const { stdout } = await platform.appengine('services', 'list', '--app', 'shop');
  expect(stdout).toMatch(/default +v2 100 % +random +rolled back from v3: /);
});
