// What each role's process says of itself: CPU, memory, and how late its event loop is.
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { type Cancel, type Clock, type Timers } from '../../../sdk/support/clock.ts';
import { counter, gauge, type MetricFamily, type MetricSource } from './metric-family.ts';

/** Timers that fire more often would cost an idle platform more than they tell. */
const RESOLUTION_MS = 50;
/** The lag of one such time is told, so that an old peak goes. */
const WINDOW_MS = 15_000;
const NANOS_PER_SECOND = 1e9;
const NANOS_PER_MS = 1e6;
const MICROS_PER_SECOND = 1e6;
const MS_PER_SECOND = 1_000;

interface Lag {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export class ProcessMetrics implements MetricSource {
  readonly #timers: Timers;
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly startedAtMs: number;
  #lag: Lag | undefined;
  #cancel: Cancel = () => undefined;

  constructor(clock: Clock, timers: Timers) {
    this.#timers = timers;
    this.startedAtMs = clock.nowMs() - process.uptime() * MS_PER_SECOND;
  }

  start(): void {
    this.#delay.enable();
    this.#cancel = this.#timers.every(WINDOW_MS, () => {
      this.#lag = this.#window();
      this.#delay.reset();
    });
  }

  close(): void {
    this.#cancel();
    this.#delay.disable();
  }

  collect(): MetricFamily[] {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
    const one = (value: number): { labels: Record<string, string>; value: number }[] => [{ labels: {}, value }];
    const lag = this.#lag ?? this.#window();
    const lags = (['p50', 'p99', 'max'] as const).map((quantile) => ({ labels: { quantile }, value: lag[quantile] }));
    return [
      counter('process_cpu_seconds_total', 'CPU time of the process.', one((user + system) / MICROS_PER_SECOND)),
      gauge('process_resident_memory_bytes', 'Memory of the process.', one(rss)),
      gauge(
        'process_start_time_seconds',
        'When the process was started, seconds since 1970.',
        one(Math.round(this.startedAtMs) / MS_PER_SECOND),
      ),
      gauge('nodejs_heap_used_bytes', "JavaScript's heap in use.", one(heapUsed)),
      gauge('nodejs_heap_total_bytes', "JavaScript's heap.", one(heapTotal)),
      gauge('nodejs_external_bytes', 'Memory of buffers outside the heap.', one(external)),
      gauge('nodejs_eventloop_lag_seconds', `How late the event loop was within the last ${WINDOW_MS / MS_PER_SECOND} s.`, lags),
      counter(
        'nodejs_eventloop_active_seconds_total',
        'Time that the event loop was not waiting.',
        one(performance.eventLoopUtilization().active / MS_PER_SECOND),
      ),
    ];
  }

  /** What is measured is the time between two timers: what is over the resolution is lag. */
  #window(): Lag {
    const late = (nanos: number): number => Math.max(0, nanos - RESOLUTION_MS * NANOS_PER_MS) / NANOS_PER_SECOND;
    if (this.#delay.max === 0) return { p50: 0, p99: 0, max: 0 };
    return { p50: late(this.#delay.percentile(50)), p99: late(this.#delay.percentile(99)), max: late(this.#delay.max) };
  }
}
