// Locks of transactions and commits: shared and exclusive ones on entities by name, shared ones on ranges of rows.
//
// First come, first served, save that an owner that makes its own lock stronger waits at the head. Who would wait, in the end,
// for itself does not wait: a commit outside any transaction on that circle lets go of all its locks to begin anew, else
// whoever closes the circle is refused. Every wait ends: with the lock, by its limit, its signal, `stop`, or the end of the table.
//
// Locks keep transactions from failing at their commit and decide who waits for whom. That what a transaction read still holds
// when it commits is checked by the store, whatever happens here.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { assert } from '../../sdk/support/assert.ts';
import { type Clock, type Timers } from '../../sdk/support/clock.ts';
import { type KeyRange } from '../storage/port.ts';
import { type KeyWait, Lock, type LockMode, LockOwner, type OwnerOptions, type Patience, type Wait } from './lock.ts';
import { RangeLocks } from './range-locks.ts';
import { findCircle } from './wait-graph.ts';

/** Ends the waits of an owner that had to let go of its locks: it may begin anew. Never leaves the datastore. */
export class GaveWay extends Error {
  constructor() {
    super('gave way to a transaction');
    this.name = 'GaveWay';
  }
}

export interface LockTableOptions {
  readonly waitMs?: number;
  readonly waitsMax?: number;
  readonly rangesMax?: number;
}

export class LockTable {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #waitMs: number;
  readonly #waitsMax: number;
  readonly #locks = new Map<string, Lock>();
  readonly #ranges: RangeLocks;
  readonly #waits = new Set<Wait>();
  #isClosed = false;

  constructor(clock: Clock, timers: Timers, options: LockTableOptions = {}) {
    this.#clock = clock;
    this.#timers = timers;
    this.#waitMs = options.waitMs ?? LIMITS.lockWaitMs;
    this.#waitsMax = options.waitsMax ?? LIMITS.lockWaitsMax;
    this.#ranges = new RangeLocks(options.rangesMax ?? LIMITS.transactionRangeLocksMax);
  }

  /** Takes waits (again). */
  start(): void {
    this.#isClosed = false;
  }

