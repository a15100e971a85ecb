// A world for tests: sources that report over a faulty connection to a ledger that crashes, all in virtual time, and the truth
// beside it.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type UsageAmounts } from '../../sdk/contract/usage.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { type Clock } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { SeededRandom, VirtualTime } from '../../sdk/support/virtual-time.ts';
import { BatchingUsageMeter } from './batching-usage-meter.ts';
import { MemoryUsageStore } from './memory-usage-store.ts';
import { QuotaDays } from './quota-day.ts';
import { addTo, type AmountTable, sumOf } from './usage-amounts.ts';
import { UsageLedger } from './usage-ledger.ts';
import { type DayTerms, type UsageStore } from './usage-store.ts';
import { usageReport } from './usage-wire.ts';

/** What becomes of one report. `twice`: it arrives again, some time later. */
export type Fate = 'arrives' | 'is lost' | 'loses its answer' | 'twice';

export interface WorldSource {
  readonly meter: BatchingUsageMeter;
  isDead: boolean;
  /** All that was added, by app. */
  readonly added: Map<string, AmountTable>;
  /**
   * Of it, what must not be lost should the source die: what was there when the last report went off that this life of the
   * control role answered, or what is on disk. (When both die within a minute, what only their memory had is gone.)
   */
  reported: Map<string, AmountTable>;
  /** As its reports name it. */
  name: string;
  /** The life of the control role that last answered it. */
  answeredBy: object | undefined;
}

const STEP_MS = 250;
export const UNBILLED: DayTerms = { isBilled: false, free: {}, prices: {} };

export class UsageWorld {
  readonly store = new MemoryUsageStore();
  readonly sources: WorldSource[] = [];
  readonly time: VirtualTime;
  readonly days: QuotaDays;
  ledger: UsageLedger;
  /** Asked for each report. */
  fate: () => Fate = () => 'arrives';
  isControlAway = false;
  readonly #random: SeededRandom;
  readonly #late: unknown[] = [];
  #wallOffsetMs = 0;
  #life = { isOver: false };

  constructor(options: { readonly seed: number; readonly startMs: number; readonly timeZone?: string }) {
    this.#random = new SeededRandom(options.seed);
    this.time = new VirtualTime(options.startMs);
    this.days = new QuotaDays(options.timeZone ?? 'UTC');
    this.ledger = this.#newLedger();
  }

  readonly clock: Clock = {
    nowMs: () => this.time.nowMs() + this.#wallOffsetMs,
    monotonicMs: () => this.time.monotonicMs(),
  };

  async start(): Promise<void> {
    await this.startControl();
  }

  addSource(role: string): WorldSource {
    const source: WorldSource = {
      meter: new BatchingUsageMeter(
        role,
        this.#rpcOf(() => source),
        this.clock,
        this.time,
        this.#random,
        new MemoryLog(),
      ),
      isDead: false,
      added: new Map(),
      reported: new Map(),
      name: '',
      answeredBy: undefined,
    };
    this.sources.push(source);
    source.meter.start();
    return source;
  }

  use(source: WorldSource, appId: string, amounts: UsageAmounts): void {
    if (source.isDead) return;
    const added = source.added.get(appId) ?? {};
    addTo(added, amounts);
    source.added.set(appId, added);
    source.meter.add(appId, amounts);
  }

  /** kill -9. */
  kill(source: WorldSource): void {
    source.isDead = true;
  }

  /** kill -9: what it had in memory is gone. */
  killControl(): void {
    this.isControlAway = true;
    this.#life.isOver = true;
    for (const source of this.sources) {
      const rows = [...this.store.rows.values()].filter((row) => row.source === source.name);
      source.reported = new Map();
      for (const { appId, amounts } of rows) source.reported.set(appId, sumOf([source.reported.get(appId) ?? {}, amounts]));
    }
  }

  async startControl(): Promise<void> {
    const [today = '', yesterday = ''] = this.days.daysUpTo(this.clock.nowMs(), 2);
    this.ledger = this.#newLedger();
    this.ledger.start([...(await this.store.load(today)).days, ...(await this.store.load(yesterday)).days]);
    this.isControlAway = false;
  }

  jumpClock(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Lets the oldest report that was held back arrive once more. */
  async deliverLate(): Promise<void> {
    const payload = this.#late.shift();
    if (payload !== undefined && !this.isControlAway) await this.ledger.report(usageReport.parse(payload)).catch(() => undefined);
  }

  get lateReports(): number {
    return this.#late.length;
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      this.time.advance(Math.min(STEP_MS, ms - passed));
      // All that follows from a timer happens before the next one.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #newLedger(): UsageLedger {
    const life = { isOver: false };
    this.#life = life;
    return new UsageLedger(mortal(this.store, life), this.days, this.clock, this.time, this.#random, new MemoryLog(), {
      termsOf: () => UNBILLED,
      onUsed: () => undefined,
      onObserved: () => undefined,
    });
  }

  #rpcOf(find: () => WorldSource): Rpc {
    return {
      call: async (_service, _method, payload) => {
        const source = find();
        const sent = new Map([...source.added].map(([app, amounts]) => [app, { ...amounts }]));
        const fate = this.fate();
        if (source.isDead || this.isControlAway || fate === 'is lost') throw new PlatformError('RPC_CONNECTION_LOST');
        const copy: unknown = structuredClone(payload);
        if (fate === 'twice') this.#late.push(structuredClone(payload));
        const answer = await this.ledger.report(usageReport.parse(copy));
        // It died while the call was under way.
        if (isDead(source) || fate === 'loses its answer') throw new PlatformError('RPC_CONNECTION_LOST');
        source.name = usageReport.parse(copy).source;
        // Its first answer from a new life tells the source to report anew what the old one knew.
        if (source.answeredBy === this.#life || source.answeredBy === undefined) source.reported = sent;
        source.answeredBy = this.#life;
        return answer;
      },
    };
  }
}

/** A call, so that the compiler does not take what it knew before an `await` for what is. */
function isDead(source: WorldSource): boolean {
  return source.isDead;
}

/** The store as one process has it: what that calls after its death does not happen, and no answer reaches it. */
function mortal(store: MemoryUsageStore, life: { readonly isOver: boolean }): UsageStore {
  const isOver = (): boolean => life.isOver;
  const living = async <T>(call: () => Promise<T>): Promise<T> => {
    const never = new Promise<T>(() => undefined);
    if (life.isOver) return never;
    const result = await call();
    return isOver() ? never : result;
  };
  return {
    load: (...args) => living(() => store.load(...args)),
    persist: (...args) => living(() => store.persist(...args)),
    settledOf: (...args) => living(() => store.settledOf(...args)),
    rowsOf: (...args) => living(() => store.rowsOf(...args)),
    daysOf: (...args) => living(() => store.daysOf(...args)),
    putBilling: (...args) => living(() => store.putBilling(...args)),
    removeRowsBefore: (...args) => living(() => store.removeRowsBefore(...args)),
  };
}
