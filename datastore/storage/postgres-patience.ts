// Tries something again while that may help, with growing pauses, for a bounded time.
import { type Clock, type Random, sleep, type Timers } from '../../sdk/support/clock.ts';
import { verdictOf } from './postgres-error.ts';

const PAUSE_MS_MIN = 10;
const PAUSE_MS_MAX = 1_000;

export class PostgresPatience {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #random: Random;

  constructor(clock: Clock, timers: Timers, random: Random) {
    this.#clock = clock;
    this.#timers = timers;
    this.#random = random;
  }

  /** Runs `action`, again after serialisation failures and lost connections; throws its last error when `ms` are over or `isOver`. */
  async retry<T>(ms: number, action: () => Promise<T>, isOver: () => boolean = () => false): Promise<T> {
    const endMs = this.#clock.monotonicMs() + ms;
    for (let pauseMs = PAUSE_MS_MIN; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX)) {
      try {
        return await action();
      } catch (error) {
        const verdict = verdictOf(error);
        if ((verdict !== 'again' && verdict !== 'reconnect') || this.#clock.monotonicMs() + pauseMs > endMs || isOver()) throw error;
      }
      // Half of it by chance, so that those who failed together do not come again together.
      await sleep(this.#timers, pauseMs * (0.5 + this.#random.fraction() / 2));
    }
  }
}
