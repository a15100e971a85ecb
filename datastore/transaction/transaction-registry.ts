// Open transactions by id.
//
// States: open → committing → ended; open → ended (rolled back, refused a lock, idle too long, too old, closed).
// A transaction that has ended is forgotten, so any later use of its id finds nothing. One whose commit waits for locks can
// still be rolled back.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Cancel, type Clock, type Random, type Timers } from '../../sdk/support/clock.ts';
import { type CompositeIndex } from '../index/composite-index.ts';
import { type Store, type StoreReader, type StoreSnapshot } from '../storage/port.ts';
import { type Patience } from './lock.ts';
import { type LockTable } from './lock-table.ts';
import { type ReadMoment } from './read-moment.ts';
import { ReadWriteTransaction } from './read-write-transaction.ts';
import { type VersionClock } from './version-clock.ts';

const ID_BYTES = 16;
const SWEEP_EVERY_MS = 5_000;

interface OpenTransaction {
  readonly appId: string;
  readonly body:
    | { readonly kind: 'read-write'; readonly transaction: ReadWriteTransaction }
    | { readonly kind: 'read-only'; readonly snapshot: StoreSnapshot; readonly readTime: bigint }
    | { readonly kind: 'read-only'; readonly snapshot: StoreSnapshot; readonly readTime?: undefined; readonly moment: ReadMoment };
  /** What its queries can use: in an index that was built since, what it reads is not whole. */
  indexes: readonly CompositeIndex[];
  readonly startedMs: number;
  usedMs: number;
  /** Whether a timer waits for its end, since somebody waits for its locks. */
  isWatched: boolean;
}

export interface BeginOptions {
  readonly readOnly?: boolean;
  /** pessimistic (default): what it reads is locked until its end. */
  readonly concurrency?: 'pessimistic' | 'optimistic';
  /** A read-only one's state, and the earlier time that it is of; else it sees the state of now. */
  readonly past?: { readonly snapshot: StoreSnapshot; readonly readTime: bigint };
}

/** What a commit finds under an id. */
export type Taken = OpenTransaction['body'];

export class TransactionRegistry {
  readonly #store: Store;
  readonly #versions: VersionClock;
  readonly #locks: LockTable;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #committing = new Map<string, OpenTransaction>();
  readonly #open = new Map<string, OpenTransaction>();
  readonly #openOfApp = new Map<string, number>();
  #cancel: Cancel = () => undefined;

  constructor(store: Store, versions: VersionClock, locks: LockTable, clock: Clock, timers: Timers, random: Random) {
    this.#store = store;
    this.#versions = versions;
    this.#locks = locks;
    this.#clock = clock;
    this.#timers = timers;
    this.#random = random;
  }

  /** Open transactions of all apps. */
  get size(): number {
    return this.#open.size;
  }

