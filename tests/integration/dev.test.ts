// `appengine dev` as a developer uses it: start, change a file, sign in as anybody, Ctrl-C.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Browser } from './browser-session.ts';
import { type Answer, command, httpByHost, isAlive, processesBelow, run, waitFor } from './platform-process.ts';

const server = (greeting: string): string => `
const { datastore, users } = require('appengine');
const { readFileSync } = require('node:fs');
require('node:http').createServer(async (request, response) => {
  console.log('asked for', request.url);
  if (request.url === '/count') {
    const key = datastore.key('Counter', 'all');
    const count = ((await datastore.get(key))?.properties.count ?? 0) + 1;
    await datastore.put({ key, properties: { count } });
    response.end(String(count));
    return;
  }
  if (request.url === '/cats') {
    await datastore.put({ key: datastore.key('Cat', 'tom'), properties: { colour: 'grey', age: 3 } });
    const found = await datastore.gql("SELECT * FROM Cat WHERE colour = 'grey' ORDER BY age DESC").catch((error) => error);
    response.end(found instanceof Error ? String(found.message) : String(found.entities?.length ?? found.length));
    return;
  }
  if (request.url === '/note') { response.end(readFileSync(__dirname + '/notes/a.txt', 'utf8')); return; }
  response.end(JSON.stringify({ greeting: ${JSON.stringify(greeting)}, user: users.currentUser(request) ?? null, login: request.headers['x-appengine-user-is-admin'] }));
}).listen(process.env.PORT);
`;
/** Runs until it is asked to die, then starts no more. */
const CRASHING = `
const { datastore } = require('appengine');
const key = datastore.key('Flag', 'crash');
datastore.get(key).then((flag) => {
  if (flag) throw new Error('the flag is set');
  require('node:http').createServer(async (request, response) => {
    if (request.url !== '/die') return response.end('fine so far');
    await datastore.put({ key, properties: { isSet: true } });
    process.exit(1);
  }).listen(process.env.PORT);
});
`;
const APP_YAML = 'runtime: nodejs20\nhandlers:\n- {url: /admin, script: auto, login: admin}\n- {url: /.*, script: auto}\n';

class DevProcess {
  readonly #child: ChildProcess;
  readonly exited: Promise<number | null>;
  output = '';
  port = 0;

  constructor(directory: string, options: readonly string[]) {
    const ports = ['--port', '0', '--console-port', '0', '--datastore-port', '0'];
    this.#child = spawn(process.execPath, [command, 'dev', directory, ...ports, ...options], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, FORCE_COLOR: undefined, APPENGINE_DATA_DIR: undefined },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.exited = new Promise((resolve) => this.#child.once('close', resolve));
  }

  static async start(directory: string, ...options: readonly string[]): Promise<DevProcess> {
    const dev = new DevProcess(directory, options);
    await dev.ready();
    return dev;
  }

