/** What starts up may use this many seconds' worth at once. */
const BURST_SECONDS = 4;

/** So much a second on average, and BURST_SECONDS' worth at once. */
export class Allowance {
  readonly #perSecond: number;
  #left: number;
  #refilledAtMs: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#left = perSecond * BURST_SECONDS;
    this.#refilledAtMs = nowMs;
  }

  /** Adds what has come to be allowed since the last call. */
  refill(nowMs: number): void {
    const refill = ((nowMs - this.#refilledAtMs) / 1_000) * this.#perSecond;
    this.#left = Math.min(this.#perSecond * BURST_SECONDS, this.#left + refill);
    this.#refilledAtMs = nowMs;
  }

  has(amount: number): boolean {
    return this.#left >= amount;
  }

  /** Call it only when there is so much. */
  take(amount: number): void {
    this.#left -= amount;
  }
}
