// What the router counts of requests, from the rows of its log: nothing is added to a request's own path.
import { type RequestLogRow, type RequestLogSink } from '../../../router/ports.ts';
import { type ColdStart } from '../../../sdk/contract/cold-start.ts';
import { type Clock } from '../../../sdk/support/clock.ts';
import { Histogram, histogramFamily } from './histogram.ts';
import { counter, type Labels, type MetricFamily, type MetricSource, type Sample } from './metric-family.ts';
import { type VersionName, VersionSeries } from './version-series.ts';

const PHASES = ['spawnMs', 'runtimeMs', 'loadMs', 'readyMs', 'firstByteMs'] as const satisfies readonly (keyof ColdStart)[];
const PHASE_LABELS: Readonly<Record<(typeof PHASES)[number], string>> = {
  ...{ spawnMs: 'spawn', runtimeMs: 'runtime', loadMs: 'load', readyMs: 'ready', firstByteMs: 'first_byte' },
};
/** An app may answer with any status: those beyond count as their class. */
const STATUSES_MAX = 40;

/** Of one version. */
class RequestSeries {
  /** By hundreds of the status. */
  readonly durations = Array.from({ length: 6 }, () => new Histogram());
  readonly pending = new Histogram();
  readonly statuses = new Map<number, number>();
  coldStarts: Map<string, Histogram> | undefined;
  requestBytes = 0;
  responseBytes = 0;
  retries = 0;

  add(row: RequestLogRow): void {
    const { status, latencyMs, instanceId, pendingMs, coldStart } = row;
    this.durations[Math.min(5, (status / 100) | 0)]?.observeMs(latencyMs);
    const known = this.statuses.get(status);
    if (known === undefined && this.statuses.size >= STATUSES_MAX) this.#count(((status / 100) | 0) * 100);
    else this.statuses.set(status, (known ?? 0) + 1);
    if (instanceId !== undefined) this.pending.observeMs(pendingMs);
    this.requestBytes += row.requestBytes;
    this.responseBytes += row.responseBytes;
    this.retries += row.retries;
    if (coldStart) this.addColdStart(coldStart);
  }

  #count(status: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
  }

  addColdStart(coldStart: ColdStart): void {
    this.coldStarts ??= new Map();
    for (const phase of PHASES) {
      const ms = coldStart[phase];
      if (ms === undefined) continue;
      const histogram = this.coldStarts.get(PHASE_LABELS[phase]) ?? new Histogram();
      this.coldStarts.set(PHASE_LABELS[phase], histogram);
      histogram.observeMs(ms);
    }
  }
}

/** Counts each row, then hands it on. Requests that reached no app count under an empty app. */
export class RequestMetrics implements RequestLogSink, MetricSource {
  readonly #next: RequestLogSink;
  readonly #clock: Clock;
  readonly #isRouted: (name: VersionName) => boolean;
  readonly #series = new VersionSeries(() => new RequestSeries());

  /** For the platform's own calls of instances: their starts count, their times are not those of visitors. */
  readonly lifecycle: RequestLogSink = {
    write: (row) => {
      this.#next.write(row);
      if (row.coldStart) this.#series.of(row, this.#clock.monotonicMs()).addColdStart(row.coldStart);
    },
  };

  /** `isRouted`: whether a version is still there; others go once they are idle. */
  constructor(next: RequestLogSink, clock: Clock, isRouted: (name: VersionName) => boolean) {
    this.#next = next;
    this.#clock = clock;
    this.#isRouted = isRouted;
  }

  write(row: RequestLogRow): void {
    this.#next.write(row);
    this.#series.of(row, this.#clock.monotonicMs()).add(row);
  }

  collect(): MetricFamily[] {
    const all = this.#series.entries(this.#clock.monotonicMs(), this.#isRouted);
    const sums = (name: string, help: string, value: (series: RequestSeries) => number): MetricFamily =>
      counter(
        name,
        help,
        all.map(([labels, series]) => ({ labels, value: value(series) })),
      );
    return [
      histogramFamily(
        'appengine_request_seconds',
        'Time from the first byte of a request to the last of its answer.',
        all.flatMap(durationsOf),
      ),
      counter('appengine_requests_total', 'Requests that were answered, by status.', all.flatMap(statusesOf)),
      histogramFamily(
        'appengine_pending_seconds',
        'Time that requests waited for an instance.',
        all.map(([labels, series]) => [labels, series.pending]),
      ),
      histogramFamily(
        'appengine_cold_start_seconds',
        "Time that each phase of an instance's start took, of starts that the first request of an instance found.",
        all.flatMap(coldStartsOf),
      ),
      sums('appengine_request_bytes_total', 'Bytes of bodies that clients sent.', ({ requestBytes }) => requestBytes),
      sums('appengine_response_bytes_total', 'Bytes of bodies that clients were sent.', ({ responseBytes }) => responseBytes),
      sums('appengine_retries_total', 'How often a request was given to another instance.', ({ retries }) => retries),
    ];
  }
}

type Entry = readonly [labels: Labels, series: RequestSeries];

function durationsOf([labels, { durations }]: Entry): (readonly [Labels, Histogram])[] {
  return durations.map((histogram, hundreds) => [{ ...labels, status: `${hundreds}xx` }, histogram]);
}

function statusesOf([labels, { statuses }]: Entry): Sample[] {
  return [...statuses].map(([status, value]) => ({ labels: { ...labels, status: String(status) }, value }));
}

function coldStartsOf([labels, { coldStarts }]: Entry): (readonly [Labels, Histogram])[] {
  return [...(coldStarts ?? [])].map(([phase, histogram]) => [{ ...labels, phase }, histogram]);
}