  /** The app answers. */
  async ready(): Promise<void> {
    const [, port] = await this.says(/^ {2}App {7}http:\/\/my-shop\.localhost:(\d+)\/$/m);
    this.port = Number(port);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async says(pattern: RegExp): Promise<RegExpExecArray> {
    return waitFor(`${String(pattern)} in the output`, () => pattern.exec(this.output) ?? undefined, 60_000).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.output}`);
    });
  }

  ask(path: string): Promise<Answer> {
    return httpByHost(this.port, 'my-shop.localhost', path);
  }

  /** What a terminal does: SIGINT to every process of the group. */
  pressCtrlC(): Promise<number | null> {
    if (isAlive(this.pid)) process.kill(-this.pid, 'SIGINT');
    return this.exited;
  }
}

let folder: string;
let app: string;
let dev: DevProcess | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dev-'));
  app = join(folder, 'My Shop');
  await mkdir(join(app, 'notes'), { recursive: true });
  await writeFile(join(app, 'app.yaml'), APP_YAML);
  await writeFile(join(app, 'server.js'), server('hello'));
  await writeFile(join(app, 'notes', 'a.txt'), 'first');
});

afterEach(async () => {
  await dev?.pressCtrlC();
});

afterAll(() => rm(folder, { recursive: true }));

const greeting = async (): Promise<string> => (JSON.parse((await dev!.ask('/')).text) as { greeting: string }).greeting;

describe('appengine dev', () => {
  test('serves, shows what happens, and serves again after a change', async () => {
    dev = await DevProcess.start(app);
    expect(await greeting()).toBe('hello');
    expect(dev.output).toContain('signs in to its apps as anybody');
    await dev.says(/\d\d:\d\d:\d\d \| asked for \/$/m);
    await dev.says(/\d\d:\d\d:\d\d 200 GET \/ \d+ ms/m);

    await writeFile(join(app, 'server.js'), server('good morning'));
    await waitFor('the new answer', async () => (await greeting()) === 'good morning', 60_000);
    await mkdir(join(app, 'notes', 'deep'));
    await writeFile(join(app, 'notes', 'deep', 'b.txt'), 'x');
    await writeFile(join(app, 'notes', 'a.txt'), 'second');
    await waitFor('the new file', async () => (await dev!.ask('/note')).text === 'second', 60_000);

    await writeFile(join(app, 'app.yaml'), 'runtime: [\n');
    await dev.says(/MANIFEST_INVALID[\s\S]*The version before goes on/);
    expect(await greeting()).toBe('good morning');
    await writeFile(join(app, 'app.yaml'), APP_YAML);
    await writeFile(join(app, 'server.js'), server('good evening'));
    await waitFor('the answer after the mistake', async () => (await greeting()) === 'good evening', 60_000);

    const console = /Console {3}(http:\/\/127\.0\.0\.1:\d+)\//.exec(dev.output)?.[1] ?? '';
    const dataDirectory = join(app, '.appengine', 'dev');
    await waitFor('one version to be left', async () => {
      const args = ['versions', 'list', '--app', 'my-shop', '--json', '--server', console, '--data-dir', dataDirectory];
      const { stdout } = await run(process.execPath, [command, ...args]);
      return (JSON.parse(stdout) as { versions: unknown[] }).versions.length === 1;
    });
  });

  test('signs in whoever types an address, as an administrator where wanted', async () => {
    dev = await DevProcess.start(app, '--ephemeral');
    const browser = new Browser(dev.port, 'my-shop.localhost');
    expect((await browser.get('/admin')).headers['location']).toBe('/_ah/login?continue=%2Fadmin');
    expect((await browser.get('/_ah/login')).text).toContain('no password is asked for');
    await browser.signIn('test@example.com', '');
    expect(JSON.parse((await browser.get('/')).text)).toMatchObject({
      user: { email: 'test@example.com', nickname: 'test@example.com', isAdmin: false },
      login: '0',
    });
    expect((await browser.get('/admin')).status).toBe(403);
    await browser.signIn('test@example.com', '', '/', { admin: '1' });
    expect(JSON.parse((await browser.get('/admin')).text)).toMatchObject({ user: { isAdmin: true }, login: '1' });
  });

  test('ends cleanly on Ctrl-C and keeps its data, out of the app’s repository and upload', async () => {
    dev = await DevProcess.start(app);
    const before = Number((await dev.ask('/count')).text);
    const pids = processesBelow(dev.pid).map((row) => row.pid);
    expect(pids.length).toBeGreaterThan(0);
    expect(await dev.pressCtrlC()).toBe(0);
    await waitFor('every process to end', () => pids.filter(isAlive).length === 0);
    expect(dev.output).not.toMatch(/Error|at .*\.js:\d+/);
    expect(await readFile(join(app, '.appengine', '.gitignore'), 'utf8')).toBe('*\n');

    dev = await DevProcess.start(app);
    expect(Number((await dev.ask('/count')).text)).toBe(before + 1);
    const bundles = await readdir(join(app, '.appengine', 'dev', 'bundles'));
    for (const bundle of bundles) expect(existsSync(join(app, '.appengine', 'dev', 'bundles', bundle, '.appengine'))).toBe(false);
  });

  test('gives queries the indexes that they need and writes them to index.yaml, unless the file is managed by hand', async () => {
    const file = join(app, 'index.yaml');
    dev = await DevProcess.start(app, '--ephemeral');
    expect((await dev.ask('/cats')).text).toBe('1');
    const written = await readFile(file, 'utf8');
    expect(written).toMatch(/^indexes:\n\n# AUTOGENERATED\n/);
    expect(written).toContain('- kind: Cat\n  properties:\n  - name: colour\n  - name: age\n    direction: desc\n');
    // A deploy would come now if the new file were a change; this one shows that the next one is seen.
    await writeFile(join(app, 'notes', 'a.txt'), 'third');
    await waitFor('the new file', async () => (await dev!.ask('/note')).text === 'third', 60_000);
    expect(dev.output.match(/deployed again/g)).toHaveLength(1);
    await dev.pressCtrlC();

    await writeFile(file, 'indexes:\n');
    dev = await DevProcess.start(app, '--ephemeral');
    expect((await dev.ask('/cats')).text).toContain('recommended index is:\n- kind: Cat\n  properties:\n  - name: colour\n  - name: age\n');
    expect(await readFile(file, 'utf8')).toBe('indexes:\n');
    await rm(file);
  });

  test('waits for an app that does not work yet to be mended', async () => {
    const broken = join(folder, 'broken', 'My Shop');
    await mkdir(broken, { recursive: true });
    await writeFile(join(broken, 'app.yaml'), APP_YAML);
    await writeFile(join(broken, 'server.js'), 'throw new Error("no luck");');
    dev = new DevProcess(broken, ['--ephemeral']);
    await dev.says(/INSTANCE_EXITED[\s\S]*no luck[\s\S]*Nothing is served yet/);
    await writeFile(join(broken, 'server.js'), server('mended'));
    await dev.ready();
    expect(await greeting()).toBe('mended');

    // One that breaks later says on its error page why: the developer is the one who sees it.
    await writeFile(join(broken, 'server.js'), CRASHING);
    await waitFor('the new version', async () => (await dev!.ask('/')).text === 'fine so far', 60_000);
    await dev.ask('/die');
    const answer = await waitFor('the failed start', async () => {
      const { status, text } = await dev!.ask('/');
      return status === 500 && text.includes('INSTANCE_EXITED') ? text : undefined;
    });
    expect(answer).toContain('exited with code 1');
    expect(answer).toContain('Error: the flag is set');
    // The platform's own log would say it once more, as JSON with a stack.
    expect(dev.output).not.toContain('"level":');
  });

  test.each([
    [['/nowhere/at/all'], 'DIRECTORY_MISSING'],
    [['.', '--app', 'Not An Id'], 'APP_ID_INVALID'],
    [['.', '--data-dir', './data'], 'among the files of the app'],
    [['notes'], 'MANIFEST_MISSING'],
    [['.', '--sandbox', 'none'], '--sandbox'],
  ])('refuses %j before anything is served', async (args, said) => {
    const { code, stderr } = await run(process.execPath, [command, 'dev', ...args], { cwd: app });
    expect(code).toBe(1);
    expect(stderr).toContain(said);
  });
});
