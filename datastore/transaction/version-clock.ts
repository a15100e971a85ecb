// Transactions: what a commit does to entities, and what is open between begin and commit.
// Must not plan or run queries, nor know the wire.
// Read next: committer.ts (what a commit writes), transaction-registry.ts (open transactions), ../FORMAT.md.
//
// Versions are commit times in microseconds, made to increase strictly: over one process by memory, over restarts and
// clocks set back by a bound on disk that no version given out exceeds.
//
//   version bound row := S 01 → 01 bound:u64
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Clock } from '../../sdk/support/clock.ts';
import { VERSION_BOUND_KEY } from '../codec/row-key.ts';
import { type Store } from '../storage/port.ts';

/** How far the bound runs ahead. After a crash versions go on from it, so at most this far ahead of the clock. */
const AHEAD_MICROS = 1_000_000n;
const MICROS_PER_MS = 1_000n;

export class VersionClock {
  readonly #store: Store;
  readonly #clock: Clock;
  #last = 0n;
  #bound = 0n;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async start(): Promise<void> {
    const row = await this.#store.get(VERSION_BOUND_KEY);
    if (row && (row.length !== 9 || row[0] !== 0x01)) throw new PlatformError('DS_CORRUPT', 'the version bound is of an unknown format');
    this.#bound = row ? row.readBigUInt64BE(1) : 0n;
    this.#last = this.#bound;
  }

  /** Writes down the last version itself, so that the next start need not jump ahead. */
  async close(): Promise<void> {
    await this.#writeBound(this.#last);
  }

  /** The newest version given out. */
  get last(): bigint {
    return this.#last;
  }

  /**
   * The version of a commit. Submit that commit in the same turn: commits take effect in the order of their submission, so
   * a raised bound, submitted here, is on disk no later than the versions below it.
   */
  next(): bigint {
    const nowMicros = BigInt(this.#clock.nowMs()) * MICROS_PER_MS;
    this.#last = nowMicros > this.#last ? nowMicros : this.#last + 1n;
    if (this.#last > this.#bound) {
      this.#bound = this.#last + AHEAD_MICROS;
      this.#writeBound(this.#bound).catch(() => {
        this.#bound = 0n;
      });
    }
    return this.#last;
  }

  #writeBound(bound: bigint): Promise<void> {
    const row = Buffer.alloc(9);
    row[0] = 0x01;
    row.writeBigUInt64BE(bound, 1);
    const transaction = this.#store.begin();
    transaction.put(VERSION_BOUND_KEY, row);
    return transaction.commit();
  }
}
