// Calls that apps make of services, by service and method: names that are the platform's own, so their number is bounded.
import { type Clock } from '../../../sdk/support/clock.ts';
import { type CallObserver } from '../../api/call-passage.ts';
import { Histogram, histogramFamily } from './histogram.ts';
import { counter, type Labels, type MetricFamily, type MetricSource } from './metric-family.ts';

/** Seconds: a call that is answered from memory takes microseconds. */
const BOUNDS: readonly number[] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];

class CallSeries {
  readonly durations = new Histogram(BOUNDS);
  readonly results = new Map<string, number>();
}

export class CallMetrics implements CallObserver, MetricSource {
  readonly #clock: Clock;
  readonly #series = new Map<string, Map<string, CallSeries>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  begin(): number {
    return this.#clock.monotonicMs();
  }

  end(service: string, method: string, begunMs: number, result: string): void {
    let methods = this.#series.get(service);
    if (!methods) this.#series.set(service, (methods = new Map<string, CallSeries>()));
    let series = methods.get(method);
    if (!series) methods.set(method, (series = new CallSeries()));
    series.durations.observeMs(this.#clock.monotonicMs() - begunMs);
    series.results.set(result, (series.results.get(result) ?? 0) + 1);
  }

  collect(): MetricFamily[] {
    const all = [...this.#series].flatMap(([service, methods]) =>
      [...methods].map(([method, series]): readonly [Labels, CallSeries] => [{ api: service, method }, series]),
    );
    const results = all.flatMap(([labels, series]) =>
      [...series.results].map(([result, value]) => ({ labels: { ...labels, result }, value })),
    );
    return [
      histogramFamily(
        'appengine_api_call_seconds',
        'Time that calls of services took, the datastore among them.',
        all.map(([labels, { durations }]) => [labels, durations]),
        BOUNDS,
      ),
      counter('appengine_api_calls_total', 'Calls of services, by result: ok, or the code of the error.', results),
    ];
  }
}
