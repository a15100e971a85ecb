// Logs, metrics and health in a real platform: a request and its lines together, a tail over a restart, a role that dies.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HealthView, type RoleView } from '../../sdk/contract/admin/health.ts';
import { type AppLogRow, type LogRow } from '../../sdk/contract/admin/logs.ts';
import { command, httpByHost, PlatformProcess, waitFor } from './platform-process.ts';

const APP = `
require('node:http').createServer(async (request, response) => {
  const name = request.url.slice(1);
  console.log('plain ' + name);
  await new Promise((resolve) => setTimeout(resolve, 5));
  const trace = 'projects/p/traces/' + request.headers['x-cloud-trace-context'].split('/')[0];
  console.log(JSON.stringify({ severity: 'NOTICE', message: 'structured ' + name, user: 'ada', 'logging.googleapis.com/trace': trace }));
  if (name === 'fail') console.error(new Error('for ' + name));
  response.statusCode = name === 'fail' ? 500 : 200;
  response.end(request.headers['x-appengine-request-log-id']);
}).listen(process.env.PORT);
`;

let platform: PlatformProcess;
let app: string;
let tail: ChildProcess | undefined;

beforeAll(async () => {
  app = await mkdtemp(join(tmpdir(), 'observed-'));
  await writeFile(join(app, 'app.yaml'), 'runtime: nodejs20\n');
  await writeFile(join(app, 'server.js'), APP);
  platform = await PlatformProcess.start('--metrics-open');
  await platform.appengineJson('deploy', app, '--app', 'seen');
});

afterAll(async () => {
  tail?.kill('SIGKILL');
  await platform.remove();
  await rm(app, { recursive: true });
});

async function rows(...filters: readonly string[]): Promise<LogRow[]> {
  const { code, stdout, stderr } = await platform.appengine('logs', 'read', '--app', 'seen', '--json', ...filters);
  if (code !== 0) throw new Error(stderr);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as LogRow);
}

const textOf = (row: LogRow): string => (row.kind === 'app' ? row.text : `${row.status} ${row.target}`);

test('a request is read with what was printed for it, plain and structured, and with nothing else', async () => {
  const [first, second] = await Promise.all([platform.http('seen', '/one'), platform.http('seen', '/fail')]);
  for (const [answer, name, status] of [
    [first, 'one', 200],
    [second, 'fail', 500],
  ] as const) {
    const found = await waitFor(`the rows of ${name}`, async () => {
      const all = await rows('--request', answer.text);
      return all.some(({ kind }) => kind === 'request') && all.length >= (name === 'fail' ? 4 : 3) ? all : undefined;
    });
    expect(found.map((row) => textOf(row).split('\n')[0])).toEqual([
      `${status} /${name}`,
      `plain ${name}`,
      `structured ${name}`,
      ...(name === 'fail' ? ['Error: for fail'] : []),
    ]);
    expect(found[2]).toMatchObject({ severity: 'NOTICE', fields: { user: 'ada' } } satisfies Partial<AppLogRow>);
    expect(found[0]).toMatchObject({ kind: 'request', requestId: answer.text, host: 'seen.localhost' });
  }
  expect((await rows('--status', '5xx')).map(textOf)).toEqual(['500 /fail']);
  expect((await rows('--severity', 'ERROR', '--source', 'app')).map((row) => textOf(row).split('\n')[0])).toEqual(['Error: for fail']);
  expect((await rows('--regex', '^structured (one|two)$')).map(textOf)).toEqual([]);
  expect((await rows('--regex', '^structured (one|two) ')).map(textOf)).toEqual(['structured one']);
});

test('a tail goes on over a killed control role, with no row lost or printed twice', async () => {
  tail = spawn(
    process.execPath,
    [command, 'logs', 'tail', '--app', 'seen', '--json', '--lines', '0', '--text', 'plain', '--server', platform.consoleUrl],
    { env: { ...process.env, APPENGINE_DATA_DIR: platform.dataDirectory }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let [out, err] = ['', ''];
  tail.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  tail.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const seen = (): string[] =>
    out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => textOf(JSON.parse(line) as LogRow));
  await waitFor('the tail to follow', async () => {
    await platform.http('seen', '/before');
    return seen().includes('plain before');
  });
  const before = seen().length;
  process.kill(platform.rolePid('control')!, 'SIGKILL');
  for (let index = 0; index < 5; index++) await platform.http('seen', `/during-${index}`);
  await waitFor('all rows', () => seen().some((text) => text === 'plain during-4'));
  await platform.http('seen', '/after');
  await waitFor('rows that come later', () => seen().some((text) => text === 'plain after'));
  const later = seen()
    .slice(before)
    .filter((text) => text !== 'plain before');
  expect(later).toEqual([...Array.from({ length: 5 }, (_, index) => `plain during-${index}`), 'plain after']);
  expect(err).toContain('The server went away');
});

test('health and metrics tell of each role, and of one that is killed', async () => {
  const ask = (path: string): Promise<Response> => fetch(`${platform.consoleUrl}${path}`);
  const ready = await waitFor('all roles', async () => {
    const answer = await ask('/readyz');
    return answer.status === 200 ? ((await answer.json()) as HealthView) : undefined;
  });
  expect(ready.roles.map(({ role }) => role)).toEqual(['host', 'datastore', 'control', 'router']);
  expect((await ask('/healthz?role=router')).status).toBe(200);
  expect((await httpByHost(platform.routerPort, '127.0.0.1', '/_ah/health')).text).toBe('ok\n');
  expect(await (await fetch(`http://${platform.datastoreAddress}/healthz`)).text()).toBe('Ok\n');

  const text = await (await ask('/metrics')).text();
  expect(text).toMatch(/^appengine_requests_total\{app="seen",service="default",version="[^"]+",status="500"\} 1$/m);
  expect(text).toMatch(/^appengine_request_seconds_count\{app="seen",service="default",version="[^"]+",status="2xx"\} \d+$/m);
  expect(text).toMatch(/^appengine_instances\{app="seen",service="default",version="[^"]+",state="ready"\} 1$/m);
  expect(text).toMatch(/^appengine_cold_start_seconds_count\{app="seen",.*phase="ready"\} \d+$/m);
  for (const role of ['host', 'datastore', 'control', 'router']) expect(text).toContain(`appengine_up{role="${role}"} 1\n`);
  expect(text).toContain('appengine_role_restarts_total{role="control"} 1\n');

  // Suspended it answers nothing, and nobody starts it again.
  const router = platform.rolePid('router')!;
  process.kill(router, 'SIGSTOP');
  try {
    const failing = await ask('/readyz');
    expect(failing.status).toBe(503);
    expect(((await failing.json()) as HealthView).roles.at(-1)).toMatchObject({ role: 'router', status: 'down' });
    expect((await ask('/healthz')).status).toBe(200);
    expect(await (await ask('/metrics')).text()).toContain('appengine_up{role="router"} 0\n');
    const { roles } = await platform.appengineJson<{ roles: RoleView[] }>('status');
    expect(roles.map(({ role, status }) => [role, status])).toContainEqual(['router', 'down']);
  } finally {
    process.kill(router, 'SIGCONT');
  }
});
