// The host of this machine: starts, meters and ends every instance and every build, and tells who watches.
// Starting is all it decides by itself: how many instances there are is the scheduler's to say.
import { join } from 'node:path';
import { rm } from 'node:fs/promises';
import { type Clock, type Random, type Timers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type HostMeter } from '../api/usage-meter.ts';
import { type AppUsers, SharedUser } from '../sandbox/app-users.ts';
import { type ReadOnlyMount, type Sandbox } from '../sandbox/port.ts';
import { type ResourceControl, type ResourceGroup } from '../sandbox/resource-control.ts';
import { type BuildSettings } from './build-environment.ts';
import { type BuildRunOptions, runBuild } from './build-run.ts';
import { type BuildHost, type BuildResult, type BuildSpec } from './build.ts';
import { type InstanceLogSink } from './instance-log.ts';
import { type InstanceWatchListener, InstanceWatchers } from './instance-watchers.ts';
import { GroupMeter } from './group-meter.ts';
import { type InstanceHost, type InstanceSpec, type InstanceView, isPlatformApp } from './instance.ts';
import { type HostCapacity } from './instance.ts';
import { MemoryBudget, type MemoryUse } from './memory-budget.ts';
import { LocalInstance } from './local-instance.ts';
import { type RuntimeDirectory, type RuntimeMounts } from './runtime-directory.ts';
import { type SpareSandbox, SpareSandboxes } from './spare-sandboxes.ts';

export interface LocalInstanceHostOptions {
  /** Short (the sockets' paths have 107 bytes at most), empty, of mode 0700. */
  readonly runDirectory: string;
  /** The platform's own packages and preloads: see platform-mounts.ts. */
  readonly readOnlyMounts: readonly ReadOnlyMount[];
  /** Where the runtimes are that instances and builds may name. */
  readonly runtimes?: RuntimeDirectory;
  /** Who apps are on this machine; closed by who made it. Default: whoever runs the platform. */
  readonly users?: AppUsers;
  /** Added to every build, under its own variables: see build-environment.ts. */
  readonly buildSettings?: BuildSettings;
  readonly instancesMax?: number;
  /** Bytes for all instances and builds together; absent: no bound but each instance's own. */
  readonly memoryBudgetBytes?: number;
  /** Told what apps use: their instances and their builds. */
  readonly meter?: HostMeter;
  /** Sandboxes kept prepared for the next starts: as many for apps that have no instance, and for those that have. */
  readonly sparesCount?: number;
}

/** An app that is over its CPU quota must be stopped within two seconds; this is the first part of them. */
const SAMPLE_MS = 400;
const SPARES_DEFAULT = 2;
/** Instances are sent SIGTERM together when the host closes; a neighbour's slow end must not hold the host for long. */
const CLOSE_GRACE_MS = 1_000;

export class LocalInstanceHost implements InstanceHost, BuildHost {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #logs: InstanceLogSink;
  readonly #options: LocalInstanceHostOptions;
  readonly #spares: SpareSandboxes;
  readonly #users: AppUsers;
  readonly #memory: MemoryBudget;
  readonly #instances = new Map<string, LocalInstance>();
  readonly #watchers = new InstanceWatchers(() => [...this.#instances.values()].map((instance) => instance.view));
  readonly #closing = new CloseStack();
  /** Of builds under way. */
  readonly #buildSamples = new Set<() => MemoryUse>();
  readonly #buildsWaiting: (() => void)[] = [];
  #buildsRunning = 0;
  #closed = false;

  /** `sandbox` and `resources` are started, and closed by who started them, after this. */
  constructor(
    sandbox: Sandbox,
    resources: ResourceControl,
    logs: InstanceLogSink,
    clock: Clock,
    timers: Timers,
    random: Random,
    options: LocalInstanceHostOptions,
  ) {
    this.#clock = clock;
    this.#timers = timers;
    this.#logs = logs;
    this.#options = options;
    this.#memory = new MemoryBudget(options.memoryBudgetBytes ?? Infinity);
    this.#users = options.users ?? new SharedUser();
    this.#spares = new SpareSandboxes(sandbox, resources, random, { count: options.sparesCount ?? SPARES_DEFAULT });
  }

