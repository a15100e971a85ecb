// Group commit: transactions that are ready while a batch is being written share the next one, and with it one fsync.
//
// States: open → failed (a batch could not be written) | closed. Only `reset` leads back to open.
//
//   submit ─► queue ─► window: validate in order, number, join writes ─► write one batch ─► acknowledge all
//
// A window takes half of those who commit at this time, counting who was just acknowledged: the other half works out its
// next commits meanwhile. With all in one window everybody would wait for the disk, and then the disk for everybody.
//
// A window is validated against everything numbered before, its own earlier members included, so the order of `submit`
// calls is the order of effects.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type ReadSet } from './read-set.ts';
import { RecentCommits } from './recent-commits.ts';

/** One buffered write; no value means delete. */
export interface Write {
  readonly key: Buffer;
  readonly value: Buffer | undefined;
}

/** Writes all or none, in order, and resolves when that is durable. */
export type WriteBatch = (groups: readonly (readonly Write[])[]) => Promise<void>;

interface Submission {
  readonly startSequence: number;
  readonly reads: ReadSet;
  readonly writes: readonly Write[];
  readonly bytes: number;
  readonly onWriting: ((batch: number) => void) | undefined;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A transaction's place in time. */
export interface Start {
  readonly sequence: number;
  ended: boolean;
}

/** Windows up to this size are never halved: there the fsync costs more than the transactions. */
const WHOLE_WINDOW_MAX = 16;

export class GroupCommit {
  readonly #write: WriteBatch;
  readonly #recent: RecentCommits;
  #state: 'open' | 'failed' | 'closed' = 'closed';
  #queue: Submission[] = [];
  /** Open transactions, oldest first; ended ones leave when they reach the front. */
  #starts: Start[] = [];
  #submitted = 0;
  #batches = 0;
  /** Members of the window that was written last, while the queue has not run empty. */
  #lastWindow = 0;
  #durable = 0;
  #pumping: Promise<void> | undefined;
  #failure: unknown;

  constructor(write: WriteBatch, options: { readonly recentWritesMax?: number } = {}) {
    this.#write = write;
    this.#recent = new RecentCommits(options.recentWritesMax ?? LIMITS.storeRecentWritesMax);
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Takes submissions (again). */
  reset(): void {
    this.#state = 'open';
    this.#failure = undefined;
    // What a failed batch may have written was there before anything that begins from now on.
    this.#durable = this.#submitted;
  }

  /** Marks the moment whose state a new transaction reads. Every start must be ended. */
  begin(): Start {
    const start: Start = { sequence: this.#durable, ended: false };
    this.#starts.push(start);
    return start;
  }

  end(start: Start): void {
    start.ended = true;
    let ended = 0;
    while (this.#starts[ended]?.ended) ended++;
    if (ended > 0) this.#starts.splice(0, ended);
  }

  /** Resolves when durable. `onWriting` is told the number of its batch before that is written. Throws DS_TX_CONFLICT, DS_OVERLOADED or DS_CLOSED. */
  submit(start: Start, reads: ReadSet, writes: readonly Write[], bytes: number, onWriting?: (batch: number) => void): Promise<void> {
    if (this.#state !== 'open' || start.ended) return Promise.reject(this.#refusal());
    if (this.#queue.length >= LIMITS.storeCommitsQueuedMax) {
      return Promise.reject(new PlatformError('DS_OVERLOADED', `${this.#queue.length} commits wait`));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ startSequence: start.sequence, reads, writes, bytes, onWriting, resolve, reject });
      this.#pumping ??= turnOver().then(() => this.#pump());
    });
  }

  /** Takes no more submissions; resolves when those under way are acknowledged. */
  async close(): Promise<void> {
    if (this.#state === 'open') this.#state = 'closed';
    await this.#pumping;
    for (const start of this.#starts) start.ended = true;
    this.#starts = [];
  }

  /** As after a failed write: `cause` is why nothing may be written any more. */
  fail(cause: unknown): void {
    if (this.#state === 'open') this.#fail([], cause);
  }

  async #pump(): Promise<void> {
    while (this.#queue.length > 0) {
      const window = this.#takeWindow();
      if (window.length === 0) continue;
      try {
        await this.#write(window.map((submission) => submission.writes));
      } catch (cause) {
        this.#fail(window, cause);
        break;
      }
      this.#durable = this.#submitted;
      this.#recent.forgetUpTo(this.#starts[0]?.sequence ?? this.#durable);
      for (const submission of window) submission.resolve();
    }
    this.#pumping = undefined;
    this.#lastWindow = 0;
  }

  /** The next transactions that pass validation; those that do not are told at once. */
  #takeWindow(): readonly Submission[] {
    const window: Submission[] = [];
    let bytes = 0;
    let taken = 0;
    this.#batches++;
    const membersMax = Math.max(WHOLE_WINDOW_MAX, Math.ceil((this.#queue.length + this.#lastWindow) / 2));
    for (const submission of this.#queue) {
      if (taken > 0 && (taken >= membersMax || bytes + submission.bytes > LIMITS.storeBatchBytesMax)) break;
      taken++;
      if (this.#recent.conflicts(submission.reads, submission.startSequence)) {
        submission.reject(new PlatformError('DS_TX_CONFLICT'));
        continue;
      }
      this.#submitted++;
      this.#recent.record(
        this.#submitted,
        submission.writes.map((write) => write.key),
      );
      bytes += submission.bytes;
      submission.onWriting?.(this.#batches);
      window.push(submission);
    }
    this.#queue = this.#queue.slice(taken);
    this.#lastWindow = window.length;
    return window;
  }

  /** After a failed write nobody knows what is on disk, so writing on could build on something that is not there. */
  #fail(window: readonly Submission[], cause: unknown): void {
    this.#state = 'failed';
    this.#failure = cause;
    for (const submission of [...window, ...this.#queue]) submission.reject(this.#refusal());
    this.#queue = [];
  }

  #refusal(): PlatformError {
    return this.#state === 'failed'
      ? new PlatformError('DS_CLOSED', 'an earlier write failed', { cause: this.#failure })
      : new PlatformError('DS_CLOSED', 'the store is closed');
  }
}

/** When everybody who can go on now has done so: all commits that become ready together share the first batch too. */
function turnOver(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
