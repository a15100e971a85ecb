import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Random } from '../../sdk/support/clock.ts';
import { type StartFailure } from './start-failure.ts';

const DELAY_MS_MIN = 1_000;
/** At most this part is added by chance, so that versions that failed together do not try together. */
const JITTER = 0.1;

/** How long a version whose instances fail to start waits before the next try: 1 s, doubling, to a minute. */
export class StartBackoff {
  readonly #random: Random;
  #failures = 0;
  #untilMs = -Infinity;
  #pausedUntilMs = -Infinity;
  #failure: StartFailure | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Failed starts in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** No start before this monotonic time; -Infinity without a failure. */
  get untilMs(): number {
    return Math.max(this.#untilMs, this.#pausedUntilMs);
  }

  /** Why the last start failed; undefined since the last success. */
  get failure(): StartFailure | undefined {
    return this.#failure;
  }

  /** Instances that were started together and fail together count once. */
  fail(failure: StartFailure, nowMs: number): void {
    this.#failure = failure;
    if (this.#failures > 0 && nowMs < this.#untilMs) return;
    const delayMs = Math.min(DELAY_MS_MIN * 2 ** Math.min(this.#failures, 30), LIMITS.instanceStartBackoffMsMax);
    this.#failures++;
    this.#untilMs = nowMs + delayMs * (1 + JITTER * this.#random.fraction());
  }

  /** The host could not take a start just now, which says nothing of the app. */
  pause(delayMs: number, nowMs: number): void {
    this.#pausedUntilMs = nowMs + delayMs;
  }

  /** The host may be able to by now. */
  endPause(): void {
    this.#pausedUntilMs = -Infinity;
  }

  succeed(): void {
    this.#failures = 0;
    this.#failure = undefined;
    this.#untilMs = -Infinity;
  }
}
