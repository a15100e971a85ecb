// How often somebody may fail: counts by key within a window, forgetting the oldest keys first.
import { LRUCache } from 'lru-cache';
import { type Clock } from './clock.ts';

interface Count {
  attempts: number;
  readonly endsAtMs: number;
}

export class AttemptLimit {
  readonly #counts: LRUCache<string, Count>;
  readonly #clock: Clock;
  readonly #max: number;
  readonly #windowMs: number;

  constructor(clock: Clock, options: { readonly max: number; readonly windowMs: number; readonly keysMax: number }) {
    this.#clock = clock;
    this.#max = options.max;
    this.#windowMs = options.windowMs;
    this.#counts = new LRUCache({ max: options.keysMax });
  }

  /** Counts one attempt, before it is made; false when there were too many. */
  take(key: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#counts.get(key);
    if (!known || nowMs >= known.endsAtMs) {
      this.#counts.set(key, { attempts: 1, endsAtMs: nowMs + this.#windowMs });
      return true;
    }
    if (known.attempts >= this.#max) return false;
    known.attempts++;
    return true;
  }

  /** The attempt succeeded, so it does not count. */
  giveBack(key: string): void {
    const known = this.#counts.get(key);
    if (known && known.attempts > 0) known.attempts--;
  }
}

/** Whoever has one IPv6 address has its whole /64. */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head.split(':').filter((group) => group !== '');
  const rest = tail === undefined ? [] : tail.split(':').filter((group) => group !== '');
  const all = [...groups, ...Array<string>(Math.max(0, 8 - groups.length - rest.length)).fill('0'), ...rest];
  return `${all.slice(0, 4).join(':')}::/64`;
}
