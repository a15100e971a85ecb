import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';

/** How many requests each app has open, so that one cannot take every connection of the machine. */
export class OpenFetches {
  readonly #open = new Map<string, number>();

  /** Throws RPC_OVERLOADED beyond the limit. Returns what ends this one; a second call does nothing. */
  enter(appId: string): () => void {
    const count = this.of(appId);
    if (count >= LIMITS.fetchesOpenPerAppMax) throw new PlatformError('RPC_OVERLOADED', `the app has ${count} fetches under way`);
    this.#open.set(appId, count + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const now = this.of(appId) - 1;
      if (now > 0) this.#open.set(appId, now);
      else this.#open.delete(appId);
    };
  }

  of(appId: string): number {
    return this.#open.get(appId) ?? 0;
  }
}
