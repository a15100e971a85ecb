import { PlatformError } from '../../sdk/contract/errors.ts';
import { BoundedQueue } from '../../sdk/support/bounded-queue.ts';

interface Waiter<T> {
  readonly sinceMs: number;
  readonly grant: (place: T) => void;
  readonly refuse: (error: Error) => void;
}

/** Requests of one version that wait for a place, first come, first served. One leaves when its client does. */
export class HoldQueue<T> {
  readonly #waiters: BoundedQueue<Waiter<T>>;
  readonly #lengthMax: number;
  readonly #onLeave: () => void;

  /** `onLeave` hears of each that left by its own signal. */
  constructor(lengthMax: number, onLeave: () => void) {
    this.#waiters = new BoundedQueue(lengthMax);
    this.#lengthMax = lengthMax;
    this.#onLeave = onLeave;
  }

  get length(): number {
    return this.#waiters.length;
  }

  /** How long the head has waited; 0 when nobody waits. */
  headWaitMs(nowMs: number): number {
    const head = this.#waiters.peek();
    return head ? nowMs - head.sinceMs : 0;
  }

  /** Resolves with a place; rejects with ROUTE_QUEUE_FULL, the signal's reason, or what `refuse` says. */
  hold(nowMs: number, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        if (!entry?.remove()) return;
        reject(signal.reason as Error);
        this.#onLeave();
      };
      const stopListening = (): void => {
        signal.removeEventListener('abort', onAbort);
      };
      const entry = this.#waiters.push({
        sinceMs: nowMs,
        grant: (place) => {
          stopListening();
          resolve(place);
        },
        refuse: (error) => {
          stopListening();
          reject(error);
        },
      });
      if (!entry) {
        reject(new PlatformError('ROUTE_QUEUE_FULL', `at most ${this.#lengthMax} wait`));
        return;
      }
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Gives the head the place that `placeFor` makes for somebody who waited that long. Nothing when nobody waits. */
  grantHead(nowMs: number, placeFor: (waitedMs: number) => T): void {
    const head = this.#waiters.shift();
    head?.grant(placeFor(nowMs - head.sinceMs));
  }

  refuseHead(error: Error): void {
    this.#waiters.shift()?.refuse(error);
  }

  refuseAll(error: Error): void {
    while (this.#waiters.length > 0) this.refuseHead(error);
  }
}
