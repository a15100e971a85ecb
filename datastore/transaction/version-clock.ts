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
import { type CommitUnderWay, ReadMoment } from './read-moment.ts';

/** How far the bound runs ahead. After a crash versions go on from it, so at most this far ahead of the clock. */
const AHEAD_MICROS = 1_000_000n;
const MICROS_PER_MS = 1_000n;

export class VersionClock {
  readonly #store: Store;
  readonly #clock: Clock;
  #last = 0n;
  #given = 0;
  #bound = 0n;
  /** In the order of their versions. */
  readonly #underWay = new Map<bigint, { readonly commit: CommitUnderWay; readonly done: Promise<void> }>();
  /** Of snapshots whose state is not fixed yet. */
  readonly #moments = new Map<ReadMoment, string>();

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

  /** How many versions have been given out. */
  get given(): number {
    return this.#given;
  }

  /** The time of day, of a whole millisecond. */
  get nowMicros(): bigint {
    return BigInt(this.#clock.nowMs()) * MICROS_PER_MS;
  }

  /**
   * The version of a commit. Submit that commit in the same turn: commits take effect in the order of their submission, so
   * a raised bound, submitted here, is on disk no later than the versions below it.
   */
  next(): bigint {
    const { nowMicros } = this;
    this.#last = nowMicros > this.#last ? nowMicros : this.#last + 1n;
    this.#given++;
    if (this.#last > this.#bound) this.#raiseBound().catch(() => undefined);
    return this.#last;
  }

  /** Has `submit` submit the commit that was given the version last, in the same turn, and waits for it. */
  async follow(commit: CommitUnderWay, submit: (onWriting: (batch: number) => void) => Promise<void>): Promise<void> {
    const done = submit((batch) => {
      commit.batch = batch;
    });
    this.#underWay.set(commit.version, { commit, done });
    for (const [moment, appId] of this.#moments) if (appId === commit.appId) moment.note(commit);
    try {
      await done;
    } finally {
      this.#underWay.delete(commit.version);
    }
  }

  /** The time of a state that holds all commits so far; what comes later is behind it, as long as no crash and a clock set back meet. */
  present(): bigint {
    const nowMicros = BigInt(this.#clock.nowMs()) * MICROS_PER_MS;
    if (nowMicros > this.#last) this.#last = nowMicros;
    return this.#last;
  }

  /** Of a snapshot of the app's data that is taken in this turn. Must be fixed in the end. */
  moment(appId: string): ReadMoment {
    const underWay: CommitUnderWay[] = [];
    for (const { commit } of this.#underWay.values()) if (commit.appId === appId) underWay.push(commit);
    const moment = new ReadMoment(
      underWay,
      () => this.present(),
      () => this.#moments.delete(moment),
    );
    this.#moments.set(moment, appId);
    return moment;
  }

  /** Resolves when no commit with a version up to `version` is under way; none will come any more, after a restart neither. */
  async settle(version: bigint): Promise<void> {
    if (version > this.#last) this.#last = version;
    if (version > this.#bound) await this.#raiseBound();
    const awaited = [...this.#underWay].filter(([one]) => one <= version);
    await Promise.allSettled(awaited.map(([, { done }]) => done));
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
