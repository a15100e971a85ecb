// Whether an app may go on: a pure function of what it used and what it may use.
import { type ExceededQuota } from '../../router/ports.ts';
import { USAGE_RESOURCES, type UsageAmounts, type UsageResource } from '../../sdk/contract/usage.ts';
import { chargeOf, formatMoney } from './charge.ts';
import { type PriceList, type QuotaRule, type QuotaRules } from './quota-policy.ts';
import { formatAmount, RESOURCE_TERMS } from './resource-terms.ts';
import { type DayTerms } from './usage-store.ts';

export interface QuotaQuestion {
  /** Of the day so far. */
  readonly used: UsageAmounts;
  /** Of the minute so far. */
  readonly usedInMinute: UsageAmounts;
  readonly rules: QuotaRules;
  readonly terms: DayTerms;
  readonly isBillingEnabled: boolean;
  readonly dailyBudgetMicros: number;
  readonly dayEndsAtMs: number;
  readonly minuteEndsAtMs: number;
}

/** Every quota of which nothing is left, those of the day before those of the minute. */
export function decideQuota(question: QuotaQuestion): readonly ExceededQuota[] {
  const { used, usedInMinute, rules, terms, isBillingEnabled, dailyBudgetMicros, dayEndsAtMs, minuteEndsAtMs } = question;
  const exceeded: ExceededQuota[] = [];
  const chargedMicros = isBillingEnabled ? chargeOf(used, terms) : 0;
  for (const resource of USAGE_RESOURCES) {
    const rule = rules[resource];
    const amount = used[resource] ?? 0;
    const limit = dailyLimit(rule, resource, terms.prices, isBillingEnabled);
    const isPriced = (terms.prices[resource] ?? 0) > 0;
    if (limit !== undefined && amount >= limit) {
      exceeded.push(exceededOf(resource, isBillingEnabled ? 'limit' : 'free', amount, limit, dayEndsAtMs));
    } else if (isBillingEnabled && isPriced && chargedMicros >= dailyBudgetMicros && amount >= rule.daily) {
      exceeded.push(overBudget(resource, chargedMicros, dailyBudgetMicros, dayEndsAtMs));
    }
  }
  for (const resource of USAGE_RESOURCES) {
    const limit = isBillingEnabled ? (rules[resource].billedMinute ?? rules[resource].minute) : rules[resource].minute;
    const amount = usedInMinute[resource] ?? 0;
    if (limit !== undefined && amount >= limit) exceeded.push(exceededOf(resource, 'minute', amount, limit, minuteEndsAtMs));
  }
  return exceeded;
}

/** Where a day's use stops; undefined when only the budget ends it. */
export function dailyLimit(rule: QuotaRule, resource: UsageResource, prices: PriceList, isBillingEnabled: boolean): number | undefined {
  if (!isBillingEnabled) return rule.daily;
  return rule.billedDaily ?? ((prices[resource] ?? 0) > 0 ? undefined : rule.daily);
}

function exceededOf(
  resource: UsageResource,
  reason: ExceededQuota['reason'],
  used: number,
  limit: number,
  resetsAtMs: number,
): ExceededQuota {
  const { title } = RESOURCE_TERMS[resource];
  return {
    resource,
    title,
    reason,
    used,
    limit,
    usedText: formatAmount(resource, used),
    limitText: formatAmount(resource, limit),
    resetsAtMs,
  };
}

function overBudget(resource: UsageResource, chargedMicros: number, dailyBudgetMicros: number, resetsAtMs: number): ExceededQuota {
  return {
    ...{ resource, title: `${RESOURCE_TERMS[resource].title}, daily budget`, reason: 'budget', resetsAtMs },
    ...{ used: chargedMicros, limit: dailyBudgetMicros },
    ...{ usedText: formatMoney(chargedMicros), limitText: formatMoney(dailyBudgetMicros) },
  };
}
