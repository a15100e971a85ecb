// How many frames that cost work and carry no request one HTTP/2 connection may send: resets, pings, settings. Pure.

export interface FrameAllowance {
  /** At once. */
  readonly burst: number;
  readonly perSecond: number;
}

/** A bucket that fills with time. `nowMs` is monotonic. */
export class FrameBudget {
  readonly #allowance: FrameAllowance;
  #left: number;
  #filledAtMs: number;

  constructor(allowance: FrameAllowance, nowMs: number) {
    this.#allowance = allowance;
    this.#left = allowance.burst;
    this.#filledAtMs = nowMs;
  }

  /** Whether one more is within the allowance. */
  take(nowMs: number): boolean {
    const { burst, perSecond } = this.#allowance;
    this.#left = Math.min(burst, this.#left + ((nowMs - this.#filledAtMs) * perSecond) / 1_000);
    this.#filledAtMs = nowMs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
