// Open transactions by id.
//
// States: open → committing → ended; open → ended (rolled back, idle too long, too old, closed).
// A transaction that has ended is forgotten, so any later use of its id finds nothing.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Cancel, type Clock, type Random, type Timers } from '../../sdk/support/clock.ts';
import { type Store, type StoreReader, type StoreSnapshot, type StoreTransaction } from '../storage/port.ts';

const ID_BYTES = 16;
const SWEEP_EVERY_MS = 5_000;

interface OpenTransaction {
  readonly appId: string;
  readonly body:
    | { readonly kind: 'read-write'; readonly transaction: StoreTransaction }
    | { readonly kind: 'read-only'; readonly snapshot: StoreSnapshot; readonly readTime?: bigint };
  readonly startedMs: number;
  usedMs: number;
}

export interface BeginTransaction {
  readonly readOnly?: boolean;
  /** A read-only one's state, and the earlier time that it is of; else it sees the state of now. */
  readonly past?: { readonly snapshot: StoreSnapshot; readonly readTime: bigint };
}

/** What a commit finds under an id. */
export type Taken = OpenTransaction['body'];

export class TransactionRegistry {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #open = new Map<string, OpenTransaction>();
  readonly #openOfApp = new Map<string, number>();
  #cancel: Cancel = () => undefined;

  constructor(store: Store, clock: Clock, timers: Timers, random: Random) {
    this.#store = store;
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
   * The id of a new transaction, 16 random bytes; when this resolves, what it reads is fixed. Throws DS_LIMIT when the app has
   * too many, and what the store's `pinned` throws.
   */
  async begin(appId: string, { readOnly, past }: BeginTransaction = {}): Promise<Buffer> {
    const count = this.#openOfApp.get(appId) ?? 0;
    if (count >= LIMITS.transactionsOpenMax) {
      throw new PlatformError('DS_LIMIT', `an app has at most ${LIMITS.transactionsOpenMax} transactions open at once`);
    }
    const id = this.#random.bytes(ID_BYTES);
    const nowMs = this.#clock.monotonicMs();
    const body: Taken = readOnly
      ? { kind: 'read-only', ...(past ?? { snapshot: this.#store.snapshot() }) }
      : { kind: 'read-write', transaction: this.#store.begin() };
    this.#open.set(id.toString('hex'), { appId, body, startedMs: nowMs, usedMs: nowMs });
    this.#openOfApp.set(appId, count + 1);
    try {
      await (body.kind === 'read-only' ? body.snapshot : body.transaction).pinned();
    } catch (error) {
      await this.rollback(appId, id).catch(() => undefined);
      throw error;
    }
    return id;
  }

  /** What to read from. Throws DS_TX_INVALID for an id that is not an open transaction of the app. */
  reader(appId: string, id: Uint8Array): StoreReader {
    const { body } = this.#find(appId, id);
    return body.kind === 'read-only' ? body.snapshot : body.transaction;
  }

  /** The earlier time whose state it reads, if it does. Throws DS_TX_INVALID. */
  readTime(appId: string, id: Uint8Array): bigint | undefined {
    const { body } = this.#find(appId, id);
    return body.kind === 'read-only' ? body.readTime : undefined;
  }

  /** Ends the registration; the caller commits and closes what it gets. Throws DS_TX_INVALID. */
  take(appId: string, id: Uint8Array): Taken {
    const open = this.#find(appId, id);
    this.#forget(nameOf(id), open);
    return open.body;
  }

  /** Throws DS_TX_INVALID. */
  async rollback(appId: string, id: Uint8Array): Promise<void> {
    await this.#end(nameOf(id), this.#find(appId, id));
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

  #isOver({ usedMs, startedMs }: OpenTransaction): boolean {
    const nowMs = this.#clock.monotonicMs();
    return nowMs - usedMs > LIMITS.transactionIdleMs || nowMs - startedMs > LIMITS.transactionLifeMs;
  }

  async #end(name: string, open: OpenTransaction): Promise<void> {
    this.#forget(name, open);
    await (open.body.kind === 'read-only' ? open.body.snapshot : open.body.transaction).close();
  }

  #forget(name: string, { appId }: OpenTransaction): void {
    if (!this.#open.delete(name)) return;
    const left = (this.#openOfApp.get(appId) ?? 1) - 1;
    if (left === 0) this.#openOfApp.delete(appId);
    else this.#openOfApp.set(appId, left);
  }
}

function nameOf(id: Uint8Array): string {
  return Buffer.from(id).toString('hex');
}
