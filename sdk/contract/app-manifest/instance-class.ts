// Instance classes: App Engine's table for second-generation runtimes.

const MiB = 1024 * 1024;

export interface InstanceClass {
  readonly memoryBytesMax: number;
  /** Share of a CPU relative to class F1, as the nominal MHz are. */
  readonly cpuWeight: number;
}

export const DEFAULT_INSTANCE_CLASS = 'F1';

export const INSTANCE_CLASSES: ReadonlyMap<string, InstanceClass> = new Map([
  ['F1', { memoryBytesMax: 384 * MiB, cpuWeight: 1 }],
  ['F2', { memoryBytesMax: 768 * MiB, cpuWeight: 2 }],
  ['F4', { memoryBytesMax: 1_536 * MiB, cpuWeight: 4 }],
  ['F4_1G', { memoryBytesMax: 3_072 * MiB, cpuWeight: 4 }],
]);
