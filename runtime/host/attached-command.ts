// A command of the user's beside a server of ours: it has this process's terminal, and variables of its own.
//
// Whose terminal it is decides who tells it of Ctrl-C. Where this process sits at one, the command stays in its process group: it may read
// the terminal, which signals both, so SIGINT is not sent again. Elsewhere it leads a group of its own, and a signal goes to
// that whole group: what a shell has started gets it too, and is waited for when the shell itself did not.
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { type CommandEnd, type RunningCommand, type UserCommand } from '../../sdk/contract/emulator.ts';
import { sleep, type Timers } from '../../sdk/support/clock.ts';

const NOT_FOUND = 127;
const NOT_RUNNABLE = 126;
const SIGNALLED = 128;
/** How long what a signalled shell had started may go on; it may have been meant to outlive it. */
const GROUP_ENDS_MS = 5_000;
const LOOK_EVERY_MS = 20;

export interface AttachedTo {
  readonly environment: NodeJS.ProcessEnv;
  /** Whether standard input is a terminal. */
  readonly isTerminal: boolean;
  readonly timers: Timers;
}

/** `variables` are beside what it finds in the environment, and instead of it. */
export function startAttachedCommand(
  command: UserCommand,
  variables: Readonly<Record<string, string>>,
  { environment, isTerminal, timers }: AttachedTo,
): RunningCommand {
  const [program, ...words] = command.kind === 'shell' ? (['/bin/sh', '-c', command.text] as const) : command.words;
  const child = spawn(program, words, { stdio: 'inherit', env: { ...environment, ...variables }, detached: !isTerminal });
  let isSignalled = false;
  return {
    ended: new Promise((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        // It is also told of signals that could not be sent; those do not matter.
        if (child.pid === undefined) resolve(notStarted(program, error));
      });
      child.once('close', (code, signal) => {
        if (child.pid === undefined) return;
        const over = isSignalled ? groupEnded(child.pid, timers) : Promise.resolve();
        void over.then(() => {
          resolve(endOf(code, signal));
        });
      });
    }),
    signal: (name) => {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      if (!isTerminal) {
        isSignalled = true;
        signalGroup(child, child.pid, name);
      } else if (name !== 'SIGINT') child.kill(name);
    },
  };
}

function signalGroup(child: ChildProcess, pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    // Not yet a leader, or gone.
    child.kill(name);
  }
}

async function groupEnded(pid: number, timers: Timers): Promise<void> {
  for (let waitedMs = 0; waitedMs < GROUP_ENDS_MS && isThere(pid); waitedMs += LOOK_EVERY_MS) await sleep(timers, LOOK_EVERY_MS);
}

function isThere(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch {
    return false;
  }
}

function endOf(code: number | null, signal: NodeJS.Signals | null): CommandEnd {
  return { code: signal === null ? (code ?? 1) : SIGNALLED + constants.signals[signal] };
}

function notStarted(program: string, { code, message }: NodeJS.ErrnoException): CommandEnd {
  const reason = code === 'ENOENT' ? 'there is no such program' : code === 'EACCES' ? 'it may not be run' : message;
  return { code: code === 'ENOENT' ? NOT_FOUND : NOT_RUNNABLE, failure: `"${program}": ${reason}` };
}
