// The background work on indexes, of all apps one step after the other: backfills of new ones, rows of deleted ones.
// It gives way to clients: while they are busy it rests a multiple of what each step took.
import { PlatformError, toPlatformError } from '../../sdk/contract/errors.ts';
import { type Clock, sleep, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type Turns } from '../../sdk/support/turns.ts';
import { type Store } from '../storage/port.ts';
import { EntityUnfit, IndexBackfill } from './index-backfill.ts';
import { type AppIndex, type IndexCatalog } from './index-catalog.ts';
import { IndexEraser } from './index-eraser.ts';
import { type RowCounts } from './index-step.ts';

export interface IndexWorkWorld {
  /** As of IndexBackfill. */
  readonly nextVersion: () => bigint;
  readonly counts: RowCounts;
  /** Calls of clients so far: whether it has grown says whether they are busy. */
  readonly callsServed: () => number;
  /** Each step takes one. */
  readonly turns: Turns;
}

const STEP_ENTITIES = 200;
/** Losses to commits in a row after which a step makes commits on its entities wait from its beginning. */
const LOSSES_BEFORE_GATE = 3;
/** While clients are busy the work takes at most a quarter of the time. */
const RESTS_PER_STEP = 3;
const REST_MS_MAX = 250;
const OVERLOADED_REST_MS = 100;
const REASON_CHARACTERS_MAX = 500;

export class IndexWork {
  readonly #store: Store;
  readonly #catalog: IndexCatalog;
  readonly #backfill: IndexBackfill;
  readonly #eraser: IndexEraser;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #callsServed: () => number;
  readonly #turns: Turns;
  #running: Promise<void> | undefined;
  #stop = new AbortController();
  #losses = 0;

  constructor(store: Store, catalog: IndexCatalog, clock: Clock, timers: Timers, log: Log, world: IndexWorkWorld) {
    this.#store = store;
    this.#catalog = catalog;
    this.#backfill = new IndexBackfill(store, catalog, world.nextVersion, world.counts);
    this.#eraser = new IndexEraser(store, catalog, world.counts);
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log;
    this.#callsServed = world.callsServed;
    this.#turns = world.turns;
  }

  /** Takes up what waits, in the background. */
  start(): void {
    if (this.#stop.signal.aborted) this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.#running ??= this.#run(signal).finally(() => {
      this.#running = undefined;
      if (!signal.aborted && this.#catalog.waiting().length > 0) this.start();
    });
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  /** Stops after the step under way. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#next()) {
      await this.#paced(signal, () =>
        this.#turns.take(async () => {
          const next = this.#next();
          if (next) await this.#step(next, signal);
        }),
      );
    }
  }

  /** Builds come before deletions: somebody waits for them. */
  #next(): AppIndex | undefined {
    const waiting = this.#catalog.waiting();
    return waiting.find(({ index }) => index.state === 'building') ?? waiting[0];
  }

  /** Never throws. */
  async #step(next: AppIndex, signal: AbortSignal): Promise<void> {
    try {
      await (next.index.state === 'deleting' ? this.#eraser.step(next) : this.#build(next, signal));
      // Slowly: where one step met commits, the next one is likely to.
      this.#losses = Math.max(0, this.#losses - 1);
    } catch (error) {
      await this.#failed(next, error, signal);
    }
  }

  async #build(next: AppIndex, signal: AbortSignal): Promise<void> {
    const isNew = !next.index.progress && next.index.estimate === 0 && this.#losses === 0;
    if (isNew && (await this.#backfill.estimate(next, () => this.#paced(signal, () => Promise.resolve())))) return;
    await this.#backfill.step(next, {
      entitiesMax: Math.max(1, STEP_ENTITIES >> this.#losses),
      gateFirst: this.#losses >= LOSSES_BEFORE_GATE,
    });
  }

  async #failed({ appId, index }: AppIndex, error: unknown, signal: AbortSignal): Promise<void> {
    const { code } = toPlatformError(error);
    if (error instanceof EntityUnfit || code === 'DS_CORRUPT') {
      const reason = error instanceof Error ? error.message.slice(0, REASON_CHARACTERS_MAX) : String(error);
      this.#log.error('An index could not be built', { appId, index: index.id, kind: index.definition.kind, reason });
      if (index.state === 'building') await this.#giveUp(appId, index, reason);
      else this.#stop.abort();
    } else if (code === 'DS_TX_CONFLICT') this.#losses++;
    else if (code === 'DS_OVERLOADED') await sleep(this.#timers, OVERLOADED_REST_MS, { signal }).catch(() => undefined);
    else {
      // The store is closed, or in trouble: the index stays as it is on disk and is taken up after the next start.
      this.#stop.abort();
      if (code !== 'DS_CLOSED') this.#log.error('Index work has stopped', { appId, index: index.id, error: String(error) });
    }
  }

  async #giveUp(appId: string, index: AppIndex['index'], reason: string): Promise<void> {
    const { id, definition, since, done, estimate } = index;
    const transaction = this.#store.begin();
    try {
      await this.#catalog.change(appId, index, { id, definition, state: 'error', since, done, estimate, reason }, transaction);
    } catch (error) {
      // It was deleted meanwhile, which is just as well; or the store is closed, which the next step finds out.
      if (!(error instanceof PlatformError)) throw error;
    } finally {
      await transaction.close();
    }
  }

  async #paced(signal: AbortSignal, act: () => Promise<void>): Promise<void> {
    const [calls, beganMs] = [this.#callsServed(), this.#clock.monotonicMs()];
    await act();
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.#callsServed() === calls) return;
    const restMs = Math.min(REST_MS_MAX, RESTS_PER_STEP * (this.#clock.monotonicMs() - beganMs));
    if (restMs > 0) await sleep(this.#timers, restMs, { signal }).catch(() => undefined);
  }
}
