import { ArrivalLevels } from './arrival-levels.ts';
import { type Load } from './scale-decision.ts';

/** Time constant of the mean in flight: long against the chance by which arrivals come close together. */
const IN_FLIGHT_MEAN_MS = 10_000;
/** Time constant of the mean demand: long against one burst of short requests, no longer than a cold start. */
const DEMAND_MEAN_MS = 500;
/** Weight of the newest sample in the means of service and boot time: about the last ten count. */
const SAMPLE_WEIGHT = 0.2;

/** Measures what one version carries. Times are monotonic milliseconds and never go back. */
export class LoadMeter {
  readonly #levels: ArrivalLevels;
  #inFlight = 0;
  #queued = 0;
  #inFlightMean = 0;
  #demandMean = 0;
  #meanAtMs: number;
  #serviceMs: number | undefined;
  #bootMs: number | undefined;
  #activeAtMs: number;

  constructor(nowMs: number) {
    this.#meanAtMs = nowMs;
    this.#activeAtMs = nowMs;
    this.#levels = new ArrivalLevels(nowMs);
  }

  get activeAtMs(): number {
    return this.#activeAtMs;
  }

  /** Whether any request has been answered. */
  get hasServed(): boolean {
    return this.#serviceMs !== undefined;
  }

  /** To be called whenever either number may have changed. */
  change(inFlight: number, queued: number, nowMs: number): void {
    if (inFlight === this.#inFlight && queued === this.#queued) return;
    this.#settle(nowMs);
    if (inFlight + queued > this.#inFlight + this.#queued) this.#levels.record(inFlight + queued, nowMs);
    this.#inFlight = inFlight;
    this.#queued = queued;
    this.#activeAtMs = nowMs;
  }

  /** The version is to be kept as if a request had come. */
  touch(nowMs: number): void {
    this.#activeAtMs = nowMs;
  }

  served(durationMs: number): void {
    this.#serviceMs = this.#serviceMs === undefined ? durationMs : this.#serviceMs + SAMPLE_WEIGHT * (durationMs - this.#serviceMs);
  }

  booted(durationMs: number): void {
    this.#bootMs = this.#bootMs === undefined ? durationMs : this.#bootMs + SAMPLE_WEIGHT * (durationMs - this.#bootMs);
  }

  load(headWaitMs: number, nowMs: number): Load {
    this.#settle(nowMs);
    return {
      inFlight: this.#inFlight,
      queued: this.#queued,
      headWaitMs,
      inFlightMean: this.#inFlightMean,
      demandMean: this.#demandMean,
      demandUsual: this.#levels.usual(nowMs),
      serviceMs: this.#serviceMs,
      bootMs: this.#bootMs,
      // A request that takes minutes is activity for as long as it takes.
      activeAtMs: this.#inFlight + this.#queued > 0 ? nowMs : this.#activeAtMs,
    };
  }

  /** Brings the means up to now: the present level held since the last change. */
  #settle(nowMs: number): void {
    const elapsedMs = nowMs - this.#meanAtMs;
    if (elapsedMs <= 0) return;
    const demand = this.#inFlight + this.#queued;
    this.#inFlightMean = this.#inFlight + (this.#inFlightMean - this.#inFlight) * Math.exp(-elapsedMs / IN_FLIGHT_MEAN_MS);
    this.#demandMean = demand + (this.#demandMean - demand) * Math.exp(-elapsedMs / DEMAND_MEAN_MS);
    this.#meanAtMs = nowMs;
  }
}
