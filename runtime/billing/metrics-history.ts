// What the dashboard's charts are drawn from: a day of points in memory, for each app that did something. Not on disk: after a
// restart of the control role the charts begin anew.
import { type MetricsPoint, type MetricsView } from '../../sdk/contract/admin/usage.ts';
import { type UsageAmounts } from '../../sdk/contract/usage.ts';
import { type Cancel, type Clock, type Timers } from '../../sdk/support/clock.ts';
import { latencyQuantile } from './latency-histogram.ts';
import { type AppObservations } from './usage-wire.ts';

interface Point {
  requests: number;
  clientErrors: number;
  serverErrors: number;
  coldStarts: number;
  cpuMegacycles: number;
  incomingBytes: number;
  outgoingBytes: number;
  instances: number;
  memoryBytes: number;
  readonly latencies: Map<number, number>;
}

interface Series {
  readonly stepMs: number;
  readonly points: number;
}

const MINUTE_MS = 60_000;
/** Fine steps for the last hour, coarse ones for a day. */
const FINE: Series = { stepMs: 10_000, points: 360 };
const COARSE: Series = { stepMs: MINUTE_MS, points: 1_440 };
const SWEEP_MS = MINUTE_MS;

/** Slots that nothing happened in have no point, so an app that rests costs nothing. */
type Slots = Map<number, Point>;

export class MetricsHistory {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #apps = new Map<string, ReadonlyMap<Series, Slots>>();
  /** Slots are of the monotonic clock, so that a jump of the wall clock makes no hole; this is the difference at the start. */
  readonly #offsetMs: number;
  #cancel: Cancel = () => undefined;

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock;
    this.#timers = timers;
    this.#offsetMs = clock.nowMs() - clock.monotonicMs();
  }

  start(): void {
    this.#cancel = this.#timers.every(SWEEP_MS, () => {
      this.#sweep();
    });
  }

  close(): void {
    this.#cancel();
  }

  used(appId: string, { cpuMegacycles = 0, incomingBytes = 0, outgoingBytes = 0 }: UsageAmounts): void {
    for (const point of this.#now(appId)) {
      point.cpuMegacycles += cpuMegacycles;
      point.incomingBytes += incomingBytes;
      point.outgoingBytes += outgoingBytes;
    }
  }

  observed(observations: readonly AppObservations[]): void {
    for (const seen of observations) {
      for (const point of this.#now(seen.appId)) {
        point.requests += seen.requests;
        point.clientErrors += seen.clientErrors;
        point.serverErrors += seen.serverErrors;
        point.coldStarts += seen.coldStarts;
        point.instances = Math.max(point.instances, seen.instances);
        point.memoryBytes = Math.max(point.memoryBytes, seen.memoryBytes);
        for (const [bucket, count] of seen.latencies) point.latencies.set(bucket, (point.latencies.get(bucket) ?? 0) + count);
      }
    }
  }

  /** The last `minutes` minutes, without holes. */
  view(appId: string, minutes: number): MetricsView {
    const series = minutes * MINUTE_MS <= FINE.stepMs * FINE.points ? FINE : COARSE;
    const { stepMs } = series;
    const slots = this.#apps.get(appId)?.get(series);
    const last = this.#slot(stepMs);
    const count = Math.min(series.points, Math.ceil((minutes * MINUTE_MS) / stepMs));
    const points = Array.from({ length: count }, (_, index) => {
      const slot = last - count + 1 + index;
      return pointView(slot * stepMs, slots?.get(slot));
    });
    return { stepMs, points };
  }

  /** The open points of an app, of both series. */
  #now(appId: string): readonly Point[] {
    let series = this.#apps.get(appId);
    if (!series) {
      series = new Map<Series, Slots>([
        [FINE, new Map()],
        [COARSE, new Map()],
      ]);
      this.#apps.set(appId, series);
    }
    return [...series].map(([{ stepMs }, slots]) => {
      const slot = this.#slot(stepMs);
      let point = slots.get(slot);
      if (!point) {
        point = emptyPoint();
        slots.set(slot, point);
      }
      return point;
    });
  }

  #slot(stepMs: number): number {
    return Math.floor((this.#clock.monotonicMs() + this.#offsetMs) / stepMs);
  }

  #sweep(): void {
    for (const [appId, series] of this.#apps) {
      for (const [{ stepMs, points }, slots] of series) {
        const oldest = this.#slot(stepMs) - points;
        for (const slot of slots.keys()) if (slot < oldest) slots.delete(slot);
      }
      if ([...series.values()].every((slots) => slots.size === 0)) this.#apps.delete(appId);
    }
  }
}

function emptyPoint(): Point {
  return {
    ...{ requests: 0, clientErrors: 0, serverErrors: 0, coldStarts: 0, cpuMegacycles: 0, incomingBytes: 0, outgoingBytes: 0 },
    ...{ instances: 0, memoryBytes: 0, latencies: new Map<number, number>() },
  };
}

function pointView(atMs: number, point: Point = emptyPoint()): MetricsPoint {
  const { latencies, ...counts } = point;
  const latencyP50Ms = latencyQuantile(latencies, 0.5);
  const latencyP99Ms = latencyQuantile(latencies, 0.99);
  return {
    atMs,
    ...counts,
    ...(latencyP50Ms === undefined ? {} : { latencyP50Ms }),
    ...(latencyP99Ms === undefined ? {} : { latencyP99Ms }),
  };
}
