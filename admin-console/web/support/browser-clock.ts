// The browser's time, for the whole app: the one file that asks for it, as sdk/support/clock.ts is on the server.
import { useSyncExternalStore } from 'react';

export const nowMs = (): number => Date.now();

/** Calls `action` once after `delayMs`, unless the answer is called before. */
export function after(delayMs: number, action: () => void): () => void {
  const timer = setTimeout(action, delayMs);
  return () => {
    clearTimeout(timer);
  };
}

const TICK_MS = 1_000;
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let tickMs = nowMs();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    tickMs = nowMs();
    for (const each of listeners) each();
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** Now, in steps of a second, so that "3 s ago" stays true; the whole page shares one timer. */
export function useNowMs(): number {
  return useSyncExternalStore(subscribe, () => tickMs);
}
