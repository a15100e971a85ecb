// The packing rule of App Engine's development server (`devappserver2/module.py`, AutoScalingModule), as pure functions.

/** `_REQUIRED_INSTANCE_WINDOW_SECONDS` */
const WINDOW_MS = 60_000;

export interface Loaded {
  readonly inFlight: number;
}

/** Instances that the peak of outstanding requests needs: `_get_num_required_instances`. */
export function requiredInstances(peakOutstanding: number, concurrencyMax: number): number {
  return Math.ceil(peakOutstanding / concurrencyMax);
}

/**
 * `_choose_instance`: of the `required` fullest, the one with most room; if they are full, the fullest of the others that
 * has room, so that idle ones stay so. Undefined when all are full.
 */
export function chooseDevAppServerInstance<T extends Loaded>(
  instances: readonly T[],
  required: number,
  concurrencyMax: number,
): T | undefined {
  const byLoad = instances.toSorted((a, b) => b.inFlight - a.inFlight);
  const roomiest = byLoad.slice(0, required).at(-1);
  if (roomiest && roomiest.inFlight < concurrencyMax) return roomiest;
  return byLoad.slice(required).find(({ inFlight }) => inFlight < concurrencyMax);
}

/** The most requests outstanding at once, noted at each arrival, over the last minute. */
export class PeakWindow {
  /** In order of time, and falling: what came later and was higher has taken out what it outlives. */
  #notes: { readonly atMs: number; readonly outstanding: number }[] = [];

  record(outstanding: number, nowMs: number): void {
    while ((this.#notes.at(-1)?.outstanding ?? Infinity) <= outstanding) this.#notes.pop();
    this.#notes.push({ atMs: nowMs, outstanding });
  }

  most(nowMs: number): number {
    while (this.#notes[0] && this.#notes[0].atMs < nowMs - WINDOW_MS) this.#notes.shift();
    return this.#notes[0]?.outstanding ?? 0;
  }
}
