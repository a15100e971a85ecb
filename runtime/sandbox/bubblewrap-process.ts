// A command in bubblewrap that runs or has ended: what bubblewrap says of it, and signals that reach it.
import { type ChildProcess } from 'node:child_process';
import { statfsSync } from 'node:fs';
import { constants } from 'node:os';
import { type Readable } from 'node:stream';
import { assert } from '../../sdk/support/assert.ts';
import { childrenOf, mainProcesses } from './main-process.ts';
import { APP_SOCKET_DIRECTORY, type SandboxExit, type SandboxProcess } from './port.ts';
import { signalQuietly } from './signal.ts';
import { SPACE_DIRECTORIES } from './writable-space.ts';

/** statfs(2). Before it is mounted, the same path shows the directory beneath. */
const TMPFS_MAGIC = 0x01_02_19_94;
const WRITABLE = Object.keys(SPACE_DIRECTORIES);
/** Shells and bubblewrap report "ended by signal N" as this plus N. */
const SIGNAL_EXIT_BASE = 128;

export interface BubblewrapProcessOptions {
  /** The descriptor to which bubblewrap writes its status. */
  readonly statusDescriptor: number;
  /** Whether files without number can be made, so that they are to be counted. */
  readonly counted: boolean;
}

export class BubblewrapProcess implements SandboxProcess {
  readonly pid: number | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly spawned: Promise<void>;
  readonly exited: Promise<SandboxExit>;
  readonly #child: ChildProcess;
  readonly #counted: boolean;
  #initPid: number | undefined;
  #exitCode: number | undefined;
  #counts = 0;
  #ended = false;

  constructor(child: ChildProcess, { statusDescriptor, counted }: BubblewrapProcessOptions) {
    const { stdout, stderr } = child;
    assert(stdout && stderr, 'standard output and error are pipes');
    this.#child = child;
    this.#counted = counted;
    this.pid = child.pid;
    this.stdout = stdout;
    this.stderr = stderr;
    const status = child.stdio[statusDescriptor] as Readable;
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

  /** Each call looks at the next of the places. */
  filesWritten(): number | undefined {
    if (!this.#counted || this.#initPid === undefined || this.#ended) return undefined;
    const place = WRITABLE[this.#counts++ % WRITABLE.length] ?? '';
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