  start(): void {
    this.#cancel = this.#timers.every(SWEEP_EVERY_MS, () => {
      for (const [name, open] of this.#open) if (this.#isOver(open)) void this.#end(name, open);
    });
  }

  async close(): Promise<void> {
    this.#cancel();
    await Promise.all([...this.#open].map(([name, open]) => this.#end(name, open)));
  }

  /**
   * The id of a new transaction, 16 random bytes; when this resolves, what it reads is fixed. `indexes` are the app's, at any
   * time that it is asked. Throws DS_LIMIT when the app has too many, and what the store's `pinned` throws.
   */
  async begin(appId: string, indexes: () => readonly CompositeIndex[], options: BeginOptions = {}): Promise<Buffer> {
    const count = this.#openOfApp.get(appId) ?? 0;
    if (count >= LIMITS.transactionsOpenMax) {
      throw new PlatformError('DS_LIMIT', `an app has at most ${LIMITS.transactionsOpenMax} transactions open at once`);
    }
    const id = this.#random.bytes(ID_BYTES);
    const nowMs = this.#clock.monotonicMs();
    const body: Taken = options.readOnly
      ? { kind: 'read-only', ...(options.past ?? { snapshot: this.#store.snapshot(), moment: this.#versions.moment(appId) }) }
      : { kind: 'read-write', transaction: this.#beginReadWrite(appId, nameOf(id), options) };
    const open: OpenTransaction = { appId, body, indexes: indexes(), startedMs: nowMs, usedMs: nowMs, isWatched: false };
    this.#open.set(nameOf(id), open);
    this.#openOfApp.set(appId, count + 1);
    try {
      await (body.kind === 'read-only' ? body.snapshot : body.transaction).pinned();
      if (body.kind === 'read-only' && body.readTime === undefined) body.moment.fix();
      // One that was deleted before what is read was fixed may be gone there.
      const known = new Set(indexes());
      open.indexes = open.indexes.filter((index) => known.has(index));
    } catch (error) {
      await this.rollback(appId, id).catch(() => undefined);
      throw error;
    }
    return id;
  }

  /** The indexes that its queries can use. Throws DS_TX_INVALID. */
  indexes(appId: string, id: Uint8Array): readonly CompositeIndex[] {
    return this.#find(appId, id).indexes;
  }

  /** The earlier time whose state it reads, if it does. Throws DS_TX_INVALID. */
  readTime(appId: string, id: Uint8Array): bigint | undefined {
    const { body } = this.#find(appId, id);
    return body.kind === 'read-only' ? body.readTime : undefined;
  }

  /** The time of the state that it reads, once it has read. Throws DS_TX_INVALID. */
  async snapshotTime(appId: string, id: Uint8Array): Promise<bigint> {
    const { body } = this.#find(appId, id);
    if (body.kind === 'read-write') return body.transaction.readTime();
    return body.readTime ?? body.moment.readTime((key) => body.snapshot.get(key));
  }

  /**
   * What one call reads from. Throws DS_TX_INVALID for an id that is not an open transaction of the app. Reads throw
   * DS_TX_CONFLICT when a lock is refused, which ends the transaction.
   */
  reader(appId: string, id: Uint8Array, patience: Patience = {}): StoreReader {
    const open = this.#find(appId, id);
    const { body } = open;
    if (body.kind === 'read-only') return body.snapshot;
    return body.transaction.reader(patience, () => void this.#end(nameOf(id), open));
  }

  /** Has `commit` commit the transaction, which is over afterwards in any case. Throws DS_TX_INVALID. */
  async commit<T>(appId: string, id: Uint8Array, commit: (taken: Taken) => Promise<T>): Promise<T> {
    const open = this.#find(appId, id);
    const name = nameOf(id);
    this.#forget(name, open);
    this.#committing.set(name, open);
    // Its client waits for those reads no longer.
    if (open.body.kind === 'read-write') this.#locks.stop(open.body.transaction.owner);
    try {
      return await commit(open.body);
    } finally {
      this.#committing.delete(name);
      await end(open);
    }
  }

  /**
   * Ends a transaction. One whose commit waits for locks is ended as well, and that commit fails with DS_TX_INVALID. Throws
   * DS_TX_INVALID when there is none, or it is committed already or about to be.
   */
  async rollback(appId: string, id: Uint8Array): Promise<void> {
    const committing = this.#committing.get(nameOf(id));
    if (committing?.appId === appId && committing.body.kind === 'read-write') {
      if (this.#locks.stop(committing.body.transaction.owner)) return;
    }
    await this.#end(nameOf(id), this.#find(appId, id));
  }

  /** Ends all transactions of some apps. A commit that is not submitted yet fails with DS_TX_INVALID. */
  async endOf(isOfThem: (appId: string) => boolean): Promise<void> {
    for (const { appId, body } of this.#committing.values()) {
      if (isOfThem(appId) && body.kind === 'read-write') this.#locks.release(body.transaction.owner);
    }
    await Promise.all([...this.#open].filter(([, { appId }]) => isOfThem(appId)).map(([name, open]) => this.#end(name, open)));
  }

  #beginReadWrite(appId: string, name: string, { concurrency = 'pessimistic' }: BeginOptions): ReadWriteTransaction {
    return new ReadWriteTransaction(this.#store, this.#locks, {
      isLocking: concurrency === 'pessimistic',
      onBlocking: () => {
        this.#watch(name);
      },
      moment: () => this.#versions.moment(appId),
    });
  }

  /** Somebody waits for its locks: ends it when it is over, now or while they wait, rather than at the next sweep. */
  #watch(name: string): void {
    const open = this.#open.get(name);
    if (!open || open.isWatched) return;
    const leftMs = this.#leftMs(open);
    if (leftMs < 0) void this.#end(name, open);
    else if (leftMs <= LIMITS.lockWaitMs) {
      open.isWatched = true;
      this.#timers.after(leftMs + 1, () => {
        open.isWatched = false;
        this.#watch(name);
      });
    }
  }

  #find(appId: string, id: Uint8Array): OpenTransaction {
    const open = this.#open.get(nameOf(id));
    // Another app's transaction looks like none at all.
    if (open?.appId !== appId) throw new PlatformError('DS_TX_INVALID');
    if (this.#isOver(open)) {
      void this.#end(nameOf(id), open);
      throw new PlatformError('DS_TX_INVALID');
    }
    open.usedMs = this.#clock.monotonicMs();
    return open;
  }

  #isOver(open: OpenTransaction): boolean {
    return this.#leftMs(open) < 0;
  }

  #leftMs({ usedMs, startedMs }: OpenTransaction): number {
    return Math.min(usedMs + LIMITS.transactionIdleMs, startedMs + LIMITS.transactionLifeMs) - this.#clock.monotonicMs();
  }

  async #end(name: string, open: OpenTransaction): Promise<void> {
    this.#forget(name, open);
    await end(open);
  }

  #forget(name: string, { appId }: OpenTransaction): void {
    if (!this.#open.delete(name)) return;
    const left = (this.#openOfApp.get(appId) ?? 1) - 1;
    if (left === 0) this.#openOfApp.delete(appId);
    else this.#openOfApp.set(appId, left);
  }
}

async function end({ body }: OpenTransaction): Promise<void> {
  if (body.kind === 'read-only' && body.readTime === undefined) body.moment.fix();
  await (body.kind === 'read-only' ? body.snapshot : body.transaction).close();
}

function nameOf(id: Uint8Array): string {
  return Buffer.from(id).toString('hex');
}
