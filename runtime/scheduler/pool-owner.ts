import { type InstanceTarget } from '../../router/ports.ts';
import { type FleetOptions } from './fleet.ts';
import { type LifecycleRequest } from './lifecycle-request.ts';

/** What a version asks of the scheduler, which knows the others. */
export interface PoolOwner {
  /** False until the instances that the host runs are known: starting before that would double them. */
  readonly mayStart: boolean;
  /** Instances that the host still has room for. */
  hostRoom(): number;
  /** Cores of the machine; Infinity when nobody asked. */
  readonly cores: number;
  /** Asks for `count` idle instances of versions other than this to go; false when none can. */
  makeRoom(count: number, deploymentId: string): boolean;
  /** An instance has gone, so there is room. */
  onRoom(): void;
  /** A connection failed: asks the host soon which instances live, and answers with `reconcile`. */
  onDoubt(): void;
}

/** As LifecycleCaller, for any version. */
export type VersionLifecycleCaller = (
  request: LifecycleRequest & { readonly target: InstanceTarget },
  options: { readonly signal: AbortSignal },
) => Promise<number>;

export interface PoolOptions extends Omit<FleetOptions, 'lifecycle'> {
  readonly lifecycle?: VersionLifecycleCaller | undefined;
  /** How long the last instance of automatic scaling stays without a request; absent, each version learns it. */
  readonly keepAliveMs?: ((deploymentId: string) => number) | undefined;
  /** Whether requests of the app are refused at present: then nothing is started ahead of one. */
  readonly isRefused: (appId: string) => boolean;
  readonly pendingMsMax: number;
  readonly holdQueueEntriesMax: number;
}
