// One build: a command in a sandbox of its own, with the network and a writable directory, its output passed on by lines.
import { type Timers } from '../../sdk/support/clock.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type AppUser } from '../sandbox/app-users.ts';
import { type ReadOnlyMount, type SandboxExit } from '../sandbox/port.ts';
import { type BuildResult, type BuildSpec } from './build.ts';
import { readLines } from './line-splitter.ts';
import { type SpareSandbox } from './spare-sandboxes.ts';

export interface BuildRunOptions {
  readonly onOutput: (line: string) => void;
  readonly readOnlyMounts: readonly ReadOnlyMount[];
  readonly programDirectories?: readonly string[];
  /** Whom it runs as: the owner of the directory. */
  readonly user?: AppUser;
  readonly signal?: AbortSignal;
}

/** Resolves when the command has ended and nothing of it is left. Rejects with the signal's reason when that ended it. */
export async function runBuild(spec: BuildSpec, spare: SpareSandbox, timers: Timers, options: BuildRunOptions): Promise<BuildResult> {
  const { group, prepared } = spare;
  const { signal } = options;
  if (signal?.aborted) {
    await prepared.discard();
    await group.close();
    throw signal.reason as Error;
  }
  group.limit({ memoryBytesMax: spec.memoryBytesMax, pidsMax: LIMITS.buildPidsMax, cpuWeight: 1 });
  group.limitShared({ pidsMax: LIMITS.buildPidsMax, cpuWeight: 1 });
  const running = prepared.run({
    command: spec.command,
    environment: spec.environment,
    code: { directory: spec.directory, writable: true },
    readOnlyMounts: options.readOnlyMounts,
    programDirectories: options.programDirectories ?? [],
    tmpBytesMax: LIMITS.buildTmpBytesMax,
    network: true,
    ...(options.user === undefined ? {} : { user: options.user }),
  });
  const onLine = limitLines(options.onOutput);
  const output = Promise.all([readLines(running.stdout, onLine), readLines(running.stderr, onLine)]);
  const ended = { late: false };
  const cancel = timers.after(spec.timeoutMs, () => {
    ended.late = true;
    running.kill('SIGKILL');
  });
  const onAbort = (): void => {
    running.kill('SIGKILL');
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  const exit = await running.exited;
  cancel();
  signal?.removeEventListener('abort', onAbort);
  const usage = group.usage();
  await group.close();
  await output;
  if (signal?.aborted) throw signal.reason as Error;
  const { code } = exit;
  return {
    code,
    signal: exit.signal,
    reason: ended.late
      ? `it took longer than ${spec.timeoutMs / 1_000} s`
      : usage.outOfMemory
        ? `it was killed: over its memory limit of ${spec.memoryBytesMax / 2 ** 20} MiB`
        : reasonOf(exit, spec.command[0] ?? ''),
    ...(usage.cpuMicros === undefined ? {} : { cpuMicros: usage.cpuMicros }),
  };
}

function reasonOf({ code, signal, started }: SandboxExit, program: string): string {
  if (!started) return 'the sandbox could not be started';
  if (signal !== null) return `${program} was killed by ${signal}`;
  return code === 0 ? '' : `${program} exited with code ${code ?? 0}`;
}

/** The first buildOutputLinesMax lines; then one that says that the rest is not shown. */
function limitLines(onOutput: (line: string) => void): (line: string) => void {
  let lines = 0;
  return (line) => {
    lines++;
    if (lines <= LIMITS.buildOutputLinesMax) onOutput(line);
    else if (lines === LIMITS.buildOutputLinesMax + 1) onOutput(`(only the first ${LIMITS.buildOutputLinesMax} lines are shown)`);
  };
}