  /** Ends every wait with DS_CLOSED, and every one that would follow. */
  close(): void {
    this.#isClosed = true;
    for (const wait of [...this.#waits]) this.#fail(wait, closed());
  }

  /** Names held or waited for. */
  get size(): number {
    return this.#locks.size;
  }

  /** Whether somebody commits, or is about to, what is so named. */
  isExclusive(name: string): boolean {
    return this.#locks.get(name)?.mode === 'exclusive';
  }

  /** Whether any owner has locked a range. */
  get hasRanges(): boolean {
    return !this.#ranges.isEmpty;
  }

  /** Someone who may hold locks, until `release`. */
  owner(options: OwnerOptions): LockOwner {
    return new LockOwner(options);
  }

  /**
   * Locks all of `names`, in their order: in one order for all, commits do not wait for each other in circles. Undefined when
   * nothing is in the way. Throws and rejects with DS_TX_CONFLICT after too long a wait or in a circle of waits, DS_TX_INVALID
   * after `stop` or `release`, DS_OVERLOADED, DS_CLOSED, the reason of the signal, or GaveWay. What is held by then stays held.
   * One owner may ask for several shared locks at the same time, but for nothing beside an exclusive one: `stop` it first.
   */
  lock(owner: LockOwner, names: readonly string[], mode: LockMode, patience: Patience = {}): Promise<void> | undefined {
    if (owner.hasEnded) throw ended();
    for (const [at, name] of names.entries()) {
      if (!this.#take(owner, name, mode)) return this.#lockFrom(owner, names, at, mode, patience);
    }
    return undefined;
  }

  /** Locks `range` for an owner that has read it; nobody is waited for. Throws DS_TX_INVALID after `release`. */
  lockRange(owner: LockOwner, range: KeyRange): void {
    if (owner.hasEnded) throw ended();
    this.#ranges.add(owner, range);
  }

  /**
   * Waits for the owners whose ranges cover one of `rows`, once; by then others may have come. Undefined when there are none.
   * Rejects as `lock` does.
   */
  waitForRows(owner: LockOwner, rows: Iterable<{ readonly key: Buffer }>, patience: Patience = {}): Promise<void> | undefined {
    if (this.#ranges.isEmpty) return undefined;
    const blockers = new Set<LockOwner>();
    for (const { key } of rows) this.#ranges.cover(key, blockers);
    blockers.delete(owner);
    if (blockers.size === 0) return undefined;
    return this.#wait(owner, patience, (pending) => ({ ...pending, kind: 'row', blockers }));
  }

  /** Ends the waits of `owner` with DS_TX_INVALID. Returns whether there were any. */
  stop(owner: LockOwner): boolean {
    const waits = [...owner.waits];
    for (const wait of waits) this.#fail(wait, ended());
    return waits.length > 0;
  }

  /** Ends the owner: its waits with DS_TX_INVALID, and everything it holds goes on to those who wait. Twice without harm. */
  release(owner: LockOwner): void {
    owner.hasEnded = true;
    this.#letGo(owner, ended);
  }

  #letGo(owner: LockOwner, reason: () => Error): void {
    for (const wait of [...owner.waits]) this.#fail(wait, reason());
    for (const lock of owner.held.splice(0)) {
      lock.remove(owner);
      if (lock.first) this.#serve(lock);
      else if (lock.isFree) this.#locks.delete(lock.name);
    }
    if (owner.ranges.length === 0) return;
    this.#ranges.release(owner);
    for (const wait of [...owner.rowWaits]) {
      wait.blockers.delete(owner);
      owner.rowWaits.delete(wait);
      if (wait.blockers.size === 0) this.#succeed(wait);
    }
  }

  #take(owner: LockOwner, name: string, mode: LockMode): boolean {
    let lock = this.#locks.get(name);
    if (!lock) {
      lock = new Lock(name);
      this.#locks.set(name, lock);
    } else if (lock.isHeldBy(owner)) {
      if (mode === 'shared' || lock.mode === 'exclusive') return true;
      if (!lock.allows(owner, mode)) return false;
    } else if (lock.first || !lock.allows(owner, mode)) return false;
    lock.add(owner, mode);
    return true;
  }

  async #lockFrom(owner: LockOwner, names: readonly string[], first: number, mode: LockMode, patience: Patience): Promise<void> {
    for (const name of names.slice(first)) {
      if (owner.hasEnded) throw ended();
      if (!this.#take(owner, name, mode)) await this.#waitForLock(owner, name, mode, patience);
    }
  }

  #waitForLock(owner: LockOwner, name: string, mode: LockMode, patience: Patience): Promise<void> {
    const lock = this.#locks.get(name);
    assert(lock, 'a lock that cannot be taken is there');
    return this.#wait(owner, patience, (pending) => ({ ...pending, kind: 'key', lock, mode, before: undefined, behind: undefined }));
  }

  #wait(
    owner: LockOwner,
    patience: Patience,
    waitOf: (pending: Pick<Wait, 'owner' | 'resolve' | 'reject' | 'undo'>) => Wait,
  ): Promise<void> {
    if (this.#isClosed) return Promise.reject(closed());
    if (this.#waits.size >= this.#waitsMax) {
      return Promise.reject(new PlatformError('DS_OVERLOADED', `${this.#waitsMax} calls wait for locks already`));
    }
    const { signal } = patience;
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const nowMs = this.#clock.monotonicMs();
    patience.endMs ??= nowMs + this.#waitMs;
    const leftMs = patience.endMs - nowMs;
    if (leftMs <= 0) return Promise.reject(this.#tooLong());
    return new Promise((resolve, reject) => {
      const wait = waitOf({ owner, resolve, reject, undo: [] });
      this.#enter(wait);
      this.#breakCircles(wait);
      if (!this.#waits.has(wait)) return;
      wait.undo.push(
        this.#timers.after(leftMs, () => {
          this.#fail(wait, this.#tooLong());
        }),
      );
      if (signal) this.#heed(wait, signal);
      for (const blocker of wait.kind === 'key' ? [...wait.lock.holders] : [...wait.blockers]) {
        if (blocker !== owner) blocker.onBlocking?.();
      }
    });
  }

  #heed(wait: Wait, signal: AbortSignal): void {
    const onAbort = (): void => {
      this.#fail(wait, signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    wait.undo.push(() => {
      signal.removeEventListener('abort', onAbort);
    });
  }

  #enter(wait: Wait): void {
    this.#waits.add(wait);
    wait.owner.waits.add(wait);
    if (wait.kind === 'key') wait.lock.enqueue(wait);
    else for (const blocker of wait.blockers) blocker.rowWaits.add(wait);
  }

  /** After it, `wait` is over or on no circle. */
  #breakCircles(wait: Wait): void {
    const { owner } = wait;
    // Nobody waits for one who has nothing.
    if (owner.held.length === 0 && owner.ranges.length === 0 && owner.waits.size === 1) return;
    while (this.#waits.has(wait)) {
      const circle = findCircle(wait);
      if (!circle) return;
      const yielding = owner.givesWay ? owner : circle.find(({ givesWay }) => givesWay);
      if (yielding) this.#letGo(yielding, () => new GaveWay());
      else this.#fail(wait, conflict('it and another transaction waited for each other', 'circle'));
    }
  }

  #succeed(wait: Wait): void {
    this.#leave(wait);
    wait.resolve();
  }

  #fail(wait: Wait, error: Error): void {
    if (!this.#waits.has(wait)) return;
    this.#leave(wait);
    wait.reject(error);
    // Those behind it may be let in now.
    if (wait.kind === 'key') this.#serve(wait.lock);
  }

  #leave(wait: Wait): void {
    this.#waits.delete(wait);
    wait.owner.waits.delete(wait);
    if (wait.kind === 'key') wait.lock.dequeue(wait);
    else for (const blocker of wait.blockers) blocker.rowWaits.delete(wait);
    for (const undo of wait.undo) undo();
  }

  /** Gives the lock to the head of its queue, and to those behind for as long as they can share it. */
  #serve(lock: Lock): void {
    for (let head: KeyWait | undefined = lock.first; head?.lock.allows(head.owner, head.mode); head = lock.first) {
      lock.add(head.owner, head.mode);
      this.#succeed(head);
    }
    if (lock.isFree) this.#locks.delete(lock.name);
  }

  #tooLong(): PlatformError {
    return conflict(`others held what it needs for more than ${this.#waitMs} ms`, 'late');
  }
}

function conflict(reason: string, lock: 'circle' | 'late'): PlatformError {
  return new PlatformError('DS_TX_CONFLICT', reason, { details: { lock } });
}

function ended(): PlatformError {
  return new PlatformError('DS_TX_INVALID');
}

function closed(): PlatformError {
  return new PlatformError('DS_CLOSED', 'the datastore is closed');
}
