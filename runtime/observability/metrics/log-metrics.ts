// How many rows of apps' logs were stored, and how many were not.
import { counter, type MetricFamily, type MetricSource } from './metric-family.ts';
import { type LogKind } from '../log-store.ts';

export interface LogCounts {
  readonly written: number;
  readonly dropped: number;
}

export class LogMetrics implements MetricSource {
  readonly #kind: LogKind;
  readonly #counts: () => LogCounts;

  constructor(kind: LogKind, counts: () => LogCounts) {
    this.#kind = kind;
    this.#counts = counts;
  }

  collect(): MetricFamily[] {
    const { written, dropped } = this.#counts();
    const labels = { kind: this.#kind };
    return [
      counter('appengine_log_rows_total', "Rows of apps' logs that were written.", [{ labels, value: written }]),
      counter('appengine_log_rows_dropped_total', "Rows of apps' logs that were lost: too fast, or the disk did not take them.", [
        { labels, value: dropped },
      ]),
    ];
  }
}
