// The contract of runtime/sandbox/port.ts, for every adapter. What only a real sandbox gives (files, network, system calls,
// users, the count of files) the port says, and tests/hostile tries.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { BubblewrapSandbox } from '../../runtime/sandbox/bubblewrap-sandbox.ts';
import { type Sandbox, type SandboxExit, type SandboxSpec } from '../../runtime/sandbox/port.ts';
import { ProcessSandbox } from '../../runtime/sandbox/process-sandbox.ts';
import { type ResourceControl } from '../../runtime/sandbox/resource-control.ts';
import { startResourceControl } from '../../runtime/sandbox/resource-control-choice.ts';
import { ownMounts } from '../../runtime/sandbox/writable-space.ts';
import { bubblewrapSkip } from './sandbox-skip.ts';

const skip = await bubblewrapSkip();
const adapters: [string, boolean, (scratchDirectory: string) => Sandbox][] = [
  [
    `bubblewrap${skip === undefined ? '' : ` (SKIPPED: ${skip})`}`,
    skip === undefined,
    (scratchDirectory) => new BubblewrapSandbox({ scratchDirectory }),
  ],
  [
    `bubblewrap without root${skip === undefined ? '' : ` (SKIPPED: ${skip})`}`,
    skip === undefined,
    (scratchDirectory) => new BubblewrapSandbox({ scratchDirectory, ownMounts: ownMounts(undefined) }),
  ],
  ['process', true, () => new ProcessSandbox()],
];

