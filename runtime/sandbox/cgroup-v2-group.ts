// One control group of version 2: the files that hold its limits and its meters.
import { dirname, join } from 'node:path';
import { assert } from '../../sdk/support/assert.ts';
import { type Timers } from '../../sdk/support/clock.ts';
import { killAndRemove, readKeyed, readNumber, removeIfEmpty, tryWrite, write } from './cgroup-files.ts';
import { type ResourceGroup, type ResourceLimits, type ResourceUsage, type SharedLimits } from './resource-control.ts';

export type ControllerV2 = 'memory' | 'pids' | 'cpu';

const CPU_WEIGHT_DEFAULT = 100;
const CPU_WEIGHT_MAX = 10_000;

export class GroupV2 implements ResourceGroup {
  readonly joinFiles: readonly string[];
  readonly visible: ResourceGroup['visible'];
  readonly #directory: string;
  readonly #controllers: ReadonlySet<ControllerV2>;
  readonly #timers: Timers;
  readonly #onClosed: () => void;
  #last: ResourceUsage | undefined;
  #closing: Promise<void> | undefined;

  constructor(directory: string, controllers: ReadonlySet<ControllerV2>, timers: Timers, onClosed: () => void) {
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
      write(this.#file('cpu.weight'), weightOf(cpuWeight));
    }
  }

  limitShared({ pidsMax, cpuWeight }: SharedLimits): void {
    assert(pidsMax > 0 && cpuWeight > 0, 'limits are positive');
    if (this.#controllers.has('pids')) write(join(this.sharedDirectory, 'pids.max'), pidsMax);
    if (this.#controllers.has('cpu')) write(join(this.sharedDirectory, 'cpu.weight'), weightOf(cpuWeight));
  }

  /** The group around this one. */
  get sharedDirectory(): string {
    return dirname(this.#directory);
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
    removeIfEmpty([this.sharedDirectory]);
    this.#onClosed();
  }
}

/** 1 is the kernel's own weight of a group that says nothing. */
export const weightOf = (weight: number): number => Math.min(CPU_WEIGHT_MAX, Math.max(1, Math.round(CPU_WEIGHT_DEFAULT * weight)));
