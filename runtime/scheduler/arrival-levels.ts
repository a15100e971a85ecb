import { SCALE_RULES } from './scale-decision.ts';

const BUCKET_MS = 1_000;
const BUCKETS = SCALE_RULES.demandWindowMs / BUCKET_MS;
/** Standard deviations above the mean: 19 of 20 are below, as in a normal distribution. */
const DEVIATIONS = 1.64;

/** What the arrivals of one second found, themselves included. */
interface Second {
  arrivals: number;
  sum: number;
  squares: number;
  most: number;
}

/** How many requests arrivals found in the version, themselves included, over the last `demandWindowMs`. */
export class ArrivalLevels {
  readonly #seconds: readonly Second[] = Array.from({ length: BUCKETS }, () => ({ arrivals: 0, sum: 0, squares: 0, most: 0 }));
  #newest: number;

  constructor(nowMs: number) {
    this.#newest = Math.floor(nowMs / BUCKET_MS);
  }

  record(level: number, nowMs: number): void {
    this.#turn(nowMs);
    const second = this.#seconds[this.#newest % BUCKETS];
    if (!second) return;
    second.arrivals++;
    second.sum += level;
    second.squares += level * level;
    second.most = Math.max(second.most, level);
  }

  /** What 19 of 20 arrivals found at most; of few, the most that any did. 0 without arrivals. */
  usual(nowMs: number): number {
    this.#turn(nowMs);
    let [arrivals, sum, squares, most] = [0, 0, 0, 0];
    for (const second of this.#seconds) {
      arrivals += second.arrivals;
      sum += second.sum;
      squares += second.squares;
      most = Math.max(most, second.most);
    }
    if (arrivals === 0) return 0;
    const mean = sum / arrivals;
    const deviation = Math.sqrt(Math.max(0, squares / arrivals - mean * mean));
    return Math.min(most, mean + DEVIATIONS * deviation);
  }

  /** Empties the seconds that passed since the newest. */
  #turn(nowMs: number): void {
    const now = Math.floor(nowMs / BUCKET_MS);
    const passed = Math.min(BUCKETS, now - this.#newest);
    for (let step = 0; step < passed; step++) {
      const second = this.#seconds[(now - step) % BUCKETS];
      if (second) second.arrivals = second.sum = second.squares = second.most = 0;
    }
    this.#newest = Math.max(this.#newest, now);
  }
}
