import { type FleetOptions } from './fleet.ts';

/** What a version asks of the scheduler, which knows the others. */
export interface PoolOwner {
  /** False until the instances that the host runs are known: starting before that would double them. */
  readonly mayStart: boolean;
  /** Instances that the host still has room for. */
  hostRoom(): number;
  /** Asks for `count` idle instances of versions other than this to go; false when none can. */
  makeRoom(count: number, deploymentId: string): boolean;
  /** An instance has gone, so there is room. */
  onRoom(): void;
  /** A connection failed: asks the host soon which instances live, and answers with `reconcile`. */
  onDoubt(): void;
}

export interface PoolOptions extends FleetOptions {
  /** How long the last instance stays without a request. A function, so that a policy may learn it for each version. */
  readonly keepAliveMs: (deploymentId: string) => number;
  /** Whether requests of the app are refused at present: then nothing is started ahead of one. */
  readonly isRefused: (appId: string) => boolean;
  readonly pendingMsMax: number;
  readonly holdQueueEntriesMax: number;
  /** How long the requests of a drained version may take. */
  readonly drainMsMax: number;
}
