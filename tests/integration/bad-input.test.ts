// Whatever a developer or an app does wrong gets one clear message that says how to mend it, and nothing else breaks.
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { command, type CommandResult, PlatformProcess, run, waitFor } from './platform-process.ts';

const GOOD_SERVER = `
import { createServer } from 'node:http';
createServer((request, response) => {
  if (request.url === '/throw') throw new Error('thrown by a handler');
  if (request.url === '/exit') process.exit(3);
  response.end('good as ever');
}).listen(process.env.PORT);
`;

let platform: PlatformProcess;
let scratch: string;
/** It takes half a minute to be sure that an app never listens, so that deploy runs beside everything else. */
let neverListening: Promise<CommandResult>;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'apps-'));
  platform = await PlatformProcess.start();
  await deployOk('good', { 'server.js': GOOD_SERVER });
  neverListening = deploy('silent', { 'server.js': "console.error('I would rather not listen'); setInterval(() => undefined, 1000);" });
});

afterEach(async () => {
  // Nothing else broke.
  expect((await platform.http('good', '/')).text).toBe('good as ever');
});

afterAll(async () => {
  await platform.remove();
  await rm(scratch, { recursive: true });
});

/** A new directory with these files, app.yaml and package.json unless they are named. */
async function appDirectory(files: Readonly<Record<string, string | undefined>>): Promise<string> {
  const directory = await mkdtemp(join(scratch, 'app-'));
  const all: Readonly<Record<string, string | undefined>> = {
    'app.yaml': 'runtime: nodejs\n',
    'package.json': '{ "type": "module" }',
    ...files,
  };
  for (const [path, text] of Object.entries(all)) {
    if (text === undefined) continue;
    await mkdir(join(directory, path, '..'), { recursive: true });
    await writeFile(join(directory, path), text);
  }
  return directory;
}

async function deploy(app: string, files: Readonly<Record<string, string | undefined>>): Promise<CommandResult> {
  return platform.appengine('deploy', await appDirectory(files), '--app', app);
}

async function deployOk(app: string, files: Readonly<Record<string, string | undefined>>): Promise<void> {
  const result = await deploy(app, files);
  if (result.code !== 0) throw new Error(result.stderr);
}

