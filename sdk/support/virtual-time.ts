// The deterministic twin of clock.ts: time moves only when told to, chance comes from a printed seed.
import { type Cancel, type Clock, type Random, type Timers } from './clock.ts';

interface Pending {
  readonly dueMs: number;
  readonly order: number;
  readonly action: () => void;
  readonly periodMs?: number;
}

/** A clock and timers in virtual time. Timers due at the same moment fire in the order they were set. */
export class VirtualTime implements Clock, Timers {
  #nowMs: number;
  #order = 0;
  #pending = new Map<number, Pending>();

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
    return this.#add({ dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order, action });
  }

  every(periodMs: number, action: () => void): Cancel {
    return this.#add({ dueMs: this.#nowMs + periodMs, order: this.#order, action, periodMs });
  }

  /** Moves time forward by `byMs`, firing what falls due in order. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (let next = this.#earliest(); next && next[1].dueMs <= untilMs; next = this.#earliest()) {
      this.#fire(next[0], next[1]);
    }
    this.#nowMs = untilMs;
  }

  /** As `advance`, giving promise callbacks a turn after each timer and before returning. */
  async advanceAsync(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await settle();
    for (let next = this.#earliest(); next && next[1].dueMs <= untilMs; next = this.#earliest()) {
      this.#fire(next[0], next[1]);
      await settle();
    }
    this.#nowMs = untilMs;
  }

  #add(pending: Pending): Cancel {
    const handle = this.#order++;
    this.#pending.set(handle, pending);
    return () => {
      this.#pending.delete(handle);
    };
  }

  #fire(handle: number, pending: Pending): void {
    this.#nowMs = Math.max(this.#nowMs, pending.dueMs);
    if (pending.periodMs === undefined) this.#pending.delete(handle);
    else this.#pending.set(handle, { ...pending, dueMs: pending.dueMs + pending.periodMs });
    pending.action();
  }

  #earliest(): readonly [number, Pending] | undefined {
    let best: readonly [number, Pending] | undefined;
    for (const entry of this.#pending) {
      if (!best || entry[1].dueMs < best[1].dueMs || (entry[1].dueMs === best[1].dueMs && entry[1].order < best[1].order)) {
        best = entry;
      }
    }
    return best;
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
