import { type InstanceLease, type LeaseOutcome } from '../../router/ports.ts';
import { type StartPhases } from '../../sdk/contract/cold-start.ts';
import { type PoolInstance } from './pool-instance.ts';

/** One request's place on one instance. A second release does nothing, so that no count can go wrong by it. */
export class PlaceLease implements InstanceLease {
  readonly instanceId: string;
  readonly socketPath: string;
  readonly isLoadingRequest: boolean;
  readonly start: StartPhases | undefined;
  readonly pendingMs: number;
  #release: ((outcome: LeaseOutcome) => void) | undefined;

  /** Takes the place on `instance`, which must be open. */
  constructor(instance: PoolInstance, pendingMs: number, nowMs: number, release: (outcome: LeaseOutcome) => void) {
    this.instanceId = instance.id;
    this.socketPath = instance.socketPath;
    this.isLoadingRequest = !instance.hasServed;
    this.start = this.isLoadingRequest ? instance.start : undefined;
    this.pendingMs = pendingMs;
    this.#release = release;
    instance.take(nowMs);
  }

  release(outcome: LeaseOutcome): void {
    const release = this.#release;
    this.#release = undefined;
    release?.(outcome);
  }
}
