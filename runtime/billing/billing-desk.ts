// Billing as the console and the command line see it, and everything behind it put together: ledger, keeper, charts.
import { type UsageApi } from '../../admin-console/ports.ts';
import {
  type BillingChange,
  type BillingView,
  type InvoiceView,
  type MetricsView,
  type QuotasView,
  type UsageRowView,
  type UsageView,
} from '../../sdk/contract/admin/usage.ts';
import { PlatformError, toPlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { USAGE_RESOURCES, type UsageAmounts, type UsageResource } from '../../sdk/contract/usage.ts';
import { type Service } from '../../sdk/contract/wire/service.ts';
import { type Clock, type Random, sleep, type Timers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { type Log } from '../../sdk/support/log.ts';
import { chargeOf, invoiceLines } from './charge.ts';
import { dailyLimit } from './decide-quota.ts';
import { MetricsHistory } from './metrics-history.ts';
import { QuotaDays } from './quota-day.ts';
import { QuotaKeeper } from './quota-keeper.ts';
import { type QuotaPolicy, rulesOf } from './quota-policy.ts';
import { RESOURCE_TERMS } from './resource-terms.ts';
import { sumOf } from './usage-amounts.ts';
import { UsageFeed } from './usage-feed.ts';
import { UsageLedger } from './usage-ledger.ts';
import { type BillingRecord, type DayTerms, type StoredDay, type UsageStore } from './usage-store.ts';

/** App Engine's least daily budget: one US dollar. */
const DAILY_BUDGET_MICROS_DEFAULT = 1_000_000;
const LOAD_AGAIN_MS = 250;
const CLOSE_GRACE_MS = 2_000;
const SWEEP_MS = 3_600_000;
const SWEEP_ROWS = 500;

export class BillingDesk implements UsageApi {
  readonly keeper: QuotaKeeper;
  readonly #policy: QuotaPolicy;
  readonly #store: UsageStore;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #log: Log;
  /** Throws APP_NOT_FOUND. */
  readonly #checkApp: (appId: string) => void;
  readonly #days: QuotaDays;
  readonly #ledger: UsageLedger;
  readonly #history: MetricsHistory;
  readonly #feed: UsageFeed;
  readonly #billings = new Map<string, BillingRecord>();
  readonly #closing = new CloseStack();
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(
    policy: QuotaPolicy,
    store: UsageStore,
    checkApp: (appId: string) => void,
    clock: Clock,
    timers: Timers,
    random: Random,
    log: Log,
  ) {
    this.#policy = policy;
    this.#store = store;
    this.#clock = clock;
    this.#timers = timers;
    this.#log = log;
    this.#checkApp = checkApp;
    this.#days = new QuotaDays(policy.timeZone);
    this.#history = new MetricsHistory(clock, timers);
    this.#ledger = new UsageLedger(store, this.#days, clock, timers, random, log, {
      termsOf: (appId) => this.#termsOf(appId),
      onUsed: (appId, amounts, isLate) => {
        this.#onUsed(appId, amounts, isLate);
      },
      onObserved: (observations) => {
        this.#history.observed(observations);
      },
    });
    this.keeper = new QuotaKeeper(
      policy,
      {
        usedToday: (appId) => this.#ledger.usedOn(appId, this.#ledger.today),
        dayEndsAtMs: () => this.#ledger.dayEndsAtMs,
        billingOf: (appId) => this.#billingOf(appId),
        termsOf: (appId) => this.#termsOf(appId),
      },
      clock,
      timers,
    );
    this.#feed = new UsageFeed(this.#ledger, this.keeper);
  }

  /** Reads the accounts of today, waiting for the store when it is not there yet. */
  async start(): Promise<void> {
    const days = await this.#load();
    this.#ledger.start(days);
    this.#closing.defer(() => this.#ledger.close({ graceMs: CLOSE_GRACE_MS }));
    this.keeper.start();
    this.#closing.defer(() => {
      this.keeper.close();
    });
    this.#history.start();
    this.#closing.defer(() => {
      this.#history.close();
    });
    this.#closing.defer(() => {
      this.#feed.close();
    });
    this.#closing.defer(this.#timers.every(SWEEP_MS, () => void this.#removeOldRows()));
    for (const { appId } of days) this.keeper.decide(appId);
  }

  /** Persists what is counted. */
  close(): Promise<void> {
    return this.#closing.close();
  }

  /** What the control role offers to the sources and the enforcers. */
  service(): Service {
    return this.#feed.service();
  }

  metrics(appId: string, { minutes }: { readonly minutes: number }): Promise<MetricsView> {
    return this.#of(appId, () => this.#history.view(appId, minutes));
  }

  quotas(appId: string): Promise<QuotasView> {
    return this.#of(appId, () => {
      const { today } = this.#ledger;
      const used = this.#ledger.usedOn(appId, today);
      const rules = rulesOf(this.#policy, appId);
      const { isEnabled } = this.#billingOf(appId);
      const exceeded = new Set(this.keeper.exceededOf(appId).map(({ resource }) => resource));
      const quotas = USAGE_RESOURCES.map((resource) => {
        const limit = dailyLimit(rules[resource], resource, this.#policy.prices, isEnabled);
        return {
          ...{ resource, title: RESOURCE_TERMS[resource].title, used: used[resource] ?? 0, free: rules[resource].daily },
          ...(limit === undefined ? {} : { limit }),
          isExceeded: exceeded.has(resource),
        };
      });
      return { day: today, resetsAtMs: this.#ledger.dayEndsAtMs, quotas };
    });
  }

  usage(appId: string, { days: count }: { readonly days: number }): Promise<UsageView> {
    return this.#of(appId, async () => {
      const days = this.#days.daysUpTo(this.#clock.nowMs(), count);
      const accounts = new Map((await this.#store.daysOf(appId, days)).map((account) => [account.day, account]));
      return {
        days: days.map((day) => {
          const { amounts, terms } = this.#accountOf(appId, day, accounts.get(day));
          return { day, amounts, chargeMicros: chargeOf(amounts, terms) };
        }),
      };
    });
  }

  billing(appId: string): Promise<BillingView> {
    return this.#of(appId, () => this.#billingView(appId));
  }

  changeBilling(appId: string, { isEnabled, dailyBudgetMicros }: BillingChange): Promise<BillingView> {
    return this.#of(appId, async () => {
      if (dailyBudgetMicros !== undefined) checkBudget(dailyBudgetMicros);
      const change = this.#lastChange.then(async () => {
        const before = this.#billingOf(appId);
        const record: BillingRecord = {
          appId,
          isEnabled: isEnabled ?? before.isEnabled,
          dailyBudgetMicros: dailyBudgetMicros ?? before.dailyBudgetMicros,
        };
        const { today } = this.#ledger;
        const terms = this.#termsOf(appId);
        const termsNow = { ...terms, isBilled: terms.isBilled || record.isEnabled };
        await this.#store.putBilling(record, today, termsNow);
        this.#billings.set(appId, record);
        this.#ledger.noteTerms(appId, today, termsNow);
        this.keeper.decide(appId);
      });
      this.#lastChange = change.catch(() => undefined);
      await change;
      return this.#billingView(appId);
    });
  }

  invoice(appId: string, day: string | undefined): Promise<InvoiceView> {
    return this.#of(appId, async () => {
      const { today } = this.#ledger;
      const wanted = day ?? today;
      if (wanted > today) throw new PlatformError('INVALID_ARGUMENT', `the day ${wanted} has not begun`);
      const live = this.#ledger.liveRows(appId, wanted);
      const isLive = new Set(live.map(({ source, sequence }) => `${source}/${sequence}`));
      const [stored] = await this.#store.daysOf(appId, [wanted]);
      // A row that is persisted while we ask would be in both.
      const persisted = (await this.#store.rowsOf(appId, wanted)).filter(({ source, sequence }) => !isLive.has(`${source}/${sequence}`));
      const rows: UsageRowView[] = [
        ...persisted,
        ...live.map(({ source, sequence, fromMs, toMs, amounts }) => ({ source, sequence, fromMs, toMs, amounts })),
      ];
      const { terms, amounts } = this.#accountOf(appId, wanted, stored);
      // The rows are what is charged; the account stands in for them once they are too old to be kept.
      const used = rows.length > 0 ? sumOf(rows.map((row) => row.amounts)) : amounts;
      const lines = invoiceLines(used, terms);
      return { appId, day: wanted, lines, totalMicros: lines.reduce((sum, line) => sum + line.amountMicros, 0), rows };
    });
  }

  #onUsed(appId: string, amounts: UsageAmounts, isLate: boolean): void {
    if (isLate) {
      this.keeper.decide(appId);
      return;
    }
    this.#history.used(appId, amounts);
    this.keeper.used(appId, amounts);
  }

  #billingView(appId: string): BillingView {
    const { isEnabled, dailyBudgetMicros } = this.#billingOf(appId);
    const { today } = this.#ledger;
    const prices = USAGE_RESOURCES.flatMap((resource) => {
      const microsPerUnit = this.#policy.prices[resource];
      const { title, unit } = RESOURCE_TERMS[resource];
      return microsPerUnit === undefined ? [] : [{ resource, title, unit, microsPerUnit }];
    });
    return {
      ...{ isEnabled, dailyBudgetMicros, day: today, resetsAtMs: this.#ledger.dayEndsAtMs },
      chargedMicros: chargeOf(this.#ledger.usedOn(appId, today), this.#termsOf(appId)),
      prices,
    };
  }

  #billingOf(appId: string): BillingRecord {
    return this.#billings.get(appId) ?? { appId, isEnabled: false, dailyBudgetMicros: DAILY_BUDGET_MICROS_DEFAULT };
  }

  /** How today is charged. */
  #termsOf(appId: string): DayTerms {
    const rules = rulesOf(this.#policy, appId);
    const free = Object.fromEntries(USAGE_RESOURCES.map((resource): [UsageResource, number] => [resource, rules[resource].daily]));
    const isBilled = this.#billingOf(appId).isEnabled || this.#ledger.isBilled(appId, this.#ledger.today);
    return { isBilled, free, prices: this.#policy.prices };
  }

  /** A day's account with what is counted and not on disk yet. */
  #accountOf(appId: string, day: string, stored: StoredDay | undefined): Pick<StoredDay, 'amounts' | 'terms'> {
    const isToday = day === this.#ledger.today;
    const unbilled = { ...this.#termsOf(appId), isBilled: false };
    return {
      amounts: isToday
        ? this.#ledger.usedOn(appId, day)
        : sumOf([stored?.amounts ?? {}, ...this.#ledger.liveRows(appId, day).map((row) => row.amounts)]),
      terms: isToday ? this.#termsOf(appId) : (stored?.terms ?? unbilled),
    };
  }

  async #load(): Promise<readonly StoredDay[]> {
    for (;;) {
      try {
        const [today = '', yesterday = ''] = this.#days.daysUpTo(this.#clock.nowMs(), 2);
        const { billings, days } = await this.#store.load(today);
        for (const record of billings) this.#billings.set(record.appId, record);
        return [...days, ...(await this.#store.load(yesterday)).days];
      } catch (error) {
        const { retryable, code } = toPlatformError(error);
        if (!retryable && code !== 'RPC_CONNECTION_LOST') throw error;
        this.#log.warn('The accounts of usage cannot be read yet', { error });
      }
      await sleep(this.#timers, LOAD_AGAIN_MS);
    }
  }

  /** In small steps: no transaction of an app waits for it. */
  async #removeOldRows(): Promise<void> {
    const oldest = this.#days.daysUpTo(this.#clock.nowMs(), LIMITS.usageDaysMax).at(-1) ?? '';
    try {
      while ((await this.#store.removeRowsBefore(oldest, SWEEP_ROWS)) === SWEEP_ROWS);
    } catch (error) {
      this.#log.info('Old usage rows could not be removed; it is tried again', { error });
    }
  }

  async #of<T>(appId: string, answer: () => T | Promise<T>): Promise<T> {
    this.#checkApp(appId);
    return answer();
  }
}

function checkBudget(micros: number): void {
  if (Number.isSafeInteger(micros) && micros >= 0 && micros <= LIMITS.dailyBudgetMicrosMax) return;
  throw new PlatformError('BUDGET_INVALID', `${micros} micro-dollars, want a whole number from 0 to ${LIMITS.dailyBudgetMicrosMax}`);
}
