// The tablets of one server: counts what is read and written, keeps the map and the statistics on disk, cuts what grows or is
// busy, merges what is small and cold.
//
// Statistics of rows and bytes are exact while the server runs. They are written every half minute and on close; a row that
// is there exactly while the store is closed in good order (S 03) tells a crash, after which they are counted anew in the
// background. Reads and writes per minute are kept for a day, over restarts too: a crash loses those of the last half minute.
import { type Cancel, type Clock, type Random, type Timers } from '../../sdk/support/clock.ts';
import { toPlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type Store } from '../storage/port.ts';
import { AppBytes, isOfApp } from './app-bytes.ts';
import { CommitsUnderWay } from './commits-under-way.ts';
import { KeySample } from './key-sample.ts';
import { TabletChanges } from './tablet-changes.ts';
import { cutReason, isCold, isSampled, loadCut, shouldMerge, type TabletFacts, type TabletRules } from './tablet-decision.ts';
import { newTablet, type RowChange, type Tablet, TabletMap, type TabletView } from './tablet-map.ts';
import { TabletRows } from './tablet-rows.ts';

export interface TabletServerOptions {
  /** A tablet with more bytes is cut in two. */
  readonly splitBytes?: number;
  /** Rows read and written in a minute; a tablet with more is cut in two if that divides its load. */
  readonly rowsPerMinuteMax?: number;
}

const MINUTE_MS = 60_000;
const MAINTAIN_EVERY_MS = 5_000;
const WRITE_EVERY_MS = 30_000;
const COOL_DOWN_MS = 5 * MINUTE_MS;
const COLD_MS = 10 * MINUTE_MS;
/** Of one round, so that statistics are written in between. */
const MERGES_PER_ROUND = 100;
/** Tablets whose keys are sampled at the same time: 128 keys each. */
const SAMPLED_TABLETS_MAX = 64;

export class TabletServer {
  /** Every commit must be one of these from its submission until `wrote` was told of it. */
  readonly underWay = new CommitsUnderWay();
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #log: Log;
  readonly #rules: TabletRules;
  readonly #rows: TabletRows;
  readonly #changes: TabletChanges;
  #map = new TabletMap([newTablet(1, Buffer.alloc(0), 0)]);
  #appBytes = new AppBytes();
  #cancel: Cancel = () => undefined;
  #maintaining: Promise<void> | undefined;
  #lastTurn: Promise<unknown> = Promise.resolve();
  #mustCount = false;
  #isStopping = false;
  #minute = 0;
  #gatheredMs = 0;
  #writtenMs = 0;

