/**
 * Knative's average of a measure over a sliding window of one-second buckets
 * (`pkg/autoscaler/aggregation/bucketing.go`, TimedFloat64Buckets.WindowAverage):
 *
 * - Before a whole window has passed since the first write, the average is over the seconds since then only, so a first
 *   load is seen at its full height.
 * - Seconds after the newest write are left out, not counted as none; a whole window without a write averages to 0, and
 *   the next write is a first one again.
 */
export class KnativeWindow {
  readonly #seconds: number;
  /** Sums by second; those older than the window are taken out. */
  readonly #buckets = new Map<number, number>();
  #firstWrite = -Infinity;
  #lastWrite = -Infinity;

  constructor(windowMs: number) {
    this.#seconds = Math.floor(windowMs / 1_000);
  }

  /** Several values of one second add up: they come from several reporters. */
  record(value: number, nowMs: number): void {
    const second = Math.floor(nowMs / 1_000);
    if (second - this.#lastWrite >= this.#seconds) {
      this.#buckets.clear();
      this.#firstWrite = second;
    }
    this.#buckets.set(second, (this.#buckets.get(second) ?? 0) + value);
    this.#lastWrite = second;
    this.#forget(second);
  }

  /** Whether nothing was written for a whole window. */
  isEmpty(nowMs: number): boolean {
    return Math.floor(nowMs / 1_000) - this.#lastWrite >= this.#seconds;
  }

  average(nowMs: number): number {
    if (this.isEmpty(nowMs)) return 0;
    const second = Math.floor(nowMs / 1_000);
    this.#forget(second);
    const unwritten = Math.max(0, second - this.#lastWrite);
    const valid = Math.min(this.#lastWrite - this.#firstWrite + 1, this.#seconds - unwritten);
    let sum = 0;
    for (const value of this.#buckets.values()) sum += value;
    return sum / valid;
  }

  #forget(second: number): void {
    // In order of time, as they were written.
    for (const each of this.#buckets.keys()) {
      if (each > second - this.#seconds) return;
      this.#buckets.delete(each);
    }
  }
}