describe.each(adapters)('sandbox: %s', (name, available, build) => {
  let directory: string;
  let sandbox: Sandbox;
  let resources: ResourceControl;
  let groups = 0;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ae-sandbox-'));
    for (const name of ['code/app', 'sockets/app', 'packages/appengine']) await mkdir(join(directory, name), { recursive: true });
    await writeFile(join(directory, 'code/app/greeting.txt'), 'hello from the code directory');
    await writeFile(join(directory, 'packages/appengine/package.json'), '{"name":"appengine","type":"module","exports":"./index.js"}');
    await writeFile(join(directory, 'packages/appengine/index.js'), 'export const name = "the platform\'s package";');
    if (!available) return;
    resources = await startResourceControl(directory, systemTimers, new MemoryLog());
    sandbox = build(join(directory, 'scratch'));
    await sandbox.start();
  });

  afterAll(async () => {
    if (available) await resources.close();
    await rm(directory, { recursive: true, force: true });
  });

  function begin(command: readonly string[], options: Partial<SandboxSpec> = {}) {
    const group = resources.create(`test-${groups++}`);
    group.limit({ memoryBytesMax: 256 * 2 ** 20, pidsMax: 64, cpuWeight: 1 });
    const prepared = sandbox.prepare();
    prepared.join(group);
    const running = prepared.run({
      command,
      environment: {},
      code: { directory: join(directory, 'code/app'), writable: false },
      socketDirectory: join(directory, 'sockets'),
      readOnlyMounts: [{ from: join(directory, 'packages/appengine'), to: '/srv/node_modules/appengine' }],
      tmpBytesMax: 2 ** 20,
      network: false,
      ...options,
    });
    const stdout = textOf(running.stdout);
    const stderr = textOf(running.stderr);
    const finish = async (): Promise<SandboxExit & { stdout: string; stderr: string }> => {
      const exit = await running.exited;
      await group.close();
      return { ...exit, stdout: await stdout, stderr: await stderr };
    };
    return { running, group, finish };
  }

  const run = (command: readonly string[], options: Partial<SandboxSpec> = {}) => begin(command, options).finish();
  const node = (code: string, options: Partial<SandboxSpec> = {}) => run(['node', '-e', code], options);

  test.runIf(available)('reports output and exit code', async () => {
    const result = await node(`console.log('out'); console.error('err'); process.exitCode = 3`);
    expect(result).toEqual({ code: 3, signal: null, started: true, stdout: 'out\n', stderr: 'err\n' });
  });

  test.runIf(available)('reports the signal that ended the command', async () => {
    expect(await node(`process.kill(process.pid, 'SIGSEGV')`)).toMatchObject({ code: null, signal: 'SIGSEGV', started: true });
  });

  test.runIf(available)('passes arguments and variables exactly, and none of its own process', async () => {
    const odd = ['', ' ', `a 'b' "c"`, '$(id)', 'line\nbreak\n', '+', '-', '!', '.', '\\n', 'ü€'];
    process.env.HOST_SECRET = 'do not pass me';
    const result = await run(['node', '-e', 'console.log(JSON.stringify([process.argv.slice(1), process.env]))', '--', ...odd], {
      environment: { ODD: 'a\nb=c $X', EMPTY: '', LD_PRELOAD: '' },
    });
    delete process.env.HOST_SECRET;
    const [args, environment] = JSON.parse(result.stdout) as [string[], Record<string, string>];
    expect(args).toEqual(odd);
    expect(environment).toMatchObject({ ODD: 'a\nb=c $X', EMPTY: '' });
    expect(
      Object.keys(environment).filter(
        (name) => !['ODD', 'EMPTY', 'LD_PRELOAD', 'PATH', 'HOME', 'PWD', 'OLDPWD', 'SHLVL', '_', 'APPENGINE_SHARED_NETWORK'].includes(name),
      ),
    ).toEqual([]);
  });

  test.runIf(available)('starts in the code directory', async () => {
    expect((await run(['cat', 'greeting.txt'])).stdout).toBe('hello from the code directory');
    expect((await run(['cat', '/srv/app/greeting.txt'])).stdout).toBe('hello from the code directory');
  });

  test.runIf(available)('resolves the platform packages from the code directory', async () => {
    const { stdout } = await run(['node', '--input-type=module', '-e', `import { name } from 'appengine'; console.log(name)`]);
    expect(stdout).toBe("the platform's package\n");
  });

  test.runIf(available)('lets a build write its directory', async () => {
    await run(['sh', '-c', 'echo built > made.txt'], { code: { directory: join(directory, 'code/app'), writable: true } });
    expect(await readFile(join(directory, 'code/app/made.txt'), 'utf8')).toBe('built\n');
  });

  test.runIf(available)('lets the app make a socket where the host finds it', async () => {
    const { running, finish } = begin(
      ['node', '-e', `require('net').createServer().listen(process.env.WHERE, () => console.log('listening'))`],
      {
        environment: { WHERE: '/run/appengine/app/app.sock' },
      },
    );
    await new Promise((resolve) => running.stdout.once('data', resolve));
    const found = running.appSocketDirectory();
    expect(await readdir(found ?? '')).toEqual(['app.sock']);
    running.kill('SIGKILL');
    expect(await finish()).toMatchObject({ stdout: 'listening\n', signal: 'SIGKILL' });
    await rm(join(directory, 'sockets/app/app.sock'), { force: true });
  });

  test.runIf(available).each([
    [
      'directly',
      [
        'node',
        '-e',
        `process.on('SIGTERM', () => { console.log('bye'); process.exit(0) }); setInterval(() => {}, 1000); console.log('up')`,
      ],
    ],
    [
      'behind a shell',
      [
        'sh',
        '-c',
        `node -e "process.on('SIGTERM', () => { console.log('bye'); process.exit(0) }); setInterval(() => {}, 1000); console.log('up')"; true`,
      ],
    ],
  ])('delivers SIGTERM to the app started %s', async (_how, command) => {
    const { running, finish } = begin(command);
    await new Promise((resolve) => running.stdout.once('data', resolve));
    running.kill('SIGTERM');
    expect((await finish()).stdout).toBe('up\nbye\n');
  });

  test.runIf(available)('tells a command that was never executed from one that failed', async () => {
    const missing = await run(['true'], { code: { directory: join(directory, 'nowhere'), writable: false } });
    expect(missing.started).toBe(false);
  });

  test.runIf(available)('leaves the app descriptors 0 to 2 and no other', async () => {
    const { stdout } = await run([
      'node',
      '-e',
      `console.log(require('fs').readdirSync('/proc/self/fd').filter((fd) => fd > 2 && !isOwn(fd)).join());
      function isOwn(fd) {
        // Node's own are closed on exec, and the directory that is being read is gone.
        try { return (parseInt(/flags:\\t(\\d+)/.exec(require('fs').readFileSync('/proc/self/fdinfo/' + fd, 'utf8'))[1], 8) & 0o2000000) !== 0 } catch { return true }
      }`,
    ]);
    expect(stdout.trim()).toBe('');
  });

  test.runIf(available)('limits descriptors and memory images of each process, and the files of builds', async () => {
    const limits = ['sh', '-c', 'ulimit -n; ulimit -c; ulimit -f'];
    const lines = ({ stdout }: { readonly stdout: string }) => stdout.trim().split('\n');
    expect(lines(await run(limits)).slice(0, 2)).toEqual([String(LIMITS.instanceDescriptorsMax), '0']);
    const build = await run(limits, { code: { directory: join(directory, 'code/app'), writable: true } });
    expect(Number(lines(build)[2]) * 512).toBe(LIMITS.buildFileBytesMax);
  });

  test.runIf(available && name !== 'process')('limits the size of what the app may write, and the number of files in it', async () => {
    for (const tmpBytesMax of [2 ** 20, LIMITS.instanceTmpBytesMax]) {
      const { stdout } = await run(['stat', '-f', '-c', '%S %b %c', '/tmp', '/dev/shm', '/run/appengine/app'], { tmpBytesMax });
      expect(stdout).toBe(`4096 ${tmpBytesMax / 4_096} ${tmpBytesMax / LIMITS.tmpBytesPerFile}\n`.repeat(3));
    }
  });

  test.runIf(available)('can be discarded before it ran anything', async () => {
    const group = resources.create('discarded');
    const prepared = sandbox.prepare();
    prepared.join(group);
    await prepared.discard();
    await group.close();
    await sandbox.prepare().discard();
  });
});

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await new Promise((resolve) => stream.once('close', resolve));
  return text;
}
