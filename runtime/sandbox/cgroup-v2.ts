// Control groups version 2: one hierarchy for all controllers.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '../../sdk/support/assert.ts';
import { type Timers } from '../../sdk/support/clock.ts';
import {
  childGroups,
  findGroups,
  killAndRemove,
  readKeyed,
  readNumber,
  readText,
  tryMakeDirectory,
  tryWrite,
  write,
} from './cgroup-files.ts';
import { type CgroupPlace } from './cgroup-mounts.ts';
import { type ResourceControl, type ResourceGroup, type ResourceLimits, type ResourceUsage } from './resource-control.ts';

const CONTROLLERS = { memory: 'memory limit', pids: 'process limit', cpu: 'CPU share' } as const;
type Controller = keyof typeof CONTROLLERS;
const CONTROLLER_NAMES = Object.keys(CONTROLLERS) as Controller[];

const CPU_WEIGHT_DEFAULT = 100;
const CPU_WEIGHT_MAX = 10_000;

export class CgroupV2 implements ResourceControl {
  readonly kind = 'cgroup-v2';
  readonly #place: CgroupPlace;
  readonly #timers: Timers;
  readonly #parentName: string;
  readonly #pid: number;
  readonly #groups = new Set<GroupV2>();
  #parent: string | undefined;
  #controllers: ReadonlySet<Controller> = new Set();

  /** `parentName` as in CgroupV1; `pid` is this process, which may have to move aside (see #delegate). */
  constructor(place: CgroupPlace, timers: Timers, options: { readonly parentName: string; readonly pid: number }) {
    this.#place = place;
    this.#timers = timers;
    this.#parentName = options.parentName;
    this.#pid = options.pid;
  }

  get missing(): readonly string[] {
    const missing = CONTROLLER_NAMES.filter((name) => !this.#controllers.has(name)).map((name) => CONTROLLERS[name]);
    // CPU time is counted in every group of version 2, whether or not the controller is on.
    return this.#parent === undefined ? [...missing, 'CPU metering'] : missing;
  }

  async start(): Promise<void> {
    await this.#sweep();
    // The own group first, so that limits set on this service hold for its apps; then the top, where only root may write.
    for (const above of new Set([this.#place.own, this.#place.mountPoint])) {
      const parent = join(above, this.#parentName);
      if (!tryMakeDirectory(parent)) continue;
      this.#delegate(above);
      for (const name of CONTROLLER_NAMES) tryWrite(join(parent, 'cgroup.subtree_control'), `+${name}`);
      this.#parent = parent;
      this.#controllers = new Set(CONTROLLER_NAMES.filter((name) => enabledIn(parent).includes(name)));
      if (this.#controllers.size === CONTROLLER_NAMES.length) return;
    }
  }

  create(name: string): ResourceGroup {
    if (this.#parent === undefined) {
      return { joinFiles: [], visible: [], limit: () => undefined, usage: () => ({ outOfMemory: false }), close: () => Promise.resolve() };
    }
    const directory = join(this.#parent, name);
    mkdirSync(directory);
    const group = new GroupV2(directory, this.#controllers, this.#timers, () => this.#groups.delete(group));
    this.#groups.add(group);
    return group;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#groups].map((group) => group.close()));
    if (this.#parent !== undefined) await killAndRemove([this.#parent], this.#timers);
    this.#parent = undefined;
  }

  /**
   * Turns controllers on for what is below `above`. The kernel refuses (EBUSY) while processes sit in `above` itself
   * (save at the very top), so this process then moves into a leaf of its own and tries again.
   */
  #delegate(above: string): void {
    const control = join(above, 'cgroup.subtree_control');
    const turnOn = (): boolean => CONTROLLER_NAMES.map((name) => tryWrite(control, `+${name}`)).every(Boolean);
    if (turnOn() || above !== this.#place.own) return;
    const leaf = join(above, `${this.#parentName}-host`);
    if (!tryMakeDirectory(leaf) || !tryWrite(join(leaf, 'cgroup.procs'), this.#pid)) return;
    if (!turnOn()) tryWrite(join(above, 'cgroup.procs'), this.#pid);
  }

  async #sweep(): Promise<void> {
    const parents = findGroups(this.#place.mountPoint, this.#parentName);
    await killAndRemove(parents.flatMap(childGroups), this.#timers);
    await killAndRemove(parents, this.#timers);
  }
}

function enabledIn(directory: string): readonly string[] {
  return (readText(join(directory, 'cgroup.subtree_control')) ?? '').split(/\s+/);
}

class GroupV2 implements ResourceGroup {
  readonly joinFiles: readonly string[];
  readonly visible: ResourceGroup['visible'];
  readonly #directory: string;
  readonly #controllers: ReadonlySet<Controller>;
  readonly #timers: Timers;
  readonly #onClosed: () => void;
  #last: ResourceUsage | undefined;
  #closing: Promise<void> | undefined;

  constructor(directory: string, controllers: ReadonlySet<Controller>, timers: Timers, onClosed: () => void) {
    this.#directory = directory;
    this.#controllers = controllers;
    this.#timers = timers;
    this.#onClosed = onClosed;
    this.joinFiles = [join(directory, 'cgroup.procs')];
    this.visible = [{ from: directory, to: '/sys/fs/cgroup' }];
  }

  limit({ memoryBytesMax, pidsMax, cpuWeight }: ResourceLimits): void {
    assert(memoryBytesMax > 0 && pidsMax > 0 && cpuWeight > 0, 'limits are positive');
    if (this.#controllers.has('memory')) {
      write(this.#file('memory.max'), memoryBytesMax);
      tryWrite(this.#file('memory.swap.max'), 0);
      // One member over the limit ends the whole instance, rather than leaving half of it.
      tryWrite(this.#file('memory.oom.group'), 1);
    }
    if (this.#controllers.has('pids')) write(this.#file('pids.max'), pidsMax);
    if (this.#controllers.has('cpu')) {
      write(this.#file('cpu.weight'), Math.min(CPU_WEIGHT_MAX, Math.max(1, Math.round(CPU_WEIGHT_DEFAULT * cpuWeight))));
    }
  }

  usage(): ResourceUsage {
    return this.#last ?? this.#read();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #read(): ResourceUsage {
    const cpuMicros = readKeyed(this.#file('cpu.stat'), 'usage_usec');
    const memoryBytes = readNumber(this.#file('memory.current'));
    const kills = readKeyed(this.#file('memory.events'), 'oom_kill') ?? 0;
    return {
      ...(cpuMicros === undefined ? {} : { cpuMicros }),
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      outOfMemory: kills > 0,
    };
  }

  #file(name: string): string {
    return join(this.#directory, name);
  }

  async #close(): Promise<void> {
    this.#last = this.#read();
    await killAndRemove([this.#directory], this.#timers);
    this.#onClosed();
  }
}
