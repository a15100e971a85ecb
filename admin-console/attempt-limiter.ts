import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Clock } from '../sdk/support/clock.ts';

interface Failures {
  readonly sinceMs: number;
  count: number;
}

/** Counts failures by address in windows of fixed length; addresses beyond `signInAddressesMax` push out the oldest. */
export class AttemptLimiter {
  readonly #clock: Clock;
  readonly #failuresMax: number;
  readonly #windowMs: number;
  readonly #failures = new Map<string, Failures>();

  constructor(clock: Clock, options: { readonly failuresMax: number; readonly windowMs: number }) {
    this.#clock = clock;
    this.#failuresMax = options.failuresMax;
    this.#windowMs = options.windowMs;
  }

  /** Throws LOGIN_TOO_OFTEN while the address has failed too often, right or wrong as its next try may be. */
  check(address: string): void {
    if ((this.#current(address)?.count ?? 0) >= this.#failuresMax) throw new PlatformError('LOGIN_TOO_OFTEN');
  }

  fail(address: string): void {
    const failures = this.#current(address) ?? { sinceMs: this.#clock.monotonicMs(), count: 0 };
    failures.count++;
    this.#failures.delete(address);
    this.#failures.set(address, failures);
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > LIMITS.signInAddressesMax && oldest !== undefined) this.#failures.delete(oldest);
  }

  #current(address: string): Failures | undefined {
    const failures = this.#failures.get(address);
    if (!failures || this.#clock.monotonicMs() - failures.sinceMs < this.#windowMs) return failures;
    this.#failures.delete(address);
    return undefined;
  }
}
