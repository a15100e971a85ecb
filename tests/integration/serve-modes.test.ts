// `serve` in its other forms: every role in one process, and nothing kept.
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command, isAlive, PlatformProcess, processesBelow, run, waitFor } from './platform-process.ts';

/** The counter of the README, without Express, as CommonJS, with what else an app may ask of the platform. */
const COUNTER = `
const { appIdentity, datastore, PlatformError } = require('appengine');
require('node:http').createServer(async (request, response) => {
  if (request.url === '/conflict') {
    const outcome = await datastore.insert({ key: datastore.key('Counter', 'visits'), properties: {} }).catch((error) => error instanceof PlatformError && error.code);
    response.end(String(outcome));
    return;
  }
  if (request.url === '/count') {
    response.end(JSON.stringify(await datastore.aggregate('SELECT COUNT(*) AS n, SUM(total) AS visits FROM Counter')));
    return;
  }
  const visits = await datastore.transaction(async (transaction) => {
    const key = datastore.key('Counter', 'visits');
    const count = ((await transaction.get(key))?.properties.total ?? 0) + 1;
    transaction.put({ key, properties: { total: count } });
    return count;
  }, { attempts: 20 });
  response.end(JSON.stringify({ visits, app: (await appIdentity.get()).applicationId }));
}).listen(process.env.PORT);
`;

let app: string;

beforeAll(async () => {
  app = await mkdtemp(join(tmpdir(), 'counter-'));
  await writeFile(join(app, 'app.yaml'), 'runtime: nodejs20\n');
  await writeFile(join(app, 'server.js'), COUNTER);
});

afterAll(() => rm(app, { recursive: true }));

describe.each([
  ['every role in one process', ['--role=all'], 0],
  ['every role in a process of its own', [], 3],
])('serve with %s', (_what, options, roles) => {
  let platform: PlatformProcess;

  beforeAll(async () => {
    platform = await PlatformProcess.start('--allow-reset', ...options);
    await platform.appengineJson('deploy', app, '--app', 'counter');
  });

  afterAll(() => platform.remove());

  test('runs that many role processes', () => {
    expect(processesBelow(platform.pid).filter((row) => / role \w+$/.test(row.commandLine))).toHaveLength(roles);
  });

  test('counts every visit once, however many come at the same time', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => platform.http('counter', '/')));
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 200));
    const visits = answers.map((answer) => (JSON.parse(answer.text) as { visits: number }).visits);
    expect(visits.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  test('aggregates', async () => {
    expect(JSON.parse((await platform.http('counter', '/count')).text)).toEqual({ n: 1, visits: 20 });
  });

  test('tells an app errors by their code', async () => {
    expect((await platform.http('counter', '/conflict')).text).toBe('DS_ALREADY_EXISTS');
  });

  test('keeps apps apart', async () => {
    await platform.appengineJson('deploy', app, '--app', 'other');
    expect(JSON.parse((await platform.http('other', '/')).text)).toEqual({ visits: 1, app: 'other' });
  });

  test('loses the data of apps by a reset, and not the apps', async () => {
    expect(await platform.postToDatastore('/reset')).toBe(200);
    for (const name of ['counter', 'other']) expect(JSON.parse((await platform.http(name, '/')).text)).toEqual({ visits: 1, app: name });
    const { apps } = await platform.appengineJson<{ apps: readonly { id: string }[] }>('apps', 'list');
    expect(apps.map(({ id }) => id).sort()).toEqual(['counter', 'other']);
  });

  test('ends in order when it is asked to', async () => {
    const pids = processesBelow(platform.pid).map((row) => row.pid);
    expect(await platform.postToDatastore('/shutdown')).toBe(200);
    expect(await platform.exited).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
  });
});

test('an ephemeral platform serves, says where its token is meanwhile, and leaves nothing', async () => {
  const platform = await PlatformProcess.start('--ephemeral');
  const directory = /data in (\S+), which goes when this ends/.exec(platform.output)?.[1] ?? '';
  const words = ['deploy', app, '--app', 'brief', '--server', platform.consoleUrl, '--data-dir', directory];
  expect(await run(process.execPath, [command, ...words])).toMatchObject({ code: 0 });
  expect((await platform.http('brief', '/')).text).toContain('"visits":1');
  expect(await platform.postToDatastore('/reset')).toBe(200);
  expect((await platform.http('brief', '/')).text).toContain('"visits":1');
  expect(existsSync(join(directory, 'blobs'))).toBe(true);
  expect(await platform.stop()).toBe(0);
  expect(existsSync(directory)).toBe(false);
  await platform.remove();
});

test.each(['Ctrl-C', 'SIGTERM'])('%s lets a request that is under way finish, then ends everything', async (how) => {
  const platform = await PlatformProcess.start();
  const slow = await mkdtemp(join(tmpdir(), 'slow-'));
  await writeFile(join(slow, 'app.yaml'), 'runtime: nodejs\n');
  await writeFile(
    join(slow, 'server.js'),
    "require('node:http').createServer((q, r) => { r.write('begun '); setTimeout(() => r.end('and finished'), 700); }).listen(process.env.PORT);",
  );
  try {
    await platform.appengineJson('deploy', slow, '--app', 'slow');
    expect((await platform.http('slow', '/')).text).toBe('begun and finished');
    const pids = processesBelow(platform.pid).map((row) => row.pid);
    const answer = platform.http('slow', '/');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await (how === 'Ctrl-C' ? platform.pressCtrlC() : platform.stop())).toBe(0);
    expect((await answer).text).toBe('begun and finished');
    expect(pids.filter(isAlive)).toEqual([]);
  } finally {
    await platform.remove();
    await rm(slow, { recursive: true });
  }
});

test('kill -9 of the host alone ends what it started, and the next start takes over', async () => {
  const platform = await PlatformProcess.start();
  try {
    await platform.appengineJson('deploy', app, '--app', 'counter');
    expect((await platform.http('counter', '/')).text).toContain('"visits":1');
    const pids = processesBelow(platform.pid).map((row) => row.pid);
    // Nobody allowed it.
    expect([await platform.postToDatastore('/reset'), await platform.postToDatastore('/shutdown')]).toEqual([403, 403]);
    process.kill(platform.pid, 'SIGKILL');
    await waitFor('every process to end', () => pids.filter(isAlive).length === 0);
    await platform.start();
    expect((await platform.http('counter', '/')).text).toContain('"visits":2');
  } finally {
    await platform.remove();
  }
});
