// A histogram that costs a few nanoseconds to count into: a short search in fixed bounds, no look-up by label.
import { type Labels, type MetricFamily } from './metric-family.ts';

/** Seconds: from a static file to a request that meets its deadline. */
export const SECONDS_BOUNDS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const MS_PER_SECOND = 1_000;

export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[] = SECONDS_BOUNDS) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  get count(): number {
    return this.#count;
  }

  observe(value: number): void {
    let index = 0;
    while (index < this.#bounds.length && value > (this.#bounds[index] ?? Infinity)) index++;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sum += value;
    this.#count++;
  }

  observeMs(ms: number): void {
    this.observe(ms / MS_PER_SECOND);
  }

  sample(labels: Labels): { labels: Labels; counts: number[]; sum: number } {
    return { labels, counts: [...this.#counts], sum: this.#sum };
  }
}

/** Those of all `histograms` that have counted anything; they share bounds. */
export function histogramFamily(
  name: string,
  help: string,
  histograms: Iterable<readonly [labels: Labels, histogram: Histogram]>,
  bounds: readonly number[] = SECONDS_BOUNDS,
): MetricFamily {
  const samples = [...histograms].filter(([, { count }]) => count > 0).map(([labels, histogram]) => histogram.sample(labels));
  return { kind: 'histogram', name, help, bounds: [...bounds], samples };
}
