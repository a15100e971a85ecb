// Control groups version 1: one hierarchy per controller, so a group is a directory of the same name in each.
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { assert } from '../../sdk/support/assert.ts';
import { type Timers } from '../../sdk/support/clock.ts';
import {
  findGroups,
  groupsBelow,
  killAndRemove,
  readKeyed,
  readNumber,
  removeIfEmpty,
  tryMakeDirectory,
  tryWrite,
  write,
} from './cgroup-files.ts';
import { type CgroupPlace } from './cgroup-mounts.ts';
import {
  PLATFORM_CPU_WEIGHT,
  type ResourceControl,
  type ResourceGroup,
  type ResourceLimits,
  type ResourceUsage,
  type SharedLimits,
} from './resource-control.ts';

const CONTROLLERS = { memory: 'memory limit', pids: 'process limit', cpu: 'CPU share', cpuacct: 'CPU metering' } as const;
type Controller = keyof typeof CONTROLLERS;
const CONTROLLER_NAMES = Object.keys(CONTROLLERS) as Controller[];

/** The kernel's own weight of a group that says nothing. */
const CPU_SHARES_DEFAULT = 1_024;
const CPU_SHARES_MIN = 2;

export class CgroupV1 implements ResourceControl {
  readonly kind = 'cgroup-v1';
  readonly #places: ReadonlyMap<string, CgroupPlace>;
  readonly #timers: Timers;
  readonly #parentName: string;
  readonly #parents = new Map<Controller, string>();
  readonly #cpus: number;
  readonly #groups = new Set<GroupV1>();
  #favoured: number | undefined;

  /** `parentName` is unique per data directory and the same at every start, so that leftovers are found. */
  constructor(places: ReadonlyMap<string, CgroupPlace>, timers: Timers, options: { readonly parentName: string; readonly cpus: number }) {
    this.#places = places;
    this.#timers = timers;
    this.#parentName = options.parentName;
    this.#cpus = options.cpus;
  }

