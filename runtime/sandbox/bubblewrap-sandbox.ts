// The sandbox of Linux: bubblewrap, https://github.com/containers/bubblewrap, version 0.8 or newer (--disable-userns).
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync, statfsSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { type Readable, type Writable } from 'node:stream';
import { promisify } from 'node:util';
import { assert } from '../../sdk/support/assert.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { bubblewrapOptions, type HostLayout } from './bubblewrap-arguments.ts';
import { readHostLayout } from './host-layout.ts';
import { launcherArguments, launcherInput } from './launcher.ts';
import { childrenOf, mainProcesses } from './main-process.ts';
import {
  APP_SOCKET_DIRECTORY,
  type PreparedSandbox,
  type Sandbox,
  type SandboxExit,
  type SandboxProcess,
  type SandboxSpec,
} from './port.ts';
import { type ResourceGroup } from './resource-control.ts';
import { processLimits } from './process-limits.ts';
import { signalQuietly } from './signal.ts';
import { becomeUser } from './user-namespace.ts';
import { architectureOf, systemCallFilter } from './system-calls/filter.ts';

const BUBBLEWRAP_INSTALL = 'apt-get install bubblewrap';

/** The launcher and bubblewrap run outside: of the app's variables they see none. Found where the operator's shell finds it. */
const OUTSIDE_ENVIRONMENT = { PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin' };
/** statfs(2). Before it is mounted, the same path shows the directory beneath. */
const TMPFS_MAGIC = 0x01_02_19_94;
const WRITABLE = ['/tmp', '/dev/shm', APP_SOCKET_DIRECTORY];
const ARGUMENTS_DESCRIPTOR = 3;
const STATUS_DESCRIPTOR = 4;
const FILTER_DESCRIPTOR = 5;
/** Shells and bubblewrap report "ended by signal N" as this plus N. */
const SIGNAL_EXIT_BASE = 128;

export class BubblewrapSandbox implements Sandbox {
  readonly kind = 'bubblewrap';
  readonly warnings: readonly string[] = [];
  readonly #scratchDirectory: string;
  #host: HostLayout | undefined;

  /** Files made for the sandboxes go to `scratchDirectory`, which must outlive them. */
  constructor(options: { readonly scratchDirectory: string }) {
    this.#scratchDirectory = options.scratchDirectory;
  }

  async start(): Promise<void> {
    const architecture = architectureOf(process.arch);
    if (architecture === undefined)
      throw new PlatformError('INSTANCE_SPAWN_FAILED', `there is no filter of system calls for ${process.arch} yet`);
    this.#host = readHostLayout(this.#scratchDirectory, process.execPath, process.env['JAVA_HOME']);
    const spec: SandboxSpec = {
      command: ['true'],
      environment: {},
      code: { directory: this.#host.generatedEtc, writable: false },
      readOnlyMounts: [],
      tmpBytesMax: 65_536,
      network: false,
    };
    writeFileSync(this.#filterFile, systemCallFilter(architecture));
    const options = [...bubblewrapOptions(spec, this.#host), '--seccomp', String(FILTER_DESCRIPTOR), '--', ...spec.command];
    try {
      await promisify(execFile)('/bin/sh', ['-c', `exec bwrap "$@" ${FILTER_DESCRIPTOR}<"$0"`, this.#filterFile, ...options], {
        env: OUTSIDE_ENVIRONMENT,
      });
    } catch (cause) {
      throw new PlatformError('INSTANCE_SPAWN_FAILED', whyBubblewrapFails(cause), { cause });
    }
  }

  get #filterFile(): string {
    return join(this.#scratchDirectory, 'system-calls.bpf');
  }

  prepare(group: ResourceGroup): PreparedSandbox {
    const host = this.#host;
    assert(host, 'the sandbox is started before it is used');
    const filter = openSync(this.#filterFile, 'r');
    const child = spawn('/bin/sh', [...launcherArguments(group.joinFiles, FILTER_DESCRIPTOR)], {
      env: OUTSIDE_ENVIRONMENT,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', filter],
      // Out of reach of a Ctrl-C, which would end the app in the middle of a request: the host ends it in order.
      detached: true,
    });
    closeSync(filter);
    // A failed spawn shows as an exit; without a listener it would end this process.
    child.on('error', () => undefined);
    const input = child.stdio[ARGUMENTS_DESCRIPTOR] as Writable;
    input.on('error', () => undefined);
    return {
      run: (spec) => {
        const running = new BubblewrapProcess(child);
        const command = launcherInput(
          [
            ...(spec.user === undefined ? [] : becomeUser(spec.user.uid)),
            'bwrap',
            '--args',
            String(ARGUMENTS_DESCRIPTOR),
            '--json-status-fd',
            String(STATUS_DESCRIPTOR),
            '--seccomp',
            String(FILTER_DESCRIPTOR),
            '--',
            ...spec.command,
          ],
          { limits: processLimits(spec), ...(spec.user === undefined ? {} : { namespace: spec.user.namespace }) },
        );
        input.write(command);
        const readOnlyMounts = [...spec.readOnlyMounts, ...group.visible];
        input.end(bubblewrapOptions({ ...spec, readOnlyMounts }, host).join('\0') + '\0');
        return running;
      },
      discard: () => {
        child.kill('SIGKILL');
      },
    };
  }
}

class BubblewrapProcess implements SandboxProcess {
  readonly pid: number | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly spawned: Promise<void>;
  readonly exited: Promise<SandboxExit>;
  readonly #child: ChildProcess;
  #initPid: number | undefined;
  #exitCode: number | undefined;
  #counted = 0;
  #ended = false;

  constructor(child: ChildProcess) {
    const { stdout, stderr } = child;
    assert(stdout && stderr, 'standard output and error are pipes');
    this.#child = child;
    this.pid = child.pid;
    this.stdout = stdout;
    this.stderr = stderr;
    const status = child.stdio[STATUS_DESCRIPTOR] as Readable;
    this.exited = this.#waitForExit(status);
    this.spawned = new Promise((resolve) => {
      status.once('data', () => {
        resolve();
      });
      void this.exited.then(() => {
        resolve();
      });
    });
  }

  appSocketDirectory(): string | undefined {
    if (this.#initPid === undefined || this.#ended) return undefined;
    // Through the process, because what is mounted inside is not part of the host's own tree.
    const path = `/proc/${this.#initPid}/root${APP_SOCKET_DIRECTORY}`;
    try {
      return statfsSync(path).type === TMPFS_MAGIC ? path : undefined;
    } catch {
      return undefined;
    }
  }

  /** bubblewrap gives a tmpfs a size and no number of files. Each call looks at the next of the places. */
  filesWritten(): number | undefined {
    if (this.#initPid === undefined || this.#ended) return undefined;
    const place = WRITABLE[this.#counted++ % WRITABLE.length] ?? '';
    try {
      const { type, files, ffree } = statfsSync(`/proc/${this.#initPid}/root${place}`);
      return type === TMPFS_MAGIC ? files - ffree : undefined;
    } catch {
      return undefined;
    }
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (this.#ended) return;
    // Process 1 inside is bubblewrap's reaper; the app is its child.
    const pids = signal === 'SIGTERM' && this.#initPid !== undefined ? childrenOf(this.#initPid).flatMap(mainProcesses) : [];
    // Before the command runs there is nobody to ask, so a polite end is the same as a hard one.
    if (pids.length === 0) this.#child.kill('SIGKILL');
    for (const pid of pids) signalQuietly(pid, signal);
  }

  #waitForExit(status: Readable): Promise<SandboxExit> {
    let text = '';
    status.setEncoding('utf8');
    status.on('data', (chunk: string) => {
      text += chunk;
      this.#initPid ??= numberAfter(text, 'child-pid');
      this.#exitCode ??= numberAfter(text, 'exit-code');
    });
    const statusEnded = new Promise<void>((resolve) => {
      status.once('close', resolve);
    });
    return new Promise((resolve) => {
      const finish = (signal: NodeJS.Signals | null): void => {
        this.#ended = true;
        // The outermost process held the other end of the status pipe, so its last words are in by now or never come.
        void statusEnded.then(() => {
          resolve(exitOf(this.#exitCode, signal));
        });
      };
      this.#child.once('exit', (_code, signal) => {
        finish(signal);
      });
      this.#child.once('error', () => {
        if (this.#child.pid === undefined) resolve({ code: null, signal: null, started: false });
      });
    });
  }
}

function exitOf(exitCode: number | undefined, outerSignal: NodeJS.Signals | null): SandboxExit {
  if (exitCode === undefined) return { code: null, signal: outerSignal, started: outerSignal !== null };
  const signal = signalOf(exitCode);
  return signal === undefined ? { code: exitCode, signal: null, started: true } : { code: null, signal, started: true };
}

function signalOf(exitCode: number): NodeJS.Signals | undefined {
  const found = Object.entries(constants.signals).find(([, number]) => number === exitCode - SIGNAL_EXIT_BASE);
  return found?.[0] as NodeJS.Signals | undefined;
}

/** The status is a sequence of small JSON objects; they may come in any number of pieces. */
function numberAfter(text: string, key: string): number | undefined {
  const match = new RegExp(`"${key}": (\\d+)[ ,}\\n]`).exec(text);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

function whyBubblewrapFails(cause: unknown): string {
  const { code, stderr } = cause as { readonly code?: unknown; readonly stderr?: string };
  if (code === 'ENOENT' || code === 127) return `bubblewrap is not installed; install it with: ${BUBBLEWRAP_INSTALL}`;
  const said = stderr?.trim() ?? '';
  if (said.includes('Unknown option')) return `this bubblewrap is too old, 0.8 or newer is needed: ${said}`;
  if (said.includes('Operation not permitted') || said.includes('Permission denied')) {
    return `this machine does not let bubblewrap make namespaces (see kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns): ${said}`;
  }
  return said === '' ? String(cause) : said;
}
