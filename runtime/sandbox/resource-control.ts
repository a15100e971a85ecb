// Limits and meters of groups of processes, as the kernel's control groups keep them: one group per instance or build, and
// around the instances of one app another, so that however many they are they have the share of one app:
//
//   PARENT-platform/    the platform's own processes, with a weight above all apps together
//   PARENT/             all apps and builds
//     SHARED/           one app, or one build
//       GROUP/          one instance
//
// Adapters: cgroup-v1.ts, cgroup-v2.ts, and unlimited.ts where neither can be written. Picked by resource-control-choice.ts.

export interface ResourceLimits {
  /** Memory of all processes together, tmpfs and page cache included. */
  readonly memoryBytesMax: number;
  /** Processes and threads together. */
  readonly pidsMax: number;
  /** Share of the CPU relative to other groups; 1 is class F1. */
  readonly cpuWeight: number;
}

/** What the members of one app have together. */
export interface SharedLimits {
  /** Processes and threads of all of them. */
  readonly pidsMax: number;
  /** Share of the CPU relative to other apps and builds; 1 is class F1. Within, the weights of ResourceLimits count. */
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
  /** Sets or changes the limits of this group. */
  limit(limits: ResourceLimits): void;
  /** And of it and its siblings together. */
  limitShared(limits: SharedLimits): void;
  /** Cheap: at most four small files. After `close` the last figures. */
  usage(): ResourceUsage;
  /** Kills every member, daemonised children included, then removes the group; the last one takes what it shared with it. */
  close(): Promise<void>;
}

/** Of the platform's own processes, against all apps together: it works for all of them, and little. */
export const PLATFORM_CPU_WEIGHT = 8;

export interface ResourceControl {
  readonly kind: 'cgroup-v1' | 'cgroup-v2' | 'unlimited';
  /** What it cannot limit or meter on this machine, in words. */
  readonly missing: readonly string[];
  /** Makes the parent of all groups; kills and removes what a dead host left in it. */
  start(): Promise<void>;
  /** An empty group without limits, which shares nothing or, with `sibling`, what that one shares. `name` is unique within this host. */
  create(name: string, sibling?: ResourceGroup): ResourceGroup;
  /** Gives a process of the platform, and what it starts from now on, the CPU before apps. Undone by `close`. */
  favour(pid: number): void;
  /** Kills and removes all groups, and their parent. */
  close(): Promise<void>;
}
