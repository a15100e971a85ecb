// What whoever serves an app tells about what the app used, and asks before it serves. Adapters: ../billing/.
import { type UsageAmounts, type UsageResource } from '../../sdk/contract/usage.ts';

/** Takes amounts and never blocks or throws: they leave this process later, in batches. */
export interface UsageMeter {
  add(appId: string, amounts: UsageAmounts): void;
}

export interface QuotaGate {
  /** Throws QUOTA_EXCEEDED, naming the quota and when it resets, when the app has none left of `resource`. */
  check(appId: string, resource: UsageResource): void;
}

/** Twin of the port: remembers totals. */
export class MemoryUsageMeter implements UsageMeter {
  readonly totals = new Map<string, Partial<Record<UsageResource, number>>>();

  add(appId: string, amounts: UsageAmounts): void {
    const total = this.totals.get(appId) ?? {};
    for (const [name, amount] of Object.entries(amounts)) {
      const resource = name as UsageResource;
      total[resource] = (total[resource] ?? 0) + amount;
    }
    this.totals.set(appId, total);
  }
}

/** Lets everything pass. */
export const OPEN_GATE: QuotaGate = { check: () => undefined };