  get missing(): readonly string[] {
    return CONTROLLER_NAMES.filter((name) => !this.#parents.has(name)).map((name) => CONTROLLERS[name]);
  }

  async start(): Promise<void> {
    await this.#sweep();
    for (const name of CONTROLLER_NAMES) {
      const place = this.#places.get(name);
      if (!place) continue;
      const parent = join(place.own, this.#parentName);
      if (tryMakeDirectory(parent)) this.#parents.set(name, parent);
    }
    const cpu = this.#parents.get('cpu');
    // A group's share is divided among the CPUs that it runs on: so that each part weighs as much as any other process.
    if (cpu !== undefined) tryWrite(join(cpu, 'cpu.shares'), CPU_SHARES_DEFAULT * this.#cpus);
  }

  create(name: string, sibling?: ResourceGroup): ResourceGroup {
    const shared = sibling instanceof GroupV1 ? sibling.sharedName : `app-${name}`;
    const directories = new Map<Controller, string>();
    // cpu and cpuacct are often one hierarchy under two names: then their directories are the same.
    for (const [controller, parent] of this.#parents) {
      const directory = join(parent, shared, name);
      mkdirSync(directory, { recursive: true });
      directories.set(controller, directory);
    }
    const group = new GroupV1(shared, directories, this.#timers, () => this.#groups.delete(group));
    this.#groups.add(group);
    return group;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#groups].map((group) => group.close()));
    await killAndRemove([...new Set(this.#parents.values())], this.#timers);
    this.#parents.clear();
    const cpu = this.#places.get('cpu');
    if (cpu === undefined || this.#favoured === undefined) return;
    tryWrite(join(cpu.own, 'cgroup.procs'), this.#favoured);
    this.#favoured = undefined;
    removeIfEmpty([this.#platformOf(cpu)]);
  }

  favour(pid: number): void {
    const cpu = this.#places.get('cpu');
    if (cpu === undefined || !this.#parents.has('cpu')) return;
    const group = this.#platformOf(cpu);
    if (!tryMakeDirectory(group) || !tryWrite(join(group, 'cpu.shares'), CPU_SHARES_DEFAULT * this.#cpus * PLATFORM_CPU_WEIGHT)) return;
    if (tryWrite(join(group, 'cgroup.procs'), pid)) this.#favoured = pid;
  }

  #platformOf(cpu: CgroupPlace): string {
    return join(cpu.own, `${this.#parentName}-platform`);
  }

  async #sweep(): Promise<void> {
    const mountPoints = new Set(CONTROLLER_NAMES.flatMap((name) => this.#places.get(name)?.mountPoint ?? []));
    const parents = [...mountPoints].flatMap((mountPoint) => findGroups(mountPoint, this.#parentName));
    for (const parent of parents) await killAndRemove(groupsBelow(parent), this.#timers);
    await killAndRemove(parents, this.#timers);
  }
}

class GroupV1 implements ResourceGroup {
  readonly joinFiles: readonly string[];
  readonly visible: ResourceGroup['visible'];
  /** Of the directory around this one, in each hierarchy. */
  readonly sharedName: string;
  readonly #directories: ReadonlyMap<Controller, string>;
  readonly #timers: Timers;
  readonly #onClosed: () => void;
  #last: ResourceUsage | undefined;
  #closing: Promise<void> | undefined;

  constructor(sharedName: string, directories: ReadonlyMap<Controller, string>, timers: Timers, onClosed: () => void) {
    this.sharedName = sharedName;
    this.#directories = directories;
    this.#timers = timers;
    this.#onClosed = onClosed;
    this.joinFiles = [...new Set(directories.values())].map((directory) => join(directory, 'cgroup.procs'));
    const memory = directories.get('memory');
    this.visible = memory === undefined ? [] : [{ from: memory, to: '/sys/fs/cgroup/memory' }];
  }

  limit({ memoryBytesMax, pidsMax, cpuWeight }: ResourceLimits): void {
    assert(memoryBytesMax > 0 && pidsMax > 0 && cpuWeight > 0, 'limits are positive');
    const memory = this.#directories.get('memory');
    if (memory !== undefined) {
      write(join(memory, 'memory.limit_in_bytes'), memoryBytesMax);
      // Without swap accounting this file is absent, and swap cannot be limited.
      tryWrite(join(memory, 'memory.memsw.limit_in_bytes'), memoryBytesMax);
    }
    const pids = this.#directories.get('pids');
    if (pids !== undefined) write(join(pids, 'pids.max'), pidsMax);
    const cpu = this.#directories.get('cpu');
    if (cpu !== undefined) write(join(cpu, 'cpu.shares'), sharesOf(cpuWeight));
  }

  limitShared({ pidsMax, cpuWeight }: SharedLimits): void {
    assert(pidsMax > 0 && cpuWeight > 0, 'limits are positive');
    const pids = this.#directories.get('pids');
    if (pids !== undefined) write(join(dirname(pids), 'pids.max'), pidsMax);
    const cpu = this.#directories.get('cpu');
    if (cpu !== undefined) write(join(dirname(cpu), 'cpu.shares'), sharesOf(cpuWeight));
  }

  usage(): ResourceUsage {
    return this.#last ?? this.#read();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #read(): ResourceUsage {
    const memory = this.#directories.get('memory');
    const cpuacct = this.#directories.get('cpuacct');
    const cpuNanos = cpuacct === undefined ? undefined : readNumber(join(cpuacct, 'cpuacct.usage'));
    const memoryBytes = memory === undefined ? undefined : readNumber(join(memory, 'memory.usage_in_bytes'));
    const kills = memory === undefined ? 0 : (readKeyed(join(memory, 'memory.oom_control'), 'oom_kill') ?? 0);
    return {
      ...(cpuNanos === undefined ? {} : { cpuMicros: Math.round(cpuNanos / 1_000) }),
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      outOfMemory: kills > 0,
    };
  }

  async #close(): Promise<void> {
    this.#last = this.#read();
    const directories = [...new Set(this.#directories.values())];
    await killAndRemove(directories, this.#timers);
    removeIfEmpty(directories.map(dirname));
    this.#onClosed();
  }
}

const sharesOf = (weight: number): number => Math.max(CPU_SHARES_MIN, Math.round(CPU_SHARES_DEFAULT * weight));
