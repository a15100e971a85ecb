// Which record an operation is about, as YCSB chooses it (Cooper et al., "Benchmarking Cloud Serving Systems with YCSB", 2010).
import { type Random } from '../../../sdk/support/clock.ts';

/** Of YCSB: the popularity of the record of rank r is in proportion to 1 ÷ r^0.99. */
const ZIPFIAN_CONSTANT = 0.99;

export interface KeyChoice {
  /** One of 0 … `records` − 1. Records may become more, never fewer. */
  next(records: number): number;
}

export class Uniform implements KeyChoice {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  next(records: number): number {
    return Math.floor(this.#random.fraction() * records);
  }
}

/** Rank 0 is the most popular. The method of Gray et al., "Quickly Generating Billion-Record Synthetic Databases", 1994. */
export class Zipfian implements KeyChoice {
  readonly #random: Random;
  readonly #zetaOfTwo = 1 + 0.5 ** ZIPFIAN_CONSTANT;
  #records = 0;
  /** Σ 1 ÷ r^0.99 over the records. */
  #zeta = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  next(records: number): number {
    while (this.#records < records) this.#zeta += 1 / (++this.#records) ** ZIPFIAN_CONSTANT;
    const fraction = this.#random.fraction();
    const place = fraction * this.#zeta;
    if (place < 1) return 0;
    if (place < this.#zetaOfTwo) return Math.min(1, records - 1);
    const eta = (1 - (2 / records) ** (1 - ZIPFIAN_CONSTANT)) / (1 - this.#zetaOfTwo / this.#zeta);
    return Math.min(records - 1, Math.floor(records * (eta * fraction - eta + 1) ** (1 / (1 - ZIPFIAN_CONSTANT))));
  }
}

/** Zipfian, with the popular records scattered over all. */
export class ScrambledZipfian implements KeyChoice {
  readonly #ranks: Zipfian;

  constructor(random: Random) {
    this.#ranks = new Zipfian(random);
  }

  next(records: number): number {
    return Number(scatter(this.#ranks.next(records)) % BigInt(records));
  }
}

/** The newest records are the most popular. */
export class Latest implements KeyChoice {
  readonly #ages: Zipfian;

  constructor(random: Random) {
    this.#ages = new Zipfian(random);
  }

  next(records: number): number {
    return records - 1 - this.#ages.next(records);
  }
}

const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/** FNV-1a of 64 bits, as YCSB scatters ranks and the order of inserts. */
export function scatter(value: number): bigint {
  let hash = FNV_OFFSET;
  for (let rest = BigInt(value), byte = 0; byte < 8; byte++, rest >>= 8n) {
    hash = BigInt.asUintN(64, (hash ^ (rest & 0xffn)) * FNV_PRIME);
  }
  return hash;
}
