// Control groups version 2: one hierarchy for all controllers.
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Timers } from '../../sdk/support/clock.ts';
import { findGroups, groupsBelow, killAndRemove, readText, removeIfEmpty, tryMakeDirectory, tryWrite } from './cgroup-files.ts';
import { type CgroupPlace } from './cgroup-mounts.ts';
import { type ControllerV2, GroupV2, weightOf } from './cgroup-v2-group.ts';
import { PLATFORM_CPU_WEIGHT, type ResourceControl, type ResourceGroup } from './resource-control.ts';
import { UNLIMITED_GROUP } from './unlimited.ts';

const CONTROLLERS: Readonly<Record<ControllerV2, string>> = { memory: 'memory limit', pids: 'process limit', cpu: 'CPU share' };
const CONTROLLER_NAMES = ['memory', 'pids', 'cpu'] as const;

export class CgroupV2 implements ResourceControl {
  readonly kind = 'cgroup-v2';
  readonly #place: CgroupPlace;
  readonly #timers: Timers;
  readonly #parentName: string;
  readonly #pid: number;
  readonly #groups = new Set<GroupV2>();
  #parent: string | undefined;
  #favoured: number | undefined;
  #controllers: ReadonlySet<ControllerV2> = new Set();

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

  create(name: string, sibling?: ResourceGroup): ResourceGroup {
    if (this.#parent === undefined) return UNLIMITED_GROUP;
    const shared = sibling instanceof GroupV2 ? sibling.sharedDirectory : join(this.#parent, `app-${name}`);
    const directory = join(shared, name);
    mkdirSync(shared, { recursive: true });
    for (const controller of this.#controllers) tryWrite(join(shared, 'cgroup.subtree_control'), `+${controller}`);
    mkdirSync(directory);
    const group = new GroupV2(directory, this.#controllers, this.#timers, () => this.#groups.delete(group));
    this.#groups.add(group);
    return group;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#groups].map((group) => group.close()));
    if (this.#parent === undefined) return;
    await killAndRemove([this.#parent], this.#timers);
    if (this.#favoured !== undefined) tryWrite(join(dirname(this.#parent), 'cgroup.procs'), this.#favoured);
    removeIfEmpty([platformOf(this.#parent)]);
    this.#favoured = undefined;
    this.#parent = undefined;
  }

  favour(pid: number): void {
    if (this.#parent === undefined) return;
    const group = platformOf(this.#parent);
    if (!tryMakeDirectory(group) || !tryWrite(join(group, 'cgroup.procs'), pid)) return;
    tryWrite(join(group, 'cpu.weight'), weightOf(PLATFORM_CPU_WEIGHT));
    this.#favoured = pid;
  }

  /**
   * Turns controllers on for what is below `above`. The kernel refuses (EBUSY) while processes sit in `above` itself
   * (save at the very top), so this process then moves into a leaf of its own and tries again.
   */
  #delegate(above: string): void {
    const control = join(above, 'cgroup.subtree_control');
    const turnOn = (): boolean => CONTROLLER_NAMES.map((name) => tryWrite(control, `+${name}`)).every(Boolean);
    if (turnOn() || above !== this.#place.own) return;
    const leaf = platformOf(join(above, this.#parentName));
    if (!tryMakeDirectory(leaf) || !tryWrite(join(leaf, 'cgroup.procs'), this.#pid)) return;
    if (!turnOn()) tryWrite(join(above, 'cgroup.procs'), this.#pid);
  }

  async #sweep(): Promise<void> {
    const parents = findGroups(this.#place.mountPoint, this.#parentName);
    for (const parent of parents) await killAndRemove(groupsBelow(parent), this.#timers);
    await killAndRemove(parents, this.#timers);
  }
}

/** A leaf beside the parent of all apps: see resource-control.ts. */
const platformOf = (parent: string): string => `${parent}-platform`;

function enabledIn(directory: string): readonly string[] {
  return (readText(join(directory, 'cgroup.subtree_control')) ?? '').split(/\s+/);
}
