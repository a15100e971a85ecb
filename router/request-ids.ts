import { type Random } from '../sdk/support/clock.ts';

const BYTES = 16;
const BATCH = 256;

/** Ids of requests: 32 hexadecimal digits, unique without asking anyone, and fit as trace ids. */
export class RequestIds {
  readonly #random: Random;
  #digits = '';
  #at = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  next(): string {
    // One call to the system's generator serves many requests.
    if (this.#at >= this.#digits.length) {
      this.#digits = this.#random.bytes(BYTES * BATCH).toString('hex');
      this.#at = 0;
    }
    const id = this.#digits.slice(this.#at, this.#at + 2 * BYTES);
    this.#at += 2 * BYTES;
    return id;
  }
}
