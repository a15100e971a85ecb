// Basic and manual scaling with real instances: what they are asked, by whom, and what becomes of them.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PlatformProcess, waitFor } from './platform-process.ts';

/** Remembers what it was asked, and answers every request with that. */
const WITNESS = `
const asked = [];
require('node:http').createServer((request, response) => {
  asked.push(request.url + ' from ' + request.headers['x-appengine-user-ip']);
  if (request.url === '/_ah/start' && process.env.REFUSES_START) response.writeHead(500);
  if (request.url === '/_ah/stop') console.log('asked to stop');
  response.end(JSON.stringify({ instance: process.env.GAE_INSTANCE, asked }));
}).listen(process.env.PORT);
process.on('SIGTERM', () => { console.log('SIGTERM'); process.exit(0); });
`;

interface InstanceRow {
  readonly id: string;
  readonly state: string;
  readonly memoryBytesMax: number;
}

let directory: string;
let platform: PlatformProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'scaling-'));
  platform = await PlatformProcess.start('--memory-budget', '1900M');
});

afterAll(async () => {
  await platform.remove();
  await rm(directory, { recursive: true });
});

async function app(name: string, yaml: string): Promise<string> {
  const path = join(directory, name);
  await mkdir(path);
  await writeFile(join(path, 'app.yaml'), `runtime: nodejs\n${yaml}`);
  await writeFile(join(path, 'server.js'), WITNESS);
  return path;
}

const instances = async (id: string): Promise<readonly InstanceRow[]> => {
  const answer = await platform.appengineJson('instances', 'list', '--app', id);
  return (answer as { instances: InstanceRow[] }).instances;
};

const ready = async (id: string): Promise<readonly InstanceRow[]> => (await instances(id)).filter(({ state }) => state === 'ready');

test('manual scaling runs so many instances, asks each to start, and follows stop, start and set-instances', async () => {
  await platform.appengineJson(
    'deploy',
    await app('manual', 'manual_scaling: {instances: 2}\ninstance_class: B1\n'),
    '--app',
    'manual',
    '--version',
    'v1',
  );
  const both = await waitFor('two instances', async () => ((await ready('manual')).length === 2 ? ready('manual') : undefined));
  expect(both[0]?.memoryBytesMax).toBe(384 * 2 ** 20);
  const { asked } = JSON.parse((await platform.http('manual', '/hello')).text) as { asked: string[] };
  expect(asked[0]).toBe('/_ah/start from 0.1.0.3');
  expect(asked.at(-1)).toMatch(/^\/hello from /);
  // Nobody else may ask that.
  for (const path of ['/_ah/start', '/_ah/stop', '/_ah/warmup']) expect((await platform.http('manual', path)).status).toBe(403);

  await platform.appengineJson('versions', 'set-instances', 'v1', '1', '--app', 'manual');
  await waitFor('one instance', async () => (await instances('manual')).length === 1);
  const stopped = await platform.appengineJson('versions', 'stop', 'v1', '--app', 'manual');
  expect(stopped).toMatchObject({ running: { scaling: 'manual', isStopped: true, instancesWanted: 1 } });
  await waitFor('no instance', async () => (await instances('manual')).length === 0);
  expect((await platform.http('manual', '/hello')).status).toBe(404);
  await platform.appengineJson('versions', 'start', 'v1', '--app', 'manual');
  await waitFor('an instance again', async () => (await ready('manual')).length === 1);
  expect((await platform.http('manual', '/hello')).status).toBe(200);

  const log = await platform.appengine('logs', 'read', '--app', 'manual');
  expect(log.stdout).toContain('/_ah/start');
  expect(log.stdout.indexOf('asked to stop')).toBeGreaterThan(-1);
  expect(log.stdout.indexOf('SIGTERM')).toBeGreaterThan(log.stdout.indexOf('asked to stop'));
});

test('basic scaling starts an instance for a request and stops it after its idle time', async () => {
  await platform.appengineJson(
    'deploy',
    await app('basic', 'basic_scaling: {max_instances: 1, idle_timeout: 1s}\ninstance_class: B1\n'),
    '--app',
    'basic',
  );
  await waitFor('the idle time', async () => (await instances('basic')).length === 0);
  const { asked } = JSON.parse((await platform.http('basic', '/')).text) as { asked: string[] };
  expect(asked).toMatchObject(['/_ah/start from 0.1.0.3', expect.stringMatching(/^\/ from /)]);
  await waitFor('the idle time again', async () => (await instances('basic')).length === 0);
});

test('a version that does not accept its start is not deployed, and says why', async () => {
  const path = await app('refuses', 'manual_scaling: {instances: 1}\nenv_variables: {REFUSES_START: "1"}\n');
  const { code, stderr } = await platform.appengine('deploy', path, '--app', 'refuses');
  expect(code).not.toBe(0);
  expect(stderr).toContain('/_ah/start was answered with status 500');
});

test('an instance for which the machine has no memory is refused with the sum', async () => {
  const path = await app('large', 'manual_scaling: {instances: 1}\ninstance_class: B8\n');
  const { code, stderr } = await platform.appengine('deploy', path, '--app', 'large');
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/no memory left for another instance: it needs 3,072 MiB, and [\d,]+ MiB of 1,900 MiB for apps are free/);
});
