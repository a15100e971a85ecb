// Transactions: what a commit does to entities, and what is open between begin and commit.
// Must not plan or run queries, nor know the wire.
// Read next: committer.ts (what a commit writes), transaction-registry.ts (open transactions), ../FORMAT.md.
//
// Versions are commit times in microseconds, made to increase strictly: over one process by memory, over restarts and
// clocks set back by a bound on disk that no version given out exceeds.
//
//   version bound row := S 01 → bound row
import { type Clock } from '../../sdk/support/clock.ts';
import { decodeBound, encodeBound } from '../codec/bound-row.ts';
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
  readonly #underWay = new Map<bigint, Promise<void>>();

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async start(): Promise<void> {
    const row = await this.#store.get(VERSION_BOUND_KEY);
    this.#bound = row ? decodeBound(row, 'the version bound') : 0n;
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
    if (this.#last > this.#bound) this.#raiseBound().catch(() => undefined);
    return this.#last;
  }

  /** Waits for the commit that was given `version`. */
  async follow(version: bigint, commit: Promise<void>): Promise<void> {
    this.#underWay.set(version, commit);
    try {
      await commit;
    } finally {
      this.#underWay.delete(version);
    }
  }

  /** Resolves when no commit with a version up to `version` is under way; none will come any more, after a restart neither. */
  async settle(version: bigint): Promise<void> {
    if (version > this.#last) this.#last = version;
    if (version > this.#bound) await this.#raiseBound();
    const awaited = [...this.#underWay].filter(([one]) => one <= version);
    await Promise.allSettled(awaited.map(([, commit]) => commit));
  }

  async #raiseBound(): Promise<void> {
    this.#bound = this.#last + AHEAD_MICROS;
    try {
      await this.#writeBound(this.#bound);
    } catch (error) {
      this.#bound = 0n;
      throw error;
    }
  }

  #writeBound(bound: bigint): Promise<void> {
    const transaction = this.#store.begin();
    transaction.put(VERSION_BOUND_KEY, encodeBound(bound));
    return transaction.commit();
  }
}
