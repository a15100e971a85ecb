// What whoever serves an app tells about what the app used, and asks before it serves. Adapters: ../billing/.
import { type UsageAmounts, type UsageResource } from '../../sdk/contract/usage.ts';

/** Takes amounts and never blocks or throws: they leave this process later, in batches. */
export interface UsageMeter {
  add(appId: string, amounts: UsageAmounts): void;
}

/** A meter that draws charts as well. */
export interface HostMeter extends UsageMeter {
  /** What runs of an app at this moment. */
  running(appId: string, instances: number, memoryBytes: number): void;
}

export interface QuotaGate {
  /** Throws QUOTA_EXCEEDED, naming the quota and when it resets, when the app has none left of `resource`. */
  check(appId: string, resource: UsageResource): void;
}

/** Twin of the port: remembers totals. */
export class MemoryUsageMeter implements HostMeter {
  readonly totals = new Map<string, Partial<Record<UsageResource, number>>>();
  readonly instances = new Map<string, number>();

  add(appId: string, amounts: UsageAmounts): void {
    const total = this.totals.get(appId) ?? {};
    for (const [name, amount] of Object.entries(amounts)) {
      const resource = name as UsageResource;
      total[resource] = (total[resource] ?? 0) + amount;
    }
    this.totals.set(appId, total);
  }

  running(appId: string, instances: number): void {
    this.instances.set(appId, instances);
  }
}

/** Lets everything pass. */
export const OPEN_GATE: QuotaGate = { check: () => undefined };
