const SECOND_MS = 1_000;
const SECONDS = 60;

/** How often something happened in the last minute, to the second. */
export class MinuteCounter {
  readonly #counts = new Array<number>(SECONDS).fill(0);
  #second = 0;

  /** `nowMs` is monotonic. */
  add(nowMs: number): void {
    this.#advance(nowMs);
    this.#counts[this.#second % SECONDS] = (this.#counts[this.#second % SECONDS] ?? 0) + 1;
  }

  total(nowMs: number): number {
    this.#advance(nowMs);
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / SECOND_MS);
    for (let count = 0; this.#second < second && count < SECONDS; count++) {
      this.#second = count === 0 ? Math.max(this.#second, second - SECONDS) + 1 : this.#second + 1;
      this.#counts[this.#second % SECONDS] = 0;
    }
    this.#second = Math.max(this.#second, second);
  }
}