  constructor(store: Store, clock: Clock, timers: Timers, random: Random, log: Log, options: TabletServerOptions = {}) {
    this.#clock = clock;
    this.#timers = timers;
    this.#random = random;
    this.#log = log;
    this.#rules = {
      splitBytes: options.splitBytes ?? LIMITS.tabletBytesMax,
      rowsPerMinuteMax: options.rowsPerMinuteMax ?? LIMITS.tabletRowsPerMinuteMax,
      coolDownMs: COOL_DOWN_MS,
      coldMs: COLD_MS,
    };
    this.#rows = new TabletRows(store);
    this.#changes = new TabletChanges(store, this.#rows, this.underWay, clock, log);
  }

  get map(): TabletMap {
    return this.#map;
  }

  get appBytes(): ReadonlyMap<string, number> {
    return this.#appBytes.byApp;
  }

  /** The minute at hand, since 1970: the last of every history. */
  get minute(): number {
    return this.#minute;
  }

  wrote(appId: string, changes: readonly RowChange[]): void {
    this.#map.wrote(changes);
    this.#changes.wrote(appId, changes);
    let bytes = 0;
    for (const change of changes) if (isOfApp(change.key)) bytes += change.bytes;
    this.#appBytes.add(appId, bytes);
  }

  list(): readonly TabletView[] {
    return this.#map.list();
  }

  async start(): Promise<void> {
    this.#isStopping = false;
    this.#changes.start();
    this.#minute = minuteOf(this.#clock.nowMs());
    this.#gatheredMs = this.#clock.monotonicMs();
    this.#writtenMs = this.#gatheredMs;
    const { tablets, appBytes, isClean } = await this.#rows.read(this.#minute, this.#gatheredMs);
    const created = tablets.length === 0 ? newTablet(1, Buffer.alloc(0), this.#gatheredMs) : undefined;
    this.#map = new TabletMap(created ? [created] : tablets);
    this.#appBytes = appBytes;
    this.#mustCount = !created && !isClean;
    await this.#rows.markOpen(created);
    this.#cancel = this.#timers.every(MAINTAIN_EVERY_MS, () => {
      this.#gather();
      void this.maintain();
    });
    if (this.#mustCount) void this.maintain();
  }

  async close(): Promise<void> {
    this.#isStopping = true;
    this.#changes.stop();
    this.#cancel();
    await this.#lastTurn;
    this.#gather();
    await this.#rows.writeStatistics(this.#map.tablets, this.#appBytes);
    if (!this.#mustCount) await this.#rows.markClosed();
  }

  /** One round of upkeep; one at a time. Never throws. */
  maintain(): Promise<void> {
    this.#maintaining ??= this.#inTurn(() => this.#round())
      .catch((error: unknown) => {
        if (toPlatformError(error).code === 'DS_CLOSED') return;
        this.#log.error('Tablets could not be maintained', { error: String(error) });
      })
      .finally(() => {
        this.#maintaining = undefined;
      });
    return this.#maintaining;
  }

  /** Cuts the tablet that holds `key` at it; false when it starts there already, or there are too many. */
  cutAt(key: Buffer): Promise<boolean> {
    return this.#inTurn(async () => {
      const tablet = this.#map.route(key);
      if (tablet.start.equals(key) || !this.#hasRoom()) return false;
      return this.#changes.cutAt(this.#map, tablet, key);
    });
  }

  /** Makes the tablet that holds `key` and the one behind it one; false when it is the last one. */
  mergeAt(key: Buffer): Promise<boolean> {
    return this.#inTurn(async () => {
      const tablet = this.#map.route(key);
      const right = this.#map.neighbour(tablet);
      if (right) await this.#changes.merge(this.#map, tablet, right);
      return right !== undefined;
    });
  }

  async #round(): Promise<void> {
    if (this.#mustCount) await this.#countAll();
    for (const tablet of this.#map.tablets) {
      if (this.#isStopping) return;
      await this.#cutIfDue(tablet);
      await this.#writeIfDue();
    }
    await this.#mergeCold();
    await this.#writeIfDue();
  }

  async #countAll(): Promise<void> {
    const apps = new AppBytes();
    try {
      for (const tablet of this.#map.tablets) {
        if (!(await this.#changes.recount(this.#map, tablet, apps))) return;
        await this.#writeIfDue();
      }
      this.#appBytes.replaceBy(apps);
    } finally {
      this.#changes.endRecount();
    }
    this.#mustCount = false;
  }

  async #cutIfDue(tablet: Tablet): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const reason = cutReason(factsOf(tablet), this.#rules, nowMs);
    if (reason === undefined || !this.#hasRoom()) return;
    if (reason === 'bytes') {
      await this.#changes.cutBySize(this.#map, tablet);
      return;
    }
    const cut = loadCut(tablet.start, tablet.load.sample?.keys ?? []);
    if (cut.kind === 'cut') await this.#changes.cutAt(this.#map, tablet, cut.at, cut.rightShare);
    else if (cut.kind === 'one-key') {
      // Looked at again after a while, by a new sample.
      tablet.load.changedAtMs = nowMs;
      tablet.load.sample = undefined;
      this.#log.info('A busy tablet was left whole: one key takes most of its load', { tablet: tablet.id });
    }
  }

  async #mergeCold(): Promise<void> {
    let merges = 0;
    for (let tablet = this.#map.tablets[0]; tablet && merges < MERGES_PER_ROUND && !this.#isStopping;) {
      const right = this.#map.neighbour(tablet);
      if (right && shouldMerge(factsOf(tablet), factsOf(right), this.#rules, this.#clock.monotonicMs())) {
        await this.#changes.merge(this.#map, tablet, right);
        merges++;
      }
      // The one just merged rests: the pair behind it is next.
      tablet = this.#map.neighbour(tablet);
    }
  }

  async #writeIfDue(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#writtenMs < WRITE_EVERY_MS) return;
    await this.#rows.writeStatistics(this.#map.tablets, this.#appBytes);
    this.#writtenMs = nowMs;
  }

  /** Takes what was read and written since the last time into averages and histories. */
  #gather(): void {
    const nowMs = this.#clock.monotonicMs();
    const minute = minuteOf(this.#clock.nowMs());
    const { tablets } = this.#map;
    const isPastOrNewHour = minute < this.#minute || hourOf(minute) !== hourOf(this.#minute);
    if (isPastOrNewHour) for (const { load } of tablets) load.history.keepUntil(minute);
    let sampled = tablets.filter(({ load }) => load.sample !== undefined).length;
    for (const tablet of tablets) {
      const { load } = tablet;
      load.gather(minute, tablet.rowsRead, tablet.rowsWritten, nowMs - this.#gatheredMs);
      if (!isCold(load, this.#rules)) load.coldSinceMs = nowMs;
      if (!isSampled(load, this.#rules)) load.sample = undefined;
      else if (!load.sample && sampled < SAMPLED_TABLETS_MAX) {
        load.sample = new KeySample(this.#random);
        sampled++;
      }
    }
    this.#minute = minute;
    this.#gatheredMs = nowMs;
  }

  #hasRoom(): boolean {
    return this.#map.tablets.length < LIMITS.tabletsMax;
  }

  /** One at a time: counts, changes of the map, and statistics written beside them. */
  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(action);
    this.#lastTurn = turn.catch(() => undefined);
    return turn;
  }
}

function factsOf({ bytes, load }: Tablet): TabletFacts {
  return { bytes, perMinute: load.perMinute, changedAtMs: load.changedAtMs, coldSinceMs: load.coldSinceMs };
}

function minuteOf(nowMs: number): number {
  return Math.floor(nowMs / MINUTE_MS);
}

function hourOf(minute: number): number {
  return Math.floor(minute / 60);
}
