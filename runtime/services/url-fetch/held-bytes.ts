import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';

/** Bytes of answers that are held until they are whole, of each app and of all: this process must not grow with them. */
export class HeldBytes {
  readonly #ofApp = new Map<string, number>();
  #ofAll = 0;

  /** Throws RPC_OVERLOADED beyond the limits, having taken nothing. */
  take(appId: string, bytes: number): void {
    const held = this.#ofApp.get(appId) ?? 0;
    if (held + bytes > LIMITS.fetchHeldBytesPerAppMax || this.#ofAll + bytes > LIMITS.fetchHeldBytesMax) {
      throw new PlatformError('RPC_OVERLOADED', 'too many large answers are on their way; fetch() streams them');
    }
    this.#ofApp.set(appId, held + bytes);
    this.#ofAll += bytes;
  }

  give(appId: string, bytes: number): void {
    const left = (this.#ofApp.get(appId) ?? 0) - bytes;
    if (left > 0) this.#ofApp.set(appId, left);
    else this.#ofApp.delete(appId);
    this.#ofAll -= bytes;
  }
}
