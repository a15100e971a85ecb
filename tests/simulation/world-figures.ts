import { type Outcome, type WorldReport, type WorldSpec } from './scheduler-world.ts';

/** The `share` quantile (0 … 1) by nearest rank; 0 of nothing. */
export function quantile(values: readonly number[], share: number): number {
  return quantileOfSorted(
    values.toSorted((a, b) => a - b),
    share,
  );
}

function quantileOfSorted(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? 0;
}

/** From `fromMs` to the end of the last window in which the 99th percentile of latency was above `latencyMsMax`. */
export function settlingMs(outcomes: readonly Outcome[], fromMs: number, latencyMsMax: number, windowMs = 250): number {
  const windows = new Map<number, number[]>();
  for (const { arrivedMs, latencyMs } of outcomes) {
    const window = Math.floor((arrivedMs - fromMs) / windowMs);
    const latencies = windows.get(window);
    if (latencies) latencies.push(latencyMs);
    else windows.set(window, [latencyMs]);
  }
  const late = [...windows].filter(([, latencies]) => quantile(latencies, 0.99) > latencyMsMax).map(([window]) => window);
  return late.length === 0 ? 0 : (Math.max(...late) + 1) * windowMs;
}

/** What a run is judged by. Latency counts answered requests; errors are those that were not. */
export interface WorldFigures {
  readonly requests: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly errors: number;
  /** Requests that waited for an instance to start. */
  readonly coldRequests: number;
  readonly starts: number;
  readonly instanceSeconds: number;
  readonly instancesPeak: number;
}

export function figuresOf(report: WorldReport): WorldFigures {
  const { outcomes, arrivals, started, instanceSeconds, instancesPeak } = report;
  const latencies = outcomes.flatMap(({ error, latencyMs }) => (error === undefined ? [latencyMs] : [])).sort((a, b) => a - b);
  return {
    requests: arrivals,
    p50Ms: quantileOfSorted(latencies, 0.5),
    p90Ms: quantileOfSorted(latencies, 0.9),
    p99Ms: quantileOfSorted(latencies, 0.99),
    maxMs: latencies.at(-1) ?? 0,
    errors: arrivals - latencies.length,
    coldRequests: outcomes.filter(({ isCold }) => isCold).length,
    starts: started,
    instanceSeconds,
    instancesPeak,
  };
}

export function summary(spec: WorldSpec, report: WorldReport): string {
  const waits = report.outcomes.map(({ waitMs }) => waitMs);
  const { requests, errors, coldRequests, starts, instancesPeak, instanceSeconds } = figuresOf(report);
  return [
    `${spec.traffic.name.padEnd(20)} seed ${spec.seed}:`,
    `${requests} requests, ${errors} failed,`,
    `${starts} starts (${coldRequests} cold requests), ${report.deaths} deaths,`,
    `wait p50 ${quantile(waits, 0.5).toFixed(0)} ms p99 ${quantile(waits, 0.99).toFixed(0)} ms,`,
    `peak ${instancesPeak} instances, ${instanceSeconds.toFixed(0)} instance-seconds`,
  ].join(' ');
}
