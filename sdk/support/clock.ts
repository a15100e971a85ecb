// Time, timers and chance as ports, so that every decision can be replayed.
// Nothing outside this folder calls Date.now, setTimeout or Math.random directly (a lint rule holds it).
// Read next: virtual-time.ts, the twin that simulations use.
import { randomBytes } from 'node:crypto';

export interface Clock {
  /** Wall-clock time in milliseconds since 1970, may jump. For records, never for measuring. */
  nowMs(): number;
  /** Monotonic milliseconds with a fraction, arbitrary origin. For measuring and deadlines. */
  monotonicMs(): number;
}

/** Undoes what it was returned by; a second call does nothing. */
export type Cancel = () => void;

export interface Timers {
  /** Calls `action` once after at least `delayMs`. Never keeps the process alive by itself. */
  after(delayMs: number, action: () => void): Cancel;
  /** Calls `action` every `periodMs` until cancelled. Never keeps the process alive by itself. */
  every(periodMs: number, action: () => void): Cancel;
}

export interface Random {
  /** A number in [0, 1). Not for secrets. */
  fraction(): number;
  /** `count` bytes from the system's secure generator (or a seeded one in simulations). */
  bytes(count: number): Buffer;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

export const systemTimers: Timers = {
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    timer.unref();
    return () => {
      clearTimeout(timer);
    };
  },
  every(periodMs, action) {
    const timer = setInterval(action, periodMs);
    timer.unref();
    return () => {
      clearInterval(timer);
    };
  },
};

/** Keeps the process from ending by itself, which the timers above do not, until it is cancelled. */
export function keepProcess(): Cancel {
  const timer = setInterval(() => undefined, 2 ** 31 - 1);
  return () => {
    clearInterval(timer);
  };
}

export const systemRandom: Random = {
  fraction: () => Math.random(),
  bytes: (count) => randomBytes(count),
};

/** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
export function sleep(timers: Timers, delayMs: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason as Error);
    };
    // A sleeping caller is waited for by something that holds the process open, so the timer need not.
    const cancel = timers.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
