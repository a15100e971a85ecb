// Usage on the wire between roles: service `usage` of the control role.
//
//   report       from a source, one after the other: its rows that are new, and what its charts are drawn from
//   watchQuotas  streams who is over which quota: the whole truth first, and again at each change
//
// A report repeats until it is answered, with the same number; so the answer to a number may be computed twice, but rows
// are whole states and the charts' part is taken once. Reports with a lower number than one that was taken are too late.
import { z } from 'zod';
import { type ExceededQuota } from '../../router/ports.ts';
import { USAGE_RESOURCES, type UsageAmounts } from '../../sdk/contract/usage.ts';
import { type SettledRow, type UsageRow } from './usage-row.ts';

export const USAGE_SERVICE = 'usage';

/** What a source saw of an app since its last report that only charts need: not billed, not kept on disk. */
export interface AppObservations {
  readonly appId: string;
  readonly requests: number;
  readonly clientErrors: number;
  readonly serverErrors: number;
  readonly coldStarts: number;
  /** Requests by bucket of latency-histogram.ts, as pairs. */
  readonly latencies: readonly (readonly [bucket: number, count: number])[];
  /** The most there were at once. */
  readonly instances: number;
  readonly memoryBytes: number;
}

export interface UsageReport {
  readonly source: string;
  readonly number: number;
  readonly rows: readonly UsageRow[];
  readonly observations: readonly AppObservations[];
}

export interface UsageReply {
  /** Names the process that answers: another one than before knows nothing of earlier reports. */
  readonly boot: string;
  readonly dayEndsAtMs: number;
  readonly settled: readonly SettledRow[];
}

export interface AppQuotaState {
  readonly appId: string;
  readonly exceeded: readonly ExceededQuota[];
}

const count = z.number().nonnegative();
const whole = z.int().nonnegative();
const resource = z.enum(USAGE_RESOURCES);
const amounts = z.partialRecord(resource, whole) as z.ZodType<UsageAmounts>;

export const usageReport: z.ZodType<UsageReport> = z.strictObject({
  source: z.string().regex(/^[a-z]+-[0-9a-f]{16}$/),
  number: whole,
  rows: z.array(z.strictObject({ sequence: whole, appId: z.string(), fromMs: count, toMs: count, amounts, isClosed: z.boolean() })),
  observations: z.array(
    z.strictObject({
      appId: z.string(),
      requests: whole,
      clientErrors: whole,
      serverErrors: whole,
      coldStarts: whole,
      latencies: z.array(z.tuple([whole, whole])),
      instances: whole,
      memoryBytes: count,
    }),
  ),
});

export const usageReply: z.ZodType<UsageReply> = z.object({
  boot: z.string(),
  dayEndsAtMs: z.number(),
  settled: z.array(z.object({ sequence: whole, amounts })),
});

const exceededQuota: z.ZodType<ExceededQuota> = z.object({
  resource,
  title: z.string(),
  reason: z.enum(['free', 'limit', 'budget', 'minute']),
  used: z.number(),
  limit: z.number(),
  usedText: z.string(),
  limitText: z.string(),
  resetsAtMs: z.number(),
});

export const quotaStates: z.ZodType<{ readonly apps: readonly AppQuotaState[] }> = z.object({
  apps: z.array(z.object({ appId: z.string(), exceeded: z.array(exceededQuota) })),
});
