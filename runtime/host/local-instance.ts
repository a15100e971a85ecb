// One instance: its directory, its sandbox, its log, and what is known of it.
//
// States: starting → ready      the app accepts connections
//         starting → stopping   stopped before it was ready
//         starting → exited     it failed to start
//         ready    → stopping   SIGTERM was sent
//         ready    → exited     it died
//         stopping → exited
import { chmodSync, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { nextLargerClass } from '../../sdk/contract/app-manifest/instance-class.ts';
import { type StartPhases } from '../../sdk/contract/cold-start.ts';
import { assert } from '../../sdk/support/assert.ts';
import { type Cancel, type Clock, sleep, type Timers } from '../../sdk/support/clock.ts';
import { type AppUser } from '../sandbox/app-users.ts';
import { type ReadOnlyMount, type SandboxExit, type SandboxProcess } from '../sandbox/port.ts';
import { type ResourceGroup, type ResourceUsage } from '../sandbox/resource-control.ts';
import { filesMax } from '../sandbox/writable-space.ts';
import { AppSocket } from './app-socket.ts';
import { type GroupMeter } from './group-meter.ts';
import { instanceEnvironment } from './instance-environment.ts';
import { InstanceLog, type InstanceLogSink } from './instance-log.ts';
import { type InstanceExit, type InstanceSpec, type InstanceState, type InstanceView } from './instance.ts';
import { type MemoryUse } from './memory-budget.ts';
import { type SpareSandbox } from './spare-sandboxes.ts';

/** How long the last lines of an app that ended may take to come through. */
const DRAIN_MS_MAX = 500;

const NEXT: Readonly<Record<InstanceState, readonly InstanceState[]>> = {
  starting: ['ready', 'stopping', 'exited'],
  ready: ['stopping', 'exited'],
  stopping: ['exited'],
  exited: [],
};

type Cause = 'never-listened' | 'out-of-memory' | 'too-many-files' | 'stopped' | 'grace-over';

export interface LocalInstanceOptions {
  readonly directory: string;
  readonly readOnlyMounts: readonly ReadOnlyMount[];
  readonly programDirectories?: readonly string[];
  /** Whom it runs as. */
  readonly user?: AppUser;
  /** Called on each change of state; the view is the newest. */
  readonly onChange: (view: InstanceView) => void;
  /** Told what it used, to the last. */
  readonly meter?: GroupMeter;
}

export class LocalInstance {
  readonly #spec: InstanceSpec;
  readonly #spare: SpareSandbox;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #options: LocalInstanceOptions;
  readonly #log: InstanceLog;
  readonly #socket: AppSocket;
  readonly #startedAtMs: number;
  readonly #askedAtMs: number;
  #state: InstanceState = 'starting';
  #phases: StartPhases = {};
  #usage: ResourceUsage = { outOfMemory: false };
  #process: SandboxProcess | undefined;
  /** Why we ended it, when we did: the first reason counts. */
  #cause: Cause | undefined;
  #exit: InstanceExit | undefined;
  #cancelReady: Cancel | undefined;
  #cancelGrace: Cancel | undefined;
  #exited: Promise<void> | undefined;

  constructor(spec: InstanceSpec, spare: SpareSandbox, sink: InstanceLogSink, clock: Clock, timers: Timers, options: LocalInstanceOptions) {
    this.#spec = spec;
    this.#spare = spare;
    this.#clock = clock;
    this.#timers = timers;
    this.#options = options;
    this.#startedAtMs = clock.nowMs();
    this.#askedAtMs = clock.monotonicMs();
    const { appId, service, version } = spec;
    this.#log = new InstanceLog(sink, clock, timers, { appId, service, version, instanceId: spare.id });
    this.#socket = new AppSocket(timers, {
      directory: options.directory,
      locate: () => this.#process?.appSocketDirectory(),
      onPhase: (phase) => {
        this.#reach(phase === 'runtime' ? 'runtimeMs' : 'loadMs');
      },
      onListening: () => {
        this.#becomeReady();
      },
    });
  }

  get id(): string {
    return this.#spare.id;
  }

  get group(): ResourceGroup {
    return this.#spare.group;
  }

  get cpuWeight(): number {
    return this.#spec.cpuWeight;
  }

  get view(): InstanceView {
    const { appId, service, version, deploymentId } = this.#spec;
    const { cpuMicros, memoryBytes } = this.#usage;
    const pid = this.#process?.pid;
    return {
      id: this.id,
      appId,
      service,
      version,
      deploymentId,
      state: this.#state,
      ...(pid === undefined ? {} : { pid }),
      socketDirectory: this.#options.directory,
      startedAtMs: this.#startedAtMs,
      phases: this.#phases,
      ...(cpuMicros === undefined ? {} : { cpuMicros }),
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      memoryBytesMax: this.#spec.memoryBytesMax,
      ...(this.#exit === undefined ? {} : { exit: this.#exit }),
    };
  }

  get memory(): MemoryUse {
    return { memoryBytesMax: this.#spec.memoryBytesMax, memoryBytes: this.#usage.memoryBytes };
  }

  /** Resolves when it has exited and nothing of it is left: no process, no group, no directory. */
  get exited(): Promise<void> {
    assert(this.#exited, 'the instance was started');
    return this.#exited;
  }

  start(): void {
    const { memoryBytesMax, pidsMax, cpuWeight, tmpBytesMax, codeDirectory, command, readyMsMax } = this.#spec;
    const { user } = this.#options;
    this.#makeDirectory();
    this.#spare.group.limit({ memoryBytesMax, pidsMax, cpuWeight });
    const running = this.#spare.prepared.run({
      command,
      environment: instanceEnvironment(this.#spec, this.id),
      code: { directory: codeDirectory, writable: false },
      socketDirectory: this.#options.directory,
      readOnlyMounts: this.#options.readOnlyMounts,
      programDirectories: this.#options.programDirectories ?? [],
      tmpBytesMax,
      network: false,
      ...(user === undefined ? {} : { user }),
    });
    this.#process = running;
    this.#socket.start();
    this.#log.attach(running.stdout, 'stdout');
    this.#log.attach(running.stderr, 'stderr');
    this.#cancelReady = this.#timers.after(readyMsMax, () => {
      this.#end('never-listened');
    });
    void running.spawned.then(() => {
      this.#reach('spawnMs');
    });
    this.#exited = running.exited.then((exit) => this.#finish(exit));
    this.#options.onChange(this.view);
  }

  /** The app, another user than ours, may go through it; what is above it is ours alone (data-directory.ts). */
  #makeDirectory(): void {
    const { directory } = this.#options;
    mkdirSync(join(directory, 'app'), { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o755);
  }

  stop(graceMs: number): void {
    if (this.#state === 'stopping' || this.#state === 'exited') return;
    this.#cause ??= 'stopped';
    this.#transition('stopping');
    this.#process?.kill('SIGTERM');
    this.#cancelGrace = this.#timers.after(graceMs, () => {
      if (this.#cause === 'stopped') this.#cause = 'grace-over';
      this.#process?.kill('SIGKILL');
    });
  }

  /** Reads the meters, and ends an instance of which the kernel has killed a part for its memory. */
  sample(): void {
    if (this.#state === 'exited') return;
    this.#usage = this.#spare.group.usage();
    this.#meterUsage();
    this.#log.reportDropped();
    if (this.#usage.outOfMemory) this.#end('out-of-memory');
    if ((this.#process?.filesWritten() ?? 0) > filesMax(this.#spec.tmpBytesMax)) this.#end('too-many-files');
  }

  #meterUsage(): void {
    const { meter } = this.#options;
    meter?.cpu(this.#usage.cpuMicros);
    meter?.lifetime(this.#clock.monotonicMs());
  }

  /** The first time counts: an app may make its socket again. */
  #reach(phase: keyof StartPhases): void {
    if (this.#phases[phase] === undefined) this.#phases = { ...this.#phases, [phase]: this.#sinceAskedMs() };
  }

  #becomeReady(): void {
    if (this.#state !== 'starting' || this.#cause !== undefined) return;
    this.#cancelReady?.();
    this.#reach('readyMs');
    this.#transition('ready');
  }

  #end(cause: Cause): void {
    this.#cause ??= cause;
    this.#process?.kill('SIGKILL');
  }

  async #finish(exit: SandboxExit): Promise<void> {
    this.#cancelReady?.();
    this.#cancelGrace?.();
    this.#socket.close();
    this.#usage = this.#spare.group.usage();
    // First all processes, since a daemon that still holds stdout would keep the log open.
    await this.#spare.group.close();
    // The last figures: what daemons used until the group was ended counts as well.
    this.#usage = { ...this.#spare.group.usage(), outOfMemory: this.#usage.outOfMemory };
    this.#meterUsage();
    await Promise.race([this.#log.drain(), sleep(this.#timers, DRAIN_MS_MAX)]);
    this.#exit = this.#explain(exit);
    this.#log.reportDropped();
    if (this.#cause !== 'stopped') this.#log.system(`The instance ${this.#exit.reason}`);
    await rm(this.#options.directory, { recursive: true, force: true });
    this.#transition('exited');
  }

  #explain({ code, signal, started }: SandboxExit): InstanceExit {
    const { stderrTail } = this.#log;
    const exit = { code, signal, stderrTail };
    const { memoryBytesMax, instanceClass, readyMsMax, tmpBytesMax } = this.#spec;
    const cause = this.#usage.outOfMemory && this.#cause === undefined ? 'out-of-memory' : this.#cause;
    switch (cause) {
      case 'out-of-memory':
        return { ...exit, errorCode: 'INSTANCE_EXITED', reason: memoryReason(memoryBytesMax, instanceClass) };
      case 'too-many-files':
        return { ...exit, errorCode: 'INSTANCE_EXITED', reason: `was killed: more than ${filesMax(tmpBytesMax)} files in /tmp` };
      case 'never-listened':
        return { ...exit, errorCode: 'INSTANCE_NEVER_LISTENED', reason: `did not listen on $PORT within ${readyMsMax / 1_000} s` };
      case 'stopped':
        return { ...exit, errorCode: 'INSTANCE_EXITED', reason: 'was stopped by the platform' };
      case 'grace-over':
        return { ...exit, errorCode: 'INSTANCE_EXITED', reason: 'was killed: it did not end in time after SIGTERM' };
      case undefined:
        if (!started) {
          const said = stderrTail.trim().split('\n').at(-1) ?? '';
          return { ...exit, errorCode: 'INSTANCE_SPAWN_FAILED', reason: `could not be started: ${said}` };
        }
        return {
          ...exit,
          errorCode: 'INSTANCE_EXITED',
          reason: signal === null ? `exited with code ${code ?? 0}` : `was killed by ${signal}`,
        };
    }
  }

  #transition(next: InstanceState): void {
    assert(NEXT[this.#state].includes(next), `an instance moves from ${this.#state} to ${next}`);
    this.#state = next;
    this.#options.onChange(this.view);
  }

  #sinceAskedMs(): number {
    return this.#clock.monotonicMs() - this.#askedAtMs;
  }
}

/** With what to do about it, where a larger class is. */
function memoryReason(memoryBytesMax: number, instanceClass: string | undefined): string {
  const reason = `was killed: over its memory limit of ${memoryBytesMax / 2 ** 20} MiB`;
  if (instanceClass === undefined) return reason;
  const larger = nextLargerClass(instanceClass);
  return `${reason} (class ${instanceClass}${larger === undefined ? ', the largest' : `; try instance_class: ${larger}`})`;
}
