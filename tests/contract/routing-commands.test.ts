// `appengine services`, and `appengine deploy` of settings alone, against the admin API and a control plane in memory.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SampleControl } from '../../runtime/control/sample-deploy.ts';
import { SettingsDesk } from '../../runtime/control/settings-desk.ts';
import { type ConsoleCommands, startConsoleCommands } from './console-commands.ts';

const DISPATCH = 'dispatch:\n- {url: "*/api/*", service: api}\n- {url: "*/favicon.ico", service: default}\n';

let directory: string;
let sample: SampleControl;
let commands: ConsoleCommands;
const run = (...words: readonly string[]) => commands.run(...words);
const file = async (name: string, text: string): Promise<string> => {
  await writeFile(join(directory, name), text);
  return join(directory, name);
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'routing-commands-'));
  sample = new SampleControl(join(directory, 'control'));
  await sample.start();
  await sample.deploy('shop', { 'app.yaml': 'runtime: nodejs\n', 'server.js': '1' }, { version: 'v1' });
  await sample.deploy('shop', { 'app.yaml': 'runtime: nodejs\n', 'server.js': '2' }, { version: 'v2', promote: false });
  await sample.deploy('shop', { 'app.yaml': 'runtime: nodejs\nservice: api\n', 'server.js': '3' }, { version: 'a1' });
  commands = await startConsoleCommands({
    apps: sample.control,
    settings: new SettingsDesk(sample.registry, sample.indexBuilder),
  });
});

afterAll(async () => {
  await commands.close();
  await sample.retirement.settled();
  await rm(directory, { recursive: true, force: true });
});

describe('deploy of settings alone', () => {
  test('replaces them, makes no version, and says what has no effect', async () => {
    const queue = await file('queue.yaml', 'total_storage_limit: 1M\nqueue:\n- {name: mail, rate: 1/s}\n');
    const paths = [await file('dispatch.yaml', DISPATCH), queue, await file('cron.yaml', 'cron:\n- {url: /t, schedule: every 1 hours}\n')];
    const result = await run('deploy', ...paths, '--app', 'shop');
    expect(result).toMatchObject({ code: 0, out: expect.stringContaining('dispatch.yaml, queue.yaml, cron.yaml of app shop') as string });
    expect(result.err).toContain('queue.yaml: "total_storage_limit" has no effect');
    const app = sample.registry.state.get('shop');
    expect(app?.dispatch?.rules.map(({ service }) => service)).toEqual(['api', 'default']);
    expect(app?.queues?.queues).toHaveLength(1);
    expect(app?.cron?.jobs).toHaveLength(1);
    expect(app?.services.get('default')?.versions.size).toBe(2);
    const other = await file('index.yaml', 'indexes:\n- {kind: A, properties: [{name: x}, {name: y}]}\n');
    expect(JSON.parse((await run('deploy', other, '--app', 'shop', '--json')).out)).toEqual({
      app: 'shop',
      applied: ['index.yaml'],
      notes: [],
    });
    expect(sample.indexBuilder.ensured.at(-1)).toMatchObject([{ kind: 'A' }]);
    expect(sample.registry.state.get('shop')?.dispatch?.rules).toHaveLength(2);
  });

  test('takes all files or none, and names the place of a mistake as the developer knows the file', async () => {
    const bad = await file('dispatch.yaml', 'dispatch:\n- {url: "*/", service: gone}\n');
    const empty = await file('cron.yaml', '');
    const result = await run('deploy', empty, bad, '--app', 'shop');
    expect(result.code).toBe(1);
    expect(result.err).toContain('dispatch.yaml, line 2, column 24: the app has no service "gone"');
    expect(sample.registry.state.get('shop')?.cron?.jobs).toHaveLength(1);
    const scheme = await file('dispatch.yaml', 'dispatch:\n- {url: "http://x/", service: api}\n');
    expect((await run('deploy', scheme, '--app', 'shop')).err).toContain(`${scheme}, line 2, column 9: "url" begins with a scheme`);
  });

  test.each([
    [['dispatch.yaml', 'other'], 'takes one directory with an app, or files of the app'],
    [['one', 'two'], 'takes one directory'],
    [['a/cron.yaml', 'b/cron.yaml'], 'two files cron.yaml'],
    [['nowhere/dispatch.yaml'], 'there is no file nowhere/dispatch.yaml'],
  ])('of %j is refused', async (words, problem) => {
    const result = await run('deploy', ...words, '--app', 'shop');
    expect(result.code).toBe(1);
    expect(result.err).toContain(problem);
  });

  test('for an app that is not there is refused', async () => {
    const result = await run('deploy', await file('dispatch.yaml', ''), '--app', 'nobody');
    expect(result.err).toContain('APP_NOT_FOUND');
  });
});

