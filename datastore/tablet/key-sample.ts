// A fair sample of the keys at which a busy tablet is read and written (reservoir sampling): where to cut it.
import { type Random } from '../../sdk/support/clock.ts';

const KEYS_MAX = 128;
/** One access in about this many is sampled, so that nearly all cost one subtraction. */
const EVERY_ROWS = 64;

export class KeySample {
  readonly #random: Random;
  readonly #keys: Buffer[] = [];
  #rowsUntilNext = 1;
  #sampled = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get keys(): readonly Buffer[] {
    return this.#keys;
  }

  /** Of `rows` rows read or written at `key`. */
  count(key: Buffer, rows: number): void {
    this.#rowsUntilNext -= rows;
    if (this.#rowsUntilNext <= 0) this.#take(key);
  }

  #take(key: Buffer): void {
    // Not every 64th: what repeats in the app's requests must not repeat in the sample.
    this.#rowsUntilNext = 1 + Math.floor(this.#random.fraction() * 2 * EVERY_ROWS);
    const at = this.#sampled < KEYS_MAX ? this.#sampled : Math.floor(this.#random.fraction() * (this.#sampled + 1));
    this.#sampled++;
    // A copy: the key may be a view of a whole block of rows.
    if (at < KEYS_MAX) this.#keys[at] = Buffer.from(key);
  }
}
