import { type Load, SCALE_RULES } from './scale-decision.ts';

const BUCKET_MS = 1_000;
const BUCKETS = SCALE_RULES.peakWindowMs / BUCKET_MS;
/** Time constant of the mean in flight: long against one burst of short requests, short against a cold start. */
const MEAN_MS = 250;
/** Weight of the newest sample in the means of service and boot time: about the last ten count. */
const SAMPLE_WEIGHT = 0.2;

/** Measures what one version carries. Times are monotonic milliseconds and never go back. */
export class LoadMeter {
  readonly #peaks = new Array<number>(BUCKETS).fill(0);
  #bucket = 0;
  #inFlight = 0;
  #queued = 0;
  #inFlightMean = 0;
  #meanAtMs: number;
  #serviceMs: number | undefined;
  #bootMs: number | undefined;
  #activeAtMs: number;

  constructor(nowMs: number) {
    this.#meanAtMs = nowMs;
    this.#activeAtMs = nowMs;
    this.#bucket = Math.floor(nowMs / BUCKET_MS);
  }

  get activeAtMs(): number {
    return this.#activeAtMs;
  }

  /** To be called whenever either number may have changed. */
  change(inFlight: number, queued: number, nowMs: number): void {
    if (inFlight === this.#inFlight && queued === this.#queued) return;
    this.#settle(nowMs);
    this.#inFlight = inFlight;
    this.#queued = queued;
    this.#activeAtMs = nowMs;
    this.#raise();
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
      peak: Math.max(...this.#peaks),
      serviceMs: this.#serviceMs,
      bootMs: this.#bootMs,
      // A request that takes minutes is activity for as long as it takes.
      activeAtMs: this.#inFlight + this.#queued > 0 ? nowMs : this.#activeAtMs,
    };
  }

  /** Brings the mean and the peaks up to now: the present level held since the last change. */
  #settle(nowMs: number): void {
    const elapsedMs = nowMs - this.#meanAtMs;
    if (elapsedMs <= 0) return;
    this.#inFlightMean = this.#inFlight + (this.#inFlightMean - this.#inFlight) * Math.exp(-elapsedMs / MEAN_MS);
    this.#meanAtMs = nowMs;
    const bucket = Math.floor(nowMs / BUCKET_MS);
    const passed = Math.min(BUCKETS, bucket - this.#bucket);
    const level = this.#inFlight + this.#queued;
    for (let step = 0; step < passed; step++) this.#peaks[(bucket - step) % BUCKETS] = level;
    this.#bucket = bucket;
  }

  #raise(): void {
    const place = this.#bucket % BUCKETS;
    this.#peaks[place] = Math.max(this.#peaks[place] ?? 0, this.#inFlight + this.#queued);
  }
}