  /** Begins to sample and to keep spares; `start` is the port's word for an instance. */
  open(): void {
    const cancel = this.#timers.every(SAMPLE_MS, () => {
      this.#sample();
      this.#spares.refill();
    });
    this.#spares.fill();
    this.#closing.defer(() => rm(this.#instancesDirectory, { recursive: true, force: true }));
    this.#closing.defer(() => this.#spares.close());
    this.#closing.defer(() => this.#stopAll());
    this.#closing.defer(cancel);
  }

  /** Ends all instances, politely for a second, then by force. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#closing.close();
  }

  async start(spec: InstanceSpec): Promise<{ readonly id: string }> {
    const runtime = this.#runtimeOf(spec.runtime);
    const user = await this.#users.userOf(spec.appId);
    const max = this.#options.instancesMax ?? LIMITS.instancesPerHostMax;
    if (this.#instances.size >= max || this.#closed) {
      throw new PlatformError('INSTANCE_LIMIT', this.#closed ? 'it is stopping' : `at most ${max}`);
    }
    this.#memory.admit(spec.memoryBytesMax, this.#memoryUses());
    const siblings = [...this.#instances.values()].filter(({ view }) => view.appId === spec.appId);
    const spare = this.#takeSpare(siblings.at(-1)?.group);
    const instance = new LocalInstance(spec, spare, this.#logs, this.#clock, this.#timers, {
      directory: join(this.#instancesDirectory, spare.id),
      readOnlyMounts: [...this.#options.readOnlyMounts, ...runtime.readOnlyMounts],
      programDirectories: runtime.programDirectories,
      ...(user === undefined ? {} : { user }),
      onChange: (view) => {
        this.#onChange(view);
      },
      ...this.#meterOf(spec.appId),
    });
    this.#instances.set(spare.id, instance);
    try {
      spare.group.limitShared({
        pidsMax: LIMITS.appPidsMax,
        cpuWeight: Math.max(spec.cpuWeight, ...siblings.map(({ cpuWeight }) => cpuWeight)),
      });
      instance.start();
    } catch (cause) {
      this.#instances.delete(spare.id);
      void spare.prepared.discard();
      void spare.group.close();
      throw new PlatformError('INSTANCE_SPAWN_FAILED', undefined, { cause });
    }
    return { id: spare.id };
  }

  stop(id: string, options: { readonly graceMs: number }): Promise<void> {
    this.#instances.get(id)?.stop(options.graceMs);
    return Promise.resolve();
  }

  /** CPU time of those that run and of which the machine can tell, read now. */
  cpuMicros(ids: readonly string[]): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    for (const id of ids) {
      const instance = this.#instances.get(id);
      instance?.sample();
      const cpuMicros = instance?.view.cpuMicros;
      if (cpuMicros !== undefined) found.set(id, cpuMicros);
    }
    return found;
  }

  capacity(): Promise<HostCapacity> {
    return Promise.resolve({
      instances: this.#instances.size,
      instancesMax: this.#options.instancesMax ?? LIMITS.instancesPerHostMax,
      ...(this.#memory.bytes === Infinity ? {} : { memory: this.#memory.state(this.#memoryUses()) }),
    });
  }

  list(): Promise<readonly InstanceView[]> {
    return Promise.resolve([...this.#instances.values()].map((instance) => instance.view));
  }

  watch(listener: InstanceWatchListener): () => void {
    return this.#watchers.add(listener);
  }

  async build(
    spec: BuildSpec,
    options: { readonly onOutput: (line: string) => void; readonly signal?: AbortSignal },
  ): Promise<BuildResult> {
    const runtime = this.#runtimeOf(spec.runtime);
    await this.#buildSlot();
    try {
      const user = await this.#users.userOf(spec.appId);
      await this.#users.give(spec.directory, spec.appId);
      try {
        return await this.#runBuild(spec, runtime, { ...options, ...(user === undefined ? {} : { user }) });
      } finally {
        await this.#users.takeBack(spec.directory);
      }
    } finally {
      this.#buildsRunning--;
      this.#buildsWaiting.shift()?.();
    }
  }

  async #runBuild(spec: BuildSpec, runtime: RuntimeMounts, options: Omit<BuildRunOptions, 'readOnlyMounts'>): Promise<BuildResult> {
    const settings = this.#options.buildSettings;
    const environment = { CI: '1', ...settings?.environment, ...spec.environment };
    const spare = this.#spares.take();
    const { meter } = this.#meterOf(spec.appId);
    const sample = (): MemoryUse => {
      const { cpuMicros, memoryBytes } = spare.group.usage();
      meter?.cpu(cpuMicros);
      return { memoryBytesMax: spec.memoryBytesMax, memoryBytes };
    };
    this.#buildSamples.add(sample);
    try {
      return await runBuild({ ...spec, environment }, spare, this.#timers, {
        ...options,
        readOnlyMounts: [...this.#options.readOnlyMounts, ...runtime.readOnlyMounts, ...(settings?.readOnlyMounts ?? [])],
        programDirectories: runtime.programDirectories,
      });
    } finally {
      this.#buildSamples.delete(sample);
      sample();
    }
  }

  #takeSpare(sibling: ResourceGroup | undefined): SpareSandbox {
    try {
      return this.#spares.take(sibling);
    } catch (cause) {
      throw new PlatformError('INSTANCE_SPAWN_FAILED', 'no resource group', { cause });
    }
  }

  #runtimeOf(name: string | undefined): RuntimeMounts {
    const { runtimes } = this.#options;
    if (runtimes) return runtimes.mountsOf(name);
    if (name !== undefined) throw new PlatformError('RUNTIME_MISSING', name);
    return { readOnlyMounts: [], programDirectories: [] };
  }

  get #instancesDirectory(): string {
    return join(this.#options.runDirectory, 'i');
  }

  #onChange(view: InstanceView): void {
    if (view.state === 'exited') this.#instances.delete(view.id);
    this.#watchers.notify(view);
    // A start is over: now a spare may be made without taking time from it.
    if (view.state !== 'starting') this.#spares.refill();
  }

  #sample(): void {
    const running = new Map<string, { instances: number; memoryBytes: number }>();
    for (const instance of this.#instances.values()) {
      instance.sample();
      const { appId, memoryBytes = 0 } = instance.view;
      const sum = running.get(appId) ?? { instances: 0, memoryBytes: 0 };
      running.set(appId, { instances: sum.instances + 1, memoryBytes: sum.memoryBytes + memoryBytes });
    }
    if (this.#memory.isPressed(this.#memoryUses())) this.#watchers.press();
    for (const [appId, { instances, memoryBytes }] of running) {
      if (!isPlatformApp(appId)) this.#options.meter?.running(appId, instances, memoryBytes);
    }
  }

  /** Of instances as they were read last, of builds as they are now. */
  *#memoryUses(): Iterable<MemoryUse> {
    for (const instance of this.#instances.values()) yield instance.memory;
    for (const sample of this.#buildSamples) yield sample();
  }

  /** What the platform runs for itself is charged to nobody. */
  #meterOf(appId: string): { readonly meter?: GroupMeter } {
    const { meter } = this.#options;
    return meter && !isPlatformApp(appId) ? { meter: new GroupMeter(appId, meter, this.#clock.monotonicMs()) } : {};
  }

  async #buildSlot(): Promise<void> {
    while (this.#buildsRunning >= LIMITS.buildsPerHostMax) {
      await new Promise<void>((resolve) => this.#buildsWaiting.push(resolve));
    }
    this.#buildsRunning++;
  }

  async #stopAll(): Promise<void> {
    const instances = [...this.#instances.values()];
    for (const instance of instances) instance.stop(CLOSE_GRACE_MS);
    await Promise.all(instances.map((instance) => instance.exited));
  }
}
