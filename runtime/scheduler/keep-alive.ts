import { LIMITS } from '../../sdk/contract/limits.ts';

const BIN_MS = 60_000;
/** The longest keep-alive that is learnt; a longer pause is not bridged by any. */
const BINS = LIMITS.instanceKeepAliveMsMax / BIN_MS;
/** A pause up to this is bridged whatever was learnt, and says nothing; a page's burst of requests would drown the rest. */
const PAUSE_MS_MIN = LIMITS.instanceKeepAliveMsMin;
const SAMPLES_MIN = 10;
/** Then all counts are halved, so that of some hundred pauses the newest count most. */
const SAMPLES_MAX = 400;
/** Of the pauses that can be bridged this share is. */
const TAIL = 0.99;
/** When fewer than this share of the pauses can be bridged at all, an instance that waits mostly waits in vain. */
const BRIDGED_SHARE_MIN = 0.1;

/**
 * How long the last instance of a version is kept without a request, learnt from the version's own pauses: the histogram
 * of the hybrid policy (Shahrad et al., Serverless in the Wild, ATC 2020) in bins of a minute. That policy takes the tail
 * of all pauses; here it is the tail of those that a keep-alive can bridge, so that a version that sleeps at night is not
 * kept for half an hour every evening. There is no pre-warming before the next request.
 *
 * It is lost with the process: after a restart of the router every version begins with the default again.
 */
export class KeepAlive {
  readonly #bins = new Array<number>(BINS).fill(0);
  #beyond = 0;

  /** A pause between two requests ended. */
  paused(durationMs: number): void {
    if (durationMs <= PAUSE_MS_MIN) return;
    const bin = Math.ceil(durationMs / BIN_MS) - 1;
    if (bin >= BINS) this.#beyond++;
    else this.#bins[bin] = (this.#bins[bin] ?? 0) + 1;
    if (this.#bridgeable() + this.#beyond >= SAMPLES_MAX) this.#age();
  }

  get ms(): number {
    const bridgeable = this.#bridgeable();
    const samples = bridgeable + this.#beyond;
    if (samples < SAMPLES_MIN) return LIMITS.instanceKeepAliveMs;
    if (bridgeable < BRIDGED_SHARE_MIN * samples) return LIMITS.instanceKeepAliveMsMin;
    let left = Math.ceil(TAIL * bridgeable);
    for (let bin = 0; bin < BINS; bin++) {
      left -= this.#bins[bin] ?? 0;
      if (left <= 0) return (bin + 1) * BIN_MS;
    }
    return LIMITS.instanceKeepAliveMsMax;
  }

  #bridgeable(): number {
    let sum = 0;
    for (const count of this.#bins) sum += count;
    return sum;
  }

  #age(): void {
    for (let bin = 0; bin < BINS; bin++) this.#bins[bin] = Math.floor((this.#bins[bin] ?? 0) / 2);
    this.#beyond = Math.floor(this.#beyond / 2);
  }
}