/** One error with these words, and a way to mend it; nothing on stdout. */
function expectRefusal(result: CommandResult, ...words: readonly (string | RegExp)[]): void {
  expect(result.code).toBe(1);
  expect(result.stdout).toBe('');
  expect(result.stderr.match(/^Error: /gm)).toHaveLength(1);
  expect(result.stderr).toContain('To mend it: ');
  expect(result.stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
  for (const word of words) expect(result.stderr).toMatch(word);
}

describe('the command line refuses', () => {
  test('a directory without app.yaml', async () => {
    expectRefusal(await deploy('good', { 'app.yaml': undefined }), 'MANIFEST_MISSING', 'runtime: nodejs');
  });

  test.each([
    ['empty', '', /app\.yaml/],
    ['huge', `runtime: nodejs\n# ${'x'.repeat(300_000)}`, /app\.yaml has 300\d\d\d bytes, at most 262144/],
    ['no YAML', 'runtime: nodejs\nhandlers:\n  - url: [\n', /app\.yaml.*line 4|line \d+, column \d+/s],
    ['of unknown words', 'runtime: nodejs\nhandelrs: []\n', /line 2.*column 1.*handlers/s],
    ['of wrong types', 'runtime: nodejs\nautomatic_scaling:\n  max_instances: many\n', /line 3.*column 18/s],
    [
      'an alias bomb',
      `runtime: nodejs\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c]\n`,
      /line \d+/,
    ],
  ])('an app.yaml that is %s', async (_what, text, words) => {
    expectRefusal(await deploy('good', { 'app.yaml': text }), 'MANIFEST_INVALID', words);
  });

  test('an unknown runtime, naming those that are known', async () => {
    expectRefusal(await deploy('good', { 'app.yaml': 'runtime: cobol85\n' }), 'RUNTIME_UNKNOWN', 'cobol85', 'nodejs20');
  });

  test.each(['Good', '../good', 'a'.repeat(10_000), '', 'good_app', '-good'])('the app id "%.20s"', async (id) => {
    expectRefusal(await deploy(id, {}), 'APP_ID_INVALID', 'lower-case');
  });

  test('a directory that is not there', async () => {
    expectRefusal(await platform.appengine('deploy', join(scratch, 'nowhere'), '--app', 'good'), 'DIRECTORY_MISSING', 'nowhere');
  });

  test('a link that leaves the tree', async () => {
    const directory = await appDirectory({ 'server.js': GOOD_SERVER });
    await symlink('/etc/shadow', join(directory, 'secrets.txt'));
    expectRefusal(await platform.appengine('deploy', directory, '--app', 'good'), 'UPLOAD_REFUSED', 'secrets.txt', 'outside');
  });

  test('a server that does not run', async () => {
    const result = await run(process.execPath, [command, 'apps', 'list', '--server', 'http://127.0.0.1:9']);
    expectRefusal(result, 'SERVER_UNREACHABLE', 'npm start');
  });

  test('a wrong token and a missing one', async () => {
    const wrong = await platform.appengine('apps', 'list', '--token', 'wrong');
    expectRefusal(wrong, 'UNAUTHENTICATED', 'APPENGINE_TOKEN');
    const missing = await run(process.execPath, [command, 'apps', 'list', '--server', platform.consoleUrl, '--data-dir', scratch]);
    expectRefusal(missing, 'UNAUTHENTICATED');
  });

  test('a misspelt command, suggesting the right one', async () => {
    const result = await platform.appengine('deplyo');
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain('deploy');
  });

  test('with --json as JSON on stderr', async () => {
    const result = await platform.appengine('versions', 'list', '--app', 'nobody', '--json');
    expect(result.code).toBe(1);
    expect(result.stdout).toBe('');
    expect(JSON.parse(result.stderr)).toMatchObject({ error: { code: 'APP_NOT_FOUND', mend: expect.any(String) } });
  });
});

describe('a version that cannot start', () => {
  test('fails its deploy with its own stderr, and the old one keeps serving', async () => {
    expectRefusal(
      await deploy('good', { 'server.js': "throw new Error('no such database: shop');" }),
      'INSTANCE_EXITED',
      'no such database: shop',
    );
  });

  test('because it exits says with which code', async () => {
    expectRefusal(
      await deploy('good', { 'server.js': "console.error('that was all'); process.exit(7);" }),
      'INSTANCE_EXITED',
      'code 7',
      'that was all',
    );
  });

  test('because nothing says how to start it', async () => {
    expectRefusal(await deploy('good', { 'main.py': '' }), 'MANIFEST_INVALID', 'server.js');
  });

  test('because its packages cannot be installed', async () => {
    const text = '{ "type": "module", "dependencies": { "express": "999.0.0" } }';
    expectRefusal(await deploy('good', { 'package.json': text, 'server.js': GOOD_SERVER }), 'BUILD_FAILED', '999.0.0');
  });

  test('because it never listens', async () => {
    expectRefusal(await neverListening, 'INSTANCE_NEVER_LISTENED', 'PORT', 'I would rather not listen');
    expect((await platform.http('silent', '/')).status).toBe(404);
  });

  test('leaves no version behind', async () => {
    const { versions } = await platform.appengineJson<{ versions: unknown[] }>('versions', 'list', '--app', 'good');
    expect(versions).toHaveLength(1);
  });
});

describe('an app that fails while it serves', () => {
  test('by a handler that throws: that request gets 500, the next one is served', async () => {
    const answer = await platform.http('good', '/throw');
    expect(answer.status).toBe(500);
    expect(answer.text).toContain('ROUTE_INSTANCE_FAILED');
    expect(answer.text).not.toContain('thrown by a handler');
    await waitFor('the reason in the log', async () =>
      (await platform.appengine('logs', 'tail', '--app', 'good', '--no-follow')).stdout.includes('thrown by a handler'),
    );
  });

  test('by exiting: a later request is served by a new instance', async () => {
    expect((await platform.http('good', '/exit')).status).toBe(500);
    expect((await platform.http('good', '/')).text).toBe('good as ever');
  });
});
