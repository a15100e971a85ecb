// `npm start`: set-up, first deploy, ready line, and an end that leaves nothing behind. Without npm in between, but for one.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { command, httpByHost, isAlive, processesBelow, root, run, waitFor } from './platform-process.ts';

const undo: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** From the ready line. */
  readonly routerUrl: string;
  readonly consoleUrl: string;
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'ae-start-'));
  undo.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const SCRIPT: readonly [string, ...string[]] = [process.execPath, join(root, 'runtime', 'setup', 'start.mjs')];

async function start(dataDirectory: string, environment: NodeJS.ProcessEnv = process.env, [program, ...words] = SCRIPT): Promise<Started> {
  const child = spawn(program, [...words, '--data-dir', dataDirectory, '--port', '0', '--console-port', '0', '--datastore-port', '0'], {
    cwd: root,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  undo.push(async () => {
    if (child.exitCode === null && child.signalCode === null) await stop(child);
  });
  const match = await waitFor(
    'the ready line',
    () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${output}`);
      return /^ready router=(\S+) console=(\S+) datastore=\S+$/m.exec(output) ?? undefined;
    },
    90_000,
  );
  return { child, output: () => output, routerUrl: match[1]!, consoleUrl: match[2]! };
}

function stop(child: ChildProcess): Promise<number | null> {
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  child.kill('SIGTERM');
  return exited;
}

const portOf = (started: Started): number => Number(new URL(started.routerUrl).port);

const appengine = (started: Started, dataDirectory: string, ...words: string[]) =>
  run(process.execPath, [command, ...words, '--server', started.consoleUrl, '--data-dir', dataDirectory]);

test('SIGTERM to npm itself ends the platform: no shell stands in between that would die alone', async () => {
  const { child } = await start(await temporaryDirectory(), process.env, ['npm', 'start', '--']);
  const below = processesBelow(child.pid!);
  expect(below.length).toBeGreaterThanOrEqual(5);
  await stop(child);
  await waitFor('the end of all processes', () => !below.some(({ pid }) => isAlive(pid)), 20_000);
});

test('the first run deploys the guestbook, the second does not, and SIGTERM ends every process', async () => {
  const dataDirectory = await temporaryDirectory();
  const first = await start(dataDirectory);
  expect(first.output()).toContain('deploying the sample app guestbook');
  const guestbook = /Guestbook +(http:\/\/guestbook\.localhost:\d+\/)/.exec(first.output())?.[1];
  // Names below localhost reach this machine by themselves in browsers and curl; Node asks the system's resolver.
  expect((await httpByHost(portOf(first), 'guestbook.localhost', '/')).text).toContain('<h1>Guestbook</h1>');
  expect(guestbook).toBe(`http://guestbook.localhost:${portOf(first)}/`);
  expect(first.output()).toMatch(/^ {2}Console {5}http:\/\/127\.0\.0\.1:\d+\/sign-in#code=[\w-]{43}$/m);
  const pids = processesBelow(first.child.pid!).map((row) => row.pid);
  expect(pids.length).toBeGreaterThan(4);
  expect(await stop(first.child)).toBe(0);
  expect(pids.filter(isAlive)).toEqual([]);

  const second = await start(dataDirectory);
  expect(second.output()).not.toContain('deploying');
  expect(await stop(second.child)).toBe(0);
});

test('when the script is killed, the platform notices and ends', async () => {
  const dataDirectory = await temporaryDirectory();
  const started = await start(dataDirectory);
  const pids = processesBelow(started.child.pid!).map((row) => row.pid);
  started.child.kill('SIGKILL');
  await waitFor('every process to end', () => pids.filter(isAlive).length === 0);
});

test('without bubblewrap it says how to install it, warns loudly, and serves without isolation', async () => {
  const dataDirectory = await temporaryDirectory();
  const programs = await temporaryDirectory();
  for (const name of ['node', 'npm', 'sh', 'env']) {
    const path = (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, name));
    const { stdout } = await run('sh', ['-c', 'for file; do [ -x "$file" ] && echo "$file" && exit; done', 'sh', ...path]);
    await symlink(stdout.trim(), join(programs, name));
  }
  const started = await start(dataDirectory, { ...process.env, PATH: programs });
  expect(started.output()).toMatch(
    /\*\*\* bubblewrap is missing[\s\S]*WITHOUT ISOLATION[\s\S]*apt-get install -y --no-install-recommends bubblewrap/,
  );
  const status = await appengine(started, dataDirectory, 'status', '--json');
  expect(JSON.parse(status.stdout)).toMatchObject({ sandbox: 'process', warnings: [expect.stringContaining('ordinary processes')] });
  const app = join(programs, 'hello');
  await mkdir(app);
  await writeFile(join(app, 'app.yaml'), 'runtime: nodejs\n');
  await writeFile(join(app, 'server.js'), "require('node:http').createServer((q, r) => r.end('hello')).listen(process.env.PORT);");
  const deployed = await appengine(started, dataDirectory, 'deploy', app, '--app', 'hello');
  expect(deployed).toMatchObject({ code: 0 });
  expect((await httpByHost(portOf(started), 'hello.localhost', '/')).text).toBe('hello');
  expect(await stop(started.child)).toBe(0);
});
