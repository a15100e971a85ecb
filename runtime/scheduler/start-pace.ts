import { SCALE_RULES } from './scale-decision.ts';

/** When instances of one version were started and stopped of late. Times are monotonic milliseconds. */
export class StartPace {
  /** Within the growth window, and the newest before. */
  #startTimesMs: number[] = [];
  #stoppedAtMs: number | undefined;

  started(nowMs: number): void {
    this.#startTimesMs.push(nowMs);
  }

  stopped(nowMs: number): void {
    this.#stoppedAtMs = nowMs;
  }

  view(nowMs: number): {
    readonly startsRecent: number;
    readonly startedAtMs: number | undefined;
    readonly stoppedAtMs: number | undefined;
  } {
    const recent = this.#startTimesMs.filter((startMs) => nowMs - startMs < SCALE_RULES.growthWindowMs);
    const startedAtMs = this.#startTimesMs.at(-1);
    this.#startTimesMs = recent.length === 0 && startedAtMs !== undefined ? [startedAtMs] : recent;
    return { startsRecent: recent.length, startedAtMs, stoppedAtMs: this.#stoppedAtMs };
  }
}