describe('services', () => {
  test('list shows splits, dispatch rules and, with --json, all of it', async () => {
    await run('deploy', await file('dispatch.yaml', DISPATCH), '--app', 'shop');
    const { out } = await run('services', 'list', '--app', 'shop');
    expect(out).toMatch(/^SERVICE +TRAFFIC +SPLIT BY +MIGRATION +VERSIONS +URL/);
    expect(out).toMatch(/default +v1 100 % +ip +2 +http:\/\/shop\.localhost:8080\//);
    expect(out).toMatch(/DISPATCH RULE +SERVICE\n\*\/api\/\* +api\n\*\/favicon\.ico +default/);
    expect(JSON.parse((await run('services', 'list', '--app', 'shop', '--json')).out)).toMatchObject({
      services: [{ service: 'api' }, { service: 'default', split: { v1: 1 }, shardBy: 'ip', versions: 2 }],
      dispatch: [
        { url: '*/api/*', service: 'api' },
        { url: '*/favicon.ico', service: 'default' },
      ],
    });
  });

  test('set-traffic splits, migrates, and a split by hand ends the migration', async () => {
    const split = await run('services', 'set-traffic', '--app', 'shop', '--splits', 'v1=.9,v2=.1', '--split-by', 'cookie', '--json');
    expect(JSON.parse(split.out)).toMatchObject({
      versions: [{ version: 'v1', trafficShare: 0.9, shardBy: 'cookie' }, { trafficShare: 0.1 }],
    });
    const begun = await run('services', 'set-traffic', 'default', '--app', 'shop', '--splits', 'v2=1', '--migrate', '--duration', '1h');
    expect(begun).toMatchObject({ code: 0, err: expect.stringContaining('appengine services list --app shop') as string });
    expect((await run('services', 'list', '--app', 'shop')).out).toMatch(
      /default +v1 89\.1 %, v2 10\.9 % +cookie +1 % moved to v2, done 20/,
    );
    const listed = JSON.parse((await run('services', 'list', '--app', 'shop', '--json')).out) as { services: object[] };
    expect(listed.services[1]).toMatchObject({ migration: { to: 'v2', state: 'running', progress: 0.01, durationMs: 3_600_000 } });
    await run('traffic', 'set', '--app', 'shop', '--split', 'v1=1');
    expect((await run('services', 'list', '--app', 'shop')).out).toMatch(/default +v1 100 % +cookie +2 /);
  });

  test.each([
    [['--splits', 'v1=.5,v2=.5', '--migrate'], 'moves all traffic to one version'],
    [['--splits', 'v2=1', '--duration', '1m'], '--duration belongs to --migrate'],
    [['--splits', 'v2=1', '--migrate', '--duration', '1s'], 'from 5s to 24h'],
    [['--splits', 'v2=1', '--migrate', '--duration', '2d'], 'from 5s to 24h'],
    [['--splits', 'v2=1', '--migrate', '--duration', 'soon'], 'want a time such as'],
    [['--splits', 'v2=1', '--split-by', 'moon'], 'want ip, cookie or random'],
    [['--splits', 'v1=1', '--migrate'], 'no version but "v1" gets traffic'],
    [['--splits', 'v9=1', '--migrate'], 'VERSION_NOT_FOUND'],
  ])('set-traffic %j is refused', async (words, problem) => {
    const result = await run('services', 'set-traffic', '--app', 'shop', ...words);
    expect(result.code).toBe(1);
    expect(result.err).toContain(problem);
  });

  test.each(['services list', 'services set-traffic'])('%s --help has examples', async (words) => {
    expect((await run(...words.split(' '), '--help')).out).toMatch(/Examples:\n {2}\$ appengine services/);
  });
});
