// Limits and meters of groups of processes, as the kernel's control groups keep them: one group per instance or build.
// Adapters: cgroup-v1.ts, cgroup-v2.ts, and unlimited.ts where neither can be written. Picked by resource-control-choice.ts.

export interface ResourceLimits {
  /** Memory of all processes together, tmpfs and page cache included. */
  readonly memoryBytesMax: number;
  /** Processes and threads together. */
  readonly pidsMax: number;
  /** Share of the CPU relative to other groups; 1 is class F1. */
  readonly cpuWeight: number;
}

export interface ResourceUsage {
  /** CPU time of all processes so far, those that ended included. Absent where the machine cannot tell. */
  readonly cpuMicros?: number;
  readonly memoryBytes?: number;
  /** Whether the kernel has killed a member for going over the memory limit. */
  readonly outOfMemory: boolean;
}

export interface ResourceGroup {
  /** A process joins by writing `0` to each of these files; it does so before it executes anything of the app's. */
  readonly joinFiles: readonly string[];
  /**
   * Where runtimes such as Node look for the limit of the memory they may use, and what of this group they shall find there.
   * Seeing it, Node sizes its heap by itself; a flag that says the same costs 13 ms at each start, because V8 then drops its
   * compiled code.
   */
  readonly visible: readonly { readonly from: string; readonly to: string }[];
  /** Sets or changes the limits. */
  limit(limits: ResourceLimits): void;
  /** Cheap: at most four small files. After `close` the last figures. */
  usage(): ResourceUsage;
  /** Kills every member, daemonised children included, then removes the group. Resolves once all are gone. */
  close(): Promise<void>;
}

export interface ResourceControl {
  readonly kind: 'cgroup-v1' | 'cgroup-v2' | 'unlimited';
  /** What it cannot limit or meter on this machine, in words. */
  readonly missing: readonly string[];
  /** Makes the parent of all groups; kills and removes what a dead host left in it. */
  start(): Promise<void>;
  /** An empty group without limits. `name` is unique within this host. */
  create(name: string): ResourceGroup;
  /** Kills and removes all groups, and their parent. */
  close(): Promise<void>;
}
