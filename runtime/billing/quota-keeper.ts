// Who is over which quota at this moment: decided anew whenever an app used something, and told to whoever enforces it.
import { type ExceededQuota } from '../../router/ports.ts';
import { type UsageAmounts } from '../../sdk/contract/usage.ts';
import { type Cancel, type Clock, type Timers } from '../../sdk/support/clock.ts';
import { decideQuota } from './decide-quota.ts';
import { type QuotaPolicy, rulesOf } from './quota-policy.ts';
import { addTo, type AmountTable } from './usage-amounts.ts';
import { type DayTerms } from './usage-store.ts';
import { type AppQuotaState } from './usage-wire.ts';

/** What the keeper asks of the ledger and of the billing records. */
export interface QuotaFacts {
  readonly usedToday: (appId: string) => UsageAmounts;
  readonly dayEndsAtMs: () => number;
  readonly billingOf: (appId: string) => { readonly isEnabled: boolean; readonly dailyBudgetMicros: number };
  readonly termsOf: (appId: string) => DayTerms;
}

const TICK_MS = 250;
const MINUTE_MS = 60_000;

export class QuotaKeeper {
  readonly #policy: QuotaPolicy;
  readonly #facts: QuotaFacts;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #exceeded = new Map<string, readonly ExceededQuota[]>();
  readonly #usedInMinute = new Map<string, AmountTable>();
  readonly #watchers = new Set<() => void>();
  #minuteEndsMs = 0;
  #cancel: Cancel = () => undefined;

  constructor(policy: QuotaPolicy, facts: QuotaFacts, clock: Clock, timers: Timers) {
    this.#policy = policy;
    this.#facts = facts;
    this.#clock = clock;
    this.#timers = timers;
  }

  start(): void {
    this.#minuteEndsMs = this.#clock.monotonicMs() + MINUTE_MS;
    this.#cancel = this.#timers.every(TICK_MS, () => {
      this.#tick();
    });
  }

  close(): void {
    this.#cancel();
    this.#watchers.clear();
  }

  /** All apps that are over a quota. */
  get states(): readonly AppQuotaState[] {
    return [...this.#exceeded].map(([appId, exceeded]) => ({ appId, exceeded }));
  }

  exceededOf(appId: string): readonly ExceededQuota[] {
    return this.#exceeded.get(appId) ?? [];
  }

  /** Calls `onChange` when an app comes to be over a quota, or within it again. */
  watch(onChange: () => void): Cancel {
    this.#watchers.add(onChange);
    return () => {
      this.#watchers.delete(onChange);
    };
  }

  used(appId: string, amounts: UsageAmounts): void {
    const inMinute = this.#usedInMinute.get(appId) ?? {};
    addTo(inMinute, amounts);
    this.#usedInMinute.set(appId, inMinute);
    this.decide(appId);
  }

  /** Looks at one app anew: its billing changed, or it used something. */
  decide(appId: string): void {
    const { isEnabled, dailyBudgetMicros } = this.#facts.billingOf(appId);
    const exceeded = decideQuota({
      used: this.#facts.usedToday(appId),
      usedInMinute: this.#usedInMinute.get(appId) ?? {},
      rules: rulesOf(this.#policy, appId),
      terms: this.#facts.termsOf(appId),
      isBillingEnabled: isEnabled,
      dailyBudgetMicros,
      dayEndsAtMs: this.#facts.dayEndsAtMs(),
      minuteEndsAtMs: this.#clock.nowMs() + Math.max(0, this.#minuteEndsMs - this.#clock.monotonicMs()),
    });
    const before = this.exceededOf(appId);
    if (exceeded.length > 0) this.#exceeded.set(appId, exceeded);
    else this.#exceeded.delete(appId);
    if (signature(before) !== signature(exceeded)) for (const watcher of this.#watchers) watcher();
  }

  /** What resets does so by itself. */
  #tick(): void {
    if (this.#clock.monotonicMs() >= this.#minuteEndsMs) {
      this.#usedInMinute.clear();
      this.#minuteEndsMs = this.#clock.monotonicMs() + MINUTE_MS;
    }
    for (const appId of [...this.#exceeded.keys()]) this.decide(appId);
  }
}

/** What enforcing takes; amounts that go on growing are no news. */
function signature(exceeded: readonly ExceededQuota[]): string {
  return exceeded.map(({ resource, reason }) => `${resource} ${reason}`).join();
}
