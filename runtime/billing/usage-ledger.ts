// Where every source's usage comes together: who used how much today, exact to the last report, and on disk within a minute.
//
// A row is counted from its first report on: while it is live it is counted here, once it is persisted its day's account on
// disk has it, and it moves from one to the other in one step. What decides that nothing is lost or doubled:
//   - a row is reported whole, so a report may come twice, and a lost one is made good by the next;
//   - a row is identified by (source, sequence) on disk too, so persisting it again changes nothing;
//   - the source keeps a row until it hears what is on disk of it, and takes the rest into a new row.
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type UsageAmounts } from '../../sdk/contract/usage.ts';
import { type Clock, type Random, sleep, type Timers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type QuotaDays } from './quota-day.ts';
import { beyond, greaterOf, isNothing, sumOf } from './usage-amounts.ts';
import { type SettledRow, type SourcedRow, type UsageRow } from './usage-row.ts';
import { type DayTerms, type StoredDay, type UsageStore } from './usage-store.ts';
import { type AppObservations, type UsageReply, type UsageReport } from './usage-wire.ts';

export interface LedgerListener {
  /** How the day is charged, as of now. */
  readonly termsOf: (appId: string) => DayTerms;
  /** An app used that much more. `isLate`: it was counted before, by an earlier life of this role. */
  readonly onUsed: (appId: string, amounts: UsageAmounts, isLate: boolean) => void;
  readonly onObserved: (observations: readonly AppObservations[]) => void;
}

interface Account {
  readonly appId: string;
  readonly day: string;
  persisted: UsageAmounts;
  /** Undefined while nothing is known but that the day is today. */
  terms: DayTerms | undefined;
  readonly live: Map<string, SourcedRow>;
}

interface Source {
  readonly name: string;
  number: number;
  observedNumber: number;
  heardMs: number;
  readonly live: Map<number, SourcedRow>;
  /** Persisted, until the source is known to have heard. */
  readonly settled: Map<number, UsageAmounts>;
  /** Sequences that the last answer named. */
  told: readonly number[];
  /** Reports are taken one after the other. */
  turn: Promise<unknown>;
}

const TICK_MS = 1_000;
const SILENT_MS = 15_000;
const FORGET_MS = 3_600_000;
const PERSIST_AGAIN_MS = 1_000;
const BOOT_BYTES = 8;
/** Accounts are kept in memory for yesterday's late rows, and for a clock that is set back over midnight. */
const DAYS_KEPT = 3;

export class UsageLedger {
  readonly #store: UsageStore;
  readonly #days: QuotaDays;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #listener: LedgerListener;
  readonly #boot: string;
  readonly #accounts = new Map<string, Account>();
  readonly #sources = new Map<string, Source>();
  readonly #closed = new Set<SourcedRow>();
  readonly #closing = new CloseStack();
  readonly #abort = new AbortController();
  #startedAtMs = 0;
  #prunedOn = '';
  #persisting: Promise<void> | undefined;

  constructor(store: UsageStore, days: QuotaDays, clock: Clock, timers: Timers, random: Random, log: Log, listener: LedgerListener) {
    this.#store = store;
    this.#days = days;
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log;
    this.#listener = listener;
    this.#boot = random.bytes(BOOT_BYTES).toString('hex');
  }

