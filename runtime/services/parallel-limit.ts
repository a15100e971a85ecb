import { PlatformError, type ErrorCode } from '../../sdk/contract/errors.ts';
import { BoundedQueue } from '../../sdk/support/bounded-queue.ts';

/** Runs so many tasks at a time and lets so many wait; more are refused with `code`. */
export class ParallelLimit {
  readonly #runningMax: number;
  readonly #waiting: BoundedQueue<() => void>;
  readonly #code: ErrorCode;
  #running = 0;

  constructor(runningMax: number, waitingMax: number, code: ErrorCode) {
    this.#runningMax = runningMax;
    this.#waiting = new BoundedQueue(waitingMax);
    this.#code = code;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      // The place goes on to who waits longest.
      if (next) next();
      else this.#running--;
    }
  }

  #enter(): Promise<void> {
    if (this.#running < this.#runningMax) {
      this.#running++;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      if (!this.#waiting.push(resolve)) reject(new PlatformError(this.#code, 'too many wait'));
    });
  }
}
