import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Timers } from '../../sdk/support/clock.ts';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Those who wait for a version's first ready instance without having a request: deploys that warm it. */
export class WarmWaiters {
  readonly #timers: Timers;
  readonly #waiters = new Set<Waiter>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  get count(): number {
    return this.#waiters.size;
  }

  /** Resolves or rejects with the next `resolveAll` or `refuseAll`; DEADLINE_EXCEEDED after `msMax`. */
  wait(msMax: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        cancel();
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        resolve: () => {
          settle();
          resolve();
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const cancel = this.#timers.after(msMax, () => {
        waiter.reject(new PlatformError('DEADLINE_EXCEEDED', `no instance was ready after ${msMax} ms`));
      });
      this.#waiters.add(waiter);
    });
  }

  resolveAll(): void {
    for (const waiter of [...this.#waiters]) waiter.resolve();
  }

  refuseAll(error: Error): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }
}
