// The lock of one name, who holds locks, and who waits for them in which order. Plain state; lock-table.ts decides.
import { type Interval } from './interval-tree.ts';

const NOBODY: readonly LockOwner[] = [];

/** shared: to be held while others hold it shared too. exclusive: alone. */
export type LockMode = 'shared' | 'exclusive';

/** How long one operation waits for locks in all, however many it needs. */
export interface Patience {
  /** Monotonic milliseconds; set when it first has to wait. */
  endMs?: number;
  readonly signal?: AbortSignal;
}

export interface OwnerOptions {
  /**
   * Whether this owner lets go of its locks where it and others wait for each other, to begin anew: a commit outside any
   * transaction, of which nobody has seen anything yet.
   */
  readonly givesWay: boolean;
  /** Told each time somebody begins to wait for what this owner holds. */
  readonly onBlocking?: () => void;
}

/** A transaction, or one commit outside any. */
export class LockOwner {
  readonly givesWay: boolean;
  readonly onBlocking: (() => void) | undefined;
  readonly held: Lock[] = [];
  /** Ordered, and apart from each other. */
  readonly ranges: Interval<LockOwner>[] = [];
  readonly waits = new Set<Wait>();
  /** Those who wait for a row in one of its ranges. */
  readonly rowWaits = new Set<RowWait>();
  hasEnded = false;

  constructor({ givesWay, onBlocking }: OwnerOptions) {
    this.givesWay = givesWay;
    this.onBlocking = onBlocking;
  }
}

interface PendingWait {
  readonly owner: LockOwner;
  /** Ends the wait with the lock, or for another look at the rows. */
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  /** What else would end the wait: a timer, a signal. */
  readonly undo: (() => void)[];
}

export interface KeyWait extends PendingWait {
  readonly kind: 'key';
  readonly lock: Lock;
  readonly mode: LockMode;
  /** Neighbours in the lock's queue. */
  before: KeyWait | undefined;
  behind: KeyWait | undefined;
}

/** Waits until nobody in `blockers` has ranges any more. */
export interface RowWait extends PendingWait {
  readonly kind: 'row';
  readonly blockers: Set<LockOwner>;
}

export type Wait = KeyWait | RowWait;

export class Lock {
  readonly name: string;
  mode: LockMode = 'shared';
  first: KeyWait | undefined;
  last: KeyWait | undefined;
  // Nearly every lock has one holder, who should not cost a set.
  #one: LockOwner | undefined;
  #many: Set<LockOwner> | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get isFree(): boolean {
    return this.#one === undefined && this.#many === undefined;
  }

  get holders(): Iterable<LockOwner> {
    return this.#many ?? (this.#one ? [this.#one] : NOBODY);
  }

  isHeldBy(owner: LockOwner): boolean {
    return this.#one === owner || this.#many?.has(owner) === true;
  }

  /** Whether the holders other than `owner` allow it `mode`. */
  allows(owner: LockOwner, mode: LockMode): boolean {
    if (this.isFree || this.#one === owner) return true;
    return mode === 'shared' && this.mode === 'shared';
  }

  /** Makes `owner` a holder, or a holder in the stronger mode. */
  add(owner: LockOwner, mode: LockMode): void {
    if (this.isFree || mode === 'exclusive') this.mode = mode;
    if (this.isHeldBy(owner)) return;
    owner.held.push(this);
    if (this.#many) this.#many.add(owner);
    else if (this.#one) {
      this.#many = new Set([this.#one, owner]);
      this.#one = undefined;
    } else this.#one = owner;
  }

  /** Takes `owner` away from the holders; its own list of locks is for the caller to empty. */
  remove(owner: LockOwner): void {
    if (this.#one === owner) this.#one = undefined;
    this.#many?.delete(owner);
    if (this.#many?.size === 1) {
      [this.#one] = this.#many;
      this.#many = undefined;
    }
    this.mode = 'shared';
  }

  /** Puts a wait at the end of the queue; at its head when the owner already holds the lock, as nobody gets past it. */
  enqueue(wait: KeyWait): void {
    if (this.isHeldBy(wait.owner)) {
      wait.behind = this.first;
      if (this.first) this.first.before = wait;
      else this.last = wait;
      this.first = wait;
      return;
    }
    wait.before = this.last;
    if (this.last) this.last.behind = wait;
    else this.first = wait;
    this.last = wait;
  }

  dequeue(wait: KeyWait): void {
    if (wait.before) wait.before.behind = wait.behind;
    else this.first = wait.behind;
    if (wait.behind) wait.behind.before = wait.before;
    else this.last = wait.before;
  }
}
