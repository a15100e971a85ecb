// Knative's Pod Autoscaler as it is published: `pkg/autoscaler/scaling/autoscaler.go` and the defaults of
// `config/core/configmaps/autoscaler.yaml`.

export interface KnativeSpec {
  /** Requests that one pod may have at once: `containerConcurrency`. */
  readonly containerConcurrency: number;
  /** `container-concurrency-target-percentage`. */
  readonly targetUtilization: number;
  readonly stableWindowMs: number;
  /** Pods wanted by the panic window, divided by those ready, at which panic begins: `panic-threshold-percentage`. */
  readonly panicThreshold: number;
  readonly scaleUpRateMax: number;
  readonly scaleDownRateMax: number;
  /** Requests that are to find room at once, or else the activator stays in the path: `target-burst-capacity`. */
  readonly targetBurstCapacity: number;
}

export const KNATIVE_DEFAULTS: Omit<KnativeSpec, 'containerConcurrency'> = Object.freeze({
  targetUtilization: 0.7,
  stableWindowMs: 60_000,
  panicThreshold: 2,
  scaleUpRateMax: 1_000,
  scaleDownRateMax: 2,
  targetBurstCapacity: 211,
});

export interface KnativeObservation {
  readonly podsReady: number;
  /** Requests under way or waiting, averaged over the stable and the panic window. */
  readonly stableConcurrency: number;
  readonly panicConcurrency: number;
}

export interface KnativeScale {
  readonly podsDesired: number;
  /** Below 0 the activator buffers in front of the pods. */
  readonly excessBurstCapacity: number;
}

/** Decides at each tick; remembers only whether it panics, and what it wanted most while it does. */
export class KnativeAutoscaler {
  readonly #spec: KnativeSpec;
  #panicSinceMs: number | undefined;
  #panicPodsMax = 0;

  constructor(spec: KnativeSpec) {
    this.#spec = spec;
  }

  get isPanicking(): boolean {
    return this.#panicSinceMs !== undefined;
  }

  scale(observed: KnativeObservation, nowMs: number): KnativeScale {
    const { containerConcurrency, targetUtilization, scaleUpRateMax, scaleDownRateMax, targetBurstCapacity } = this.#spec;
    const { podsReady, stableConcurrency, panicConcurrency } = observed;
    const ready = Math.max(1, podsReady);
    const target = containerConcurrency * targetUtilization;
    const bound = (pods: number): number =>
      Math.min(Math.max(pods, Math.floor(ready / scaleDownRateMax)), Math.ceil(scaleUpRateMax * ready));
    const panicPods = Math.ceil(panicConcurrency / target);
    this.#updatePanic(panicPods / ready, nowMs);
    const stableDesired = bound(Math.ceil(stableConcurrency / target));
    const excessBurstCapacity = Math.floor(podsReady * containerConcurrency - targetBurstCapacity - panicConcurrency);
    if (!this.isPanicking) return { podsDesired: stableDesired, excessBurstCapacity };
    // In panic it never goes down.
    this.#panicPodsMax = Math.max(this.#panicPodsMax, stableDesired, bound(panicPods));
    return { podsDesired: this.#panicPodsMax, excessBurstCapacity };
  }

  #updatePanic(pressure: number, nowMs: number): void {
    if (pressure >= this.#spec.panicThreshold) this.#panicSinceMs = nowMs;
    else if (this.#panicSinceMs !== undefined && this.#panicSinceMs + this.#spec.stableWindowMs < nowMs) {
      this.#panicSinceMs = undefined;
      this.#panicPodsMax = 0;
    }
  }
}
