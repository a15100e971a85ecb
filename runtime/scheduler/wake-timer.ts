import { type Cancel, type Clock, type Timers } from '../../sdk/support/clock.ts';

/** One timer for a thing that must look again at some time. Waking too early does no harm, so the earliest wish counts. */
export class WakeTimer {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #wake: () => void;
  #armed: { readonly dueMs: number; readonly cancel: Cancel } | undefined;

  constructor(clock: Clock, timers: Timers, wake: () => void) {
    this.#clock = clock;
    this.#timers = timers;
    this.#wake = wake;
  }

  /** Wakes within `delayMs`, at least 1 so that no wish can spin; Infinity wishes nothing. */
  within(delayMs: number): void {
    if (delayMs === Infinity) return;
    const waitMs = Math.max(1, delayMs);
    const dueMs = this.#clock.monotonicMs() + waitMs;
    if (this.#armed && this.#armed.dueMs <= dueMs) return;
    this.#armed?.cancel();
    const cancel = this.#timers.after(waitMs, () => {
      this.#armed = undefined;
      this.#wake();
    });
    this.#armed = { dueMs, cancel };
  }

  cancel(): void {
    this.#armed?.cancel();
    this.#armed = undefined;
  }
}
