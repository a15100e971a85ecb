// No sandbox: a plain child process, for development on systems without namespaces. It keeps the contract of port.ts
// but for what only a kernel can give, and says so.
import { type ChildProcess, spawn } from 'node:child_process';
import { lstatSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { assert } from '../../sdk/support/assert.ts';
import { launcherArguments, launcherInput, launcherJoin } from './launcher.ts';
import { mainProcesses } from './main-process.ts';
import {
  CODE_DIRECTORY,
  PACKAGES_DIRECTORY,
  type PreparedSandbox,
  type Sandbox,
  type SandboxExit,
  type SandboxProcess,
  type SandboxSpec,
  SOCKETS_DIRECTORY,
} from './port.ts';
import { processLimits } from './process-limits.ts';
import { type ResourceGroup } from './resource-control.ts';
import { signalQuietly } from './signal.ts';

/** Tells programs that the loopback is not theirs alone: ports that are fixed elsewhere must be picked (languages/forwarder). */
const SHARED_NETWORK = { APPENGINE_SHARED_NETWORK: '1' };

export class ProcessSandbox implements Sandbox {
  readonly kind = 'process';
  readonly warnings: readonly string[] = [
    'apps run as ordinary processes: they can read and write everything that you can, reach the network, and see each other',
  ];

  start(): Promise<void> {
    return Promise.resolve();
  }

  prepare(): PreparedSandbox {
    let joined: ResourceGroup | undefined;
    return {
      join: (group) => {
        joined = group;
      },
      run: (spec) => {
        assert(joined, 'a sandbox joins a group before it runs');
        return run(spec, joined);
      },
      discard: () => Promise.resolve(),
    };
  }
}

function run(spec: SandboxSpec, group: ResourceGroup): SandboxProcess {
  const here = hostPaths(spec);
  linkPackages(spec);
  const translate = (text: string): string => here.reduce((result, [inside, outside]) => result.replaceAll(inside, outside), text);
  const inside: Record<string, string> = {
    PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
    HOME: '/tmp',
    ...spec.environment,
    ...SHARED_NETWORK,
  };
  inside['PATH'] = [...(spec.programDirectories ?? []), inside['PATH'] ?? ''].join(':');
  const environment = Object.fromEntries(Object.entries(inside).map(([name, value]) => [name, translate(value)]));
  const child = spawn('/bin/sh', [...launcherArguments(3)], {
    env: environment,
    cwd: spec.code.directory,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    // A session of its own, so that all of it can be signalled and none of it holds our terminal.
    detached: true,
  });
  child.on('error', () => undefined);
  const input = child.stdio[3];
  assert(input && 'write' in input, 'descriptor 3 is a pipe');
  input.on('error', () => undefined);
  // The launcher would leave descriptor 3 to the app, so the command closes it first.
  const command = ['/bin/sh', '-c', 'exec "$@" 3<&-', 'close', ...spec.command.map(translate)];
  input.end(launcherJoin(group.joinFiles) + launcherInput(command, { limits: processLimits({ code: spec.code }) }));
  return new PlainProcess(child, spec.socketDirectory);
}

/** Inside path → host path, the longest first. */
function hostPaths(spec: SandboxSpec): readonly (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [
    [CODE_DIRECTORY, spec.code.directory],
    ...spec.readOnlyMounts.map(({ from, to }) => [to, from] as const),
    ...(spec.socketDirectory === undefined ? [] : [[SOCKETS_DIRECTORY, spec.socketDirectory] as const]),
  ];
  return pairs.sort(([a], [b]) => b.length - a.length);
}

/** Node looks for packages beside the code directory: what a sandbox mounts there becomes a link. */
function linkPackages(spec: SandboxSpec): void {
  for (const { from, to } of spec.readOnlyMounts) {
    if (dirname(to) !== PACKAGES_DIRECTORY) continue;
    const link = join(dirname(spec.code.directory), 'node_modules', basename(to));
    if (targetOf(link) === from) continue;
    mkdirSync(dirname(link), { recursive: true });
    rmSync(link, { recursive: true, force: true });
    symlinkSync(from, link);
  }
}

function targetOf(link: string): string | undefined {
  return lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(link) : undefined;
}

class PlainProcess implements SandboxProcess {
  readonly pid: number | undefined;
  readonly stdout;
  readonly stderr;
  readonly spawned = Promise.resolve();
  readonly exited: Promise<SandboxExit>;
  readonly #child: ChildProcess;
  readonly #socketDirectory: string | undefined;
  #ended = false;

  constructor(child: ChildProcess, socketDirectory: string | undefined) {
    this.#socketDirectory = socketDirectory;
    const { stdout, stderr } = child;
    assert(stdout && stderr, 'standard output and error are pipes');
    this.#child = child;
    this.pid = child.pid;
    this.stdout = stdout;
    this.stderr = stderr;
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#signalAll('SIGKILL');
        this.#ended = true;
        resolve({ code, signal, started: true });
      });
      child.once('error', () => {
        if (child.pid === undefined) resolve({ code: null, signal: null, started: false });
      });
    });
  }

  appSocketDirectory(): string | undefined {
    return this.#socketDirectory === undefined ? undefined : join(this.#socketDirectory, 'app');
  }

  filesWritten(): undefined {
    // It writes to the machine's own /tmp.
    return undefined;
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (this.#ended || this.pid === undefined) return;
    if (signal === 'SIGKILL') this.#signalAll(signal);
    else for (const pid of mainProcesses(this.pid)) signalQuietly(pid, signal);
  }

  /** The session's process group; what left it is the resource group's to kill. */
  #signalAll(signal: NodeJS.Signals): void {
    if (this.pid !== undefined) signalQuietly(-this.pid, signal);
  }
}
