// What a day costs. Integers only; products may pass 2^53, so they are made of bigints.
import { type InvoiceLine } from '../../sdk/contract/admin/usage.ts';
import { USAGE_RESOURCES, type UsageAmounts, type UsageResource } from '../../sdk/contract/usage.ts';
import { RESOURCE_TERMS } from './resource-terms.ts';
import { type DayTerms } from './usage-store.ts';

/** One line for each resource that was used or has a price, in the order of the resources. */
export function invoiceLines(used: UsageAmounts, { isBilled, free, prices }: DayTerms): readonly InvoiceLine[] {
  return USAGE_RESOURCES.filter((resource) => (used[resource] ?? 0) > 0 || prices[resource] !== undefined).map((resource) => {
    const { title, unit } = RESOURCE_TERMS[resource];
    const amount = used[resource] ?? 0;
    const freeAmount = free[resource] ?? 0;
    const microsPerUnit = prices[resource] ?? 0;
    const billed = isBilled && microsPerUnit > 0 ? Math.max(0, amount - freeAmount) : 0;
    const amountMicros = priceOf(resource, billed, microsPerUnit);
    return { resource, title, used: amount, free: freeAmount, billed, unit, microsPerUnit, amountMicros };
  });
}

/** The sum of the lines, which is what the day costs. */
export function chargeOf(used: UsageAmounts, terms: DayTerms): number {
  return invoiceLines(used, terms).reduce((sum, line) => sum + line.amountMicros, 0);
}

/** Parts of a micro-dollar are not charged. */
function priceOf(resource: UsageResource, amount: number, microsPerUnit: number): number {
  return Number((BigInt(amount) * BigInt(microsPerUnit)) / BigInt(RESOURCE_TERMS[resource].amountPerUnit));
}

const MICROS_PER_DOLLAR = 1_000_000;

/** "$1.25", with more decimals where there is less than a cent to tell. */
export function formatMoney(micros: number): string {
  const text = (micros / MICROS_PER_DOLLAR).toFixed(6);
  return `$${text.replace(/(\.\d{2}\d*?)0+$/, '$1')}`;
}