  /** `days` are the accounts on disk of today and yesterday. */
  start(days: readonly StoredDay[]): void {
    this.#startedAtMs = this.#clock.nowMs();
    for (const day of days) this.#takeAccount(day);
    this.#closing.defer(
      this.#timers.every(TICK_MS, () => {
        this.#tick();
      }),
    );
  }

  /** Persists all rows as they are, if the store takes them within `graceMs`. */
  async close(options: { readonly graceMs: number }): Promise<void> {
    await this.#closing.close();
    for (const source of this.#sources.values()) this.#closeRowsOf(source);
    await Promise.race([this.#persistClosed(), sleep(this.#timers, options.graceMs)]);
    this.#abort.abort();
  }

  get today(): string {
    return this.#days.dayOf(this.#clock.nowMs());
  }

  get dayEndsAtMs(): number {
    return this.#days.endOf(this.#clock.nowMs());
  }

  /** Of a day that is not over, or just was. */
  usedOn(appId: string, day: string): UsageAmounts {
    const account = this.#accounts.get(accountKey(appId, day));
    return account ? sumOf([account.persisted, ...[...account.live.values()].map(({ amounts }) => amounts)]) : {};
  }

  /** Whether billing was enabled at any time of the day, as far as it is on disk. */
  isBilled(appId: string, day: string): boolean {
    return this.#accounts.get(accountKey(appId, day))?.terms?.isBilled ?? false;
  }

  /** Billing was just enabled; the store knows. */
  noteTerms(appId: string, day: string, terms: DayTerms): void {
    this.#accountOf(appId, day).terms = terms;
  }

  /** Rows of the day that are counted and not on disk yet. */
  liveRows(appId: string, day: string): readonly SourcedRow[] {
    return [...(this.#accounts.get(accountKey(appId, day))?.live.values() ?? [])];
  }

  /** Takes one source's report. Throws what the store throws; then nothing was taken. */
  report(report: UsageReport): Promise<UsageReply> {
    const source = this.#sourceOf(report);
    const taken = source.turn.then(() => this.#take(source, report));
    source.turn = taken.catch(() => undefined);
    return taken;
  }

  async #take(source: Source, report: UsageReport): Promise<UsageReply> {
    if (report.number < source.number) return this.#reply([]);
    await this.#lookUpOldRows(source, report.rows);
    if (report.number > source.number) for (const sequence of source.told) source.settled.delete(sequence);
    source.number = report.number;
    source.heardMs = this.#clock.monotonicMs();
    for (const row of report.rows) this.#takeRow(source, row);
    if (report.number > source.observedNumber) this.#listener.onObserved(report.observations);
    source.observedNumber = report.number;
    if (this.#closed.size > 0) void this.#persistClosed();
    const settled = [...source.settled].map(([sequence, amounts]) => ({ sequence, amounts }));
    source.told = settled.map(({ sequence }) => sequence);
    return this.#reply(settled);
  }

  /** Rows from before this process began may have been persisted by the one before it. */
  async #lookUpOldRows(source: Source, rows: readonly UsageRow[]): Promise<void> {
    const unknown = rows.filter(
      ({ sequence, fromMs }) => fromMs <= this.#startedAtMs && !source.live.has(sequence) && !source.settled.has(sequence),
    );
    if (unknown.length === 0) return;
    const sequences = unknown.map(({ sequence }) => sequence);
    for (const { sequence, amounts } of await this.#store.settledOf(source.name, sequences)) source.settled.set(sequence, amounts);
  }

  #takeRow(source: Source, row: UsageRow): void {
    if (source.settled.has(row.sequence)) return;
    const known = source.live.get(row.sequence);
    const day = known?.day ?? this.#days.dayOf(row.fromMs);
    const amounts = known ? greaterOf(known.amounts, row.amounts) : row.amounts;
    const isClosed = row.isClosed || (known?.isClosed ?? false);
    const taken: SourcedRow = { ...row, toMs: Math.max(row.toMs, known?.toMs ?? 0), source: source.name, day, amounts, isClosed };
    if (known) this.#closed.delete(known);
    if (isClosed) this.#closed.add(taken);
    source.live.set(row.sequence, taken);
    this.#accountOf(row.appId, day).live.set(rowKey(taken), taken);
    const more = beyond(amounts, known?.amounts ?? {});
    if (!isNothing(more)) this.#listener.onUsed(row.appId, more, !known && row.fromMs <= this.#startedAtMs);
  }

  #persistClosed(): Promise<void> {
    this.#persisting ??= this.#persistAll().finally(() => {
      this.#persisting = undefined;
    });
    return this.#persisting;
  }

  async #persistAll(): Promise<void> {
    let hasFailed = false;
    while (this.#closed.size > 0 && !this.#abort.signal.aborted) {
      const batch = [...this.#closed].slice(0, LIMITS.usagePersistRowsMax);
      try {
        const { rows, days } = await this.#store.persist(batch, (appId, day) => this.#termsOf(appId, day));
        for (const day of days) this.#takeAccount(day);
        for (const [index, row] of batch.entries()) this.#settle(row, rows[index] ?? {});
      } catch (error) {
        if (!hasFailed) this.#log.warn('Usage rows cannot be persisted for the moment; they are kept', { error, rows: this.#closed.size });
        hasFailed = true;
        await sleep(this.#timers, PERSIST_AGAIN_MS, { signal: this.#abort.signal }).catch(() => undefined);
      }
    }
  }

  #settle(row: SourcedRow, amounts: UsageAmounts): void {
    const source = this.#sources.get(row.source);
    // A source that was silent may have gone on meanwhile: then another state of the row is there, and goes as well.
    const latest = source?.live.get(row.sequence) ?? row;
    this.#closed.delete(row);
    this.#closed.delete(latest);
    source?.live.delete(row.sequence);
    source?.settled.set(row.sequence, amounts);
    this.#accountOf(row.appId, row.day).live.delete(rowKey(row));
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const source of this.#sources.values()) {
      const silentMs = nowMs - source.heardMs;
      if (silentMs > SILENT_MS) this.#closeRowsOf(source);
      if (silentMs > FORGET_MS && source.live.size === 0) this.#sources.delete(source.name);
    }
    if (this.#closed.size > 0) void this.#persistClosed();
    if (this.#prunedOn !== this.today) this.#pruneAccounts();
  }

  #pruneAccounts(): void {
    this.#prunedOn = this.today;
    const kept = new Set(this.#days.daysUpTo(this.#clock.nowMs(), DAYS_KEPT));
    for (const [key, { day, live }] of this.#accounts) if (live.size === 0 && !kept.has(day)) this.#accounts.delete(key);
  }

  #closeRowsOf(source: Source): void {
    for (const row of source.live.values()) {
      if (row.isClosed) continue;
      const closed = { ...row, isClosed: true };
      source.live.set(row.sequence, closed);
      this.#accountOf(row.appId, row.day).live.set(rowKey(row), closed);
      this.#closed.add(closed);
    }
  }

  #sourceOf({ source: name }: UsageReport): Source {
    let source = this.#sources.get(name);
    if (!source) {
      source = {
        ...{ name, number: 0, observedNumber: -1, heardMs: this.#clock.monotonicMs(), told: [], turn: Promise.resolve() },
        ...{ live: new Map(), settled: new Map() },
      };
      this.#sources.set(name, source);
    }
    return source;
  }

  #accountOf(appId: string, day: string): Account {
    const key = accountKey(appId, day);
    let account = this.#accounts.get(key);
    if (!account) {
      account = { appId, day, persisted: {}, terms: undefined, live: new Map() };
      this.#accounts.set(key, account);
    }
    return account;
  }

  #takeAccount({ appId, day, amounts, terms }: StoredDay): void {
    const account = this.#accountOf(appId, day);
    account.persisted = amounts;
    account.terms = terms;
  }

  /** A day that is over keeps the terms it had. */
  #termsOf(appId: string, day: string): DayTerms {
    const stored = this.#accounts.get(accountKey(appId, day))?.terms;
    return stored && day !== this.today ? stored : this.#listener.termsOf(appId);
  }

  #reply(settled: readonly SettledRow[]): UsageReply {
    return { boot: this.#boot, dayEndsAtMs: this.dayEndsAtMs, settled };
  }
}

function accountKey(appId: string, day: string): string {
  return `${appId}/${day}`;
}

function rowKey({ source, sequence }: { readonly source: string; readonly sequence: number }): string {
  return `${source}/${sequence}`;
}
