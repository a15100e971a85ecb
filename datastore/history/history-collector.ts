// Deletes history that nobody can ask for any more: a walk over all H rows every ten minutes, in small steps between which
// commits go on. A row lives for its hour and at most one walk longer. Where a walk stopped need not survive a restart.
import { toPlatformError } from '../../sdk/contract/errors.ts';
import { type Cancel, type Clock, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type Turns } from '../../sdk/support/turns.ts';
import { FAMILY } from '../codec/row-key.ts';
import { keyAfter, prefixRange } from '../storage/key-bytes.ts';
import { type Row, type Store } from '../storage/port.ts';
import { type CommitsUnderWay } from '../tablet/commits-under-way.ts';
import { type RowChange } from '../tablet/tablet-map.ts';
import { type History } from './history.ts';
import { endVersionOf, rowKeyOf } from './history-row.ts';

const ALL = prefixRange(Buffer.from([FAMILY.history]));
const TICK_MS = 1_000;
const WALK_EVERY_MS = 600_000;
/** Rows looked at in one tick: ten thousand a second are twice those of 1,000 updates of four rows. */
const STEPS_PER_TICK = 20;
const STEP_ROWS = 500;
/** Values held in memory at once, of at most entityBytesMax each; only their sizes are wanted. */
const VALUES_READ = 16;

export class HistoryCollector {
  readonly #store: Store;
  readonly #history: History;
  readonly #underWay: CommitsUnderWay;
  readonly #onDeleted: (changes: readonly RowChange[]) => void;
  readonly #turns: Turns;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  #cancel: Cancel = () => undefined;
  /** Where the walk goes on; between walks there is none. */
  #at: Buffer | undefined;
  #nextWalkMs = 0;
  #running: Promise<void> | undefined;
  #stopping = false;

  /**
   * `onDeleted` is told what has been deleted, once that is durable; until then it is one of those `underWay`. Each step takes one
   * of the `turns`.
   */
  constructor(
    store: Store,
    history: History,
    underWay: CommitsUnderWay,
    onDeleted: (changes: readonly RowChange[]) => void,
    turns: Turns,
    clock: Clock,
    timers: Timers,
    log: Log,
  ) {
    this.#store = store;
    this.#history = history;
    this.#underWay = underWay;
    this.#onDeleted = onDeleted;
    this.#turns = turns;
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log;
  }

  start(): void {
    this.#stopping = false;
    this.#at = undefined;
    this.#nextWalkMs = this.#clock.monotonicMs() + WALK_EVERY_MS;
    this.#cancel = this.#timers.every(TICK_MS, () => void this.tick());
  }

  /** Stops after the step under way. */
  async close(): Promise<void> {
    this.#cancel();
    this.#stopping = true;
    await this.#running;
  }

  /** Some steps of the walk, when one is due; one call at a time. Never throws. */
  tick(): Promise<void> {
    this.#running ??= this.#tick().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #tick(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#at) {
      if (nowMs < this.#nextWalkMs) return;
      this.#nextWalkMs = nowMs + WALK_EVERY_MS;
      this.#at = ALL.from;
    }
    try {
      for (let step = 0; step < STEPS_PER_TICK && this.#at && !this.#stopping; step++) {
        const at: Buffer = this.#at;
        this.#at = await this.#turns.take(() => this.#step(at));
      }
    } catch (error) {
      // What is left waits for the next walk.
      this.#at = undefined;
      if (toPlatformError(error).code !== 'DS_CLOSED') this.#log.error('Old history could not be deleted', { error: String(error) });
    }
  }

  /** Where the next one goes on; undefined at the end. */
  async #step(from: Buffer): Promise<Buffer | undefined> {
    const scan = this.#store.scan({ from, to: ALL.to }, { limit: STEP_ROWS, keysOnly: true });
    const keys: Buffer[] = [];
    try {
      for (let rows = await scan.next(STEP_ROWS); rows.length > 0; rows = await scan.next(STEP_ROWS))
        keys.push(...rows.map(({ key }) => key));
    } finally {
      await scan.close();
    }
    const bound = this.#history.windowStart;
    const old = keys.filter((key) => endVersionOf(key) <= bound);
    if (old.length > 0) await this.#delete(old, bound);
    const last = keys.at(-1);
    return last && keys.length === STEP_ROWS ? keyAfter(last) : undefined;
  }

  async #delete(keys: readonly Buffer[], bound: bigint): Promise<void> {
    const changes: RowChange[] = [];
    for (let at = 0; at < keys.length; at += VALUES_READ) {
      for (const { key, value } of await this.#rows(keys.slice(at, at + VALUES_READ))) {
        changes.push({ key, rows: -1, bytes: -key.length - value.length, valueBytes: undefined });
      }
    }
    const transaction = this.#store.begin({ reads: 'latest' });
    this.#history.forget(transaction, bound);
    for (const { key } of changes) transaction.delete(key);
    const end = this.#underWay.begin();
    try {
      await transaction.commit();
      this.#onDeleted(changes);
    } finally {
      end();
    }
  }

  /** Only the history of entities has values. */
  async #rows(keys: readonly Buffer[]): Promise<readonly Row[]> {
    const ofEntities = keys.filter((key) => rowKeyOf(key)[0] === FAMILY.entity);
    const values = ofEntities.length > 0 ? await this.#store.getMany(ofEntities) : [];
    const byKey = new Map(ofEntities.map((key, at) => [key, values[at]]));
    return keys.map((key) => ({ key, value: byKey.get(key) ?? NO_VALUE }));
  }
}

const NO_VALUE = Buffer.alloc(0);
