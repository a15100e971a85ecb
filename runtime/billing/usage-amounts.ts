// Arithmetic on usage amounts. What an app used: counted by the roles, kept as rows, limited by quotas, charged by prices.
// This folder must not serve requests or start anything: roles hand it what they see and ask it what is allowed.
// Read next: batching-usage-meter.ts (a source), usage-ledger.ts (where it all comes together), ../../docs/billing.md.
import { USAGE_RESOURCES, type UsageAmounts, type UsageResource } from '../../sdk/contract/usage.ts';

export type AmountTable = Partial<Record<UsageResource, number>>;

/** Adds `more` to `table` in place. */
export function addTo(table: AmountTable, more: UsageAmounts): void {
  for (const resource in more) {
    const name = resource as UsageResource;
    table[name] = (table[name] ?? 0) + (more[name] ?? 0);
  }
}

export function sumOf(all: Iterable<UsageAmounts>): AmountTable {
  const sum: AmountTable = {};
  for (const amounts of all) addTo(sum, amounts);
  return sum;
}

/** A source's own sums: whole numbers whatever it is given, since one wrong amount must not keep all others from being reported. */
export function count(table: AmountTable, more: UsageAmounts): void {
  for (const resource in more) {
    const name = resource as UsageResource;
    const amount = more[name] ?? 0;
    if (amount > 0) table[name] = (table[name] ?? 0) + Math.ceil(amount);
  }
}

/** The greater of each: two states of one row whose amounts only grow, in either order. */
export function greaterOf(one: UsageAmounts, other: UsageAmounts): AmountTable {
  const greater: AmountTable = { ...one };
  for (const resource of resourcesOf(other)) greater[resource] = Math.max(greater[resource] ?? 0, other[resource] ?? 0);
  return greater;
}

/** What `whole` has beyond `part`; nothing is below zero, and what is zero is left out. */
export function beyond(whole: UsageAmounts, part: UsageAmounts): AmountTable {
  const rest: AmountTable = {};
  for (const resource of resourcesOf(whole)) {
    const left = (whole[resource] ?? 0) - (part[resource] ?? 0);
    if (left > 0) rest[resource] = left;
  }
  return rest;
}

export function isNothing(amounts: UsageAmounts): boolean {
  return USAGE_RESOURCES.every((resource) => (amounts[resource] ?? 0) === 0);
}

export function resourcesOf(amounts: UsageAmounts): readonly UsageResource[] {
  return USAGE_RESOURCES.filter((resource) => amounts[resource] !== undefined);
}
