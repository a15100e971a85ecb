// The deterministic twin of clock.ts: time moves only when told to, chance comes from a printed seed.
import { type Cancel, type Clock, type Random, type Timers } from './clock.ts';
import { type HeapTimer, TimerHeap } from './timer-heap.ts';

interface Pending extends HeapTimer {
  readonly action: () => void;
  readonly periodMs?: number;
}

/** A clock and timers in virtual time. Timers due at the same moment fire in the order they were set. */
export class VirtualTime implements Clock, Timers {
  #nowMs: number;
  #order = 0;
  readonly #pending = new TimerHeap<Pending>();

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): Cancel {
    return this.#add({ dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, action, isCancelled: false });
  }

  every(periodMs: number, action: () => void): Cancel {
    return this.#add({ dueMs: this.#nowMs + periodMs, order: this.#order++, action, periodMs, isCancelled: false });
  }

  /** Moves time forward by `byMs`, firing what falls due in order. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (let next = this.#pending.peek(); next && next.dueMs <= untilMs; next = this.#pending.peek()) this.#fire(next);
    this.#nowMs = untilMs;
  }

  /** As `advance`, giving promise callbacks a turn after each timer and before returning. */
  async advanceAsync(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await settle();
    for (let next = this.#pending.peek(); next && next.dueMs <= untilMs; next = this.#pending.peek()) {
      this.#fire(next);
      await settle();
    }
    this.#nowMs = untilMs;
  }

  #add(pending: Pending): Cancel {
    this.#pending.push(pending);
    return () => {
      this.#pending.cancel(pending);
    };
  }

  #fire(pending: Pending): void {
    this.#nowMs = Math.max(this.#nowMs, pending.dueMs);
    this.#pending.pop();
    // One that has fired is out of the heap: to cancel it is nothing.
    if (pending.periodMs === undefined) pending.isCancelled = true;
    else {
      pending.dueMs += pending.periodMs;
      this.#pending.push(pending);
    }
    pending.action();
  }
}

async function settle(): Promise<void> {
  // Chains of a few awaits are common between a timer and its visible effect.
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** mulberry32: small, fast and good enough for simulations; never for secrets. */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => Math.floor(this.fraction() * 256)));
  }
}
