// What an app used, what it may use, what it costs, and its charts.
//
//   GET  /apps/A/metrics?minutes=M           → MetricsView          (M ≤ 1440)
//   GET  /apps/A/quotas                      → QuotasView
//   GET  /apps/A/usage?days=N                → UsageView            (N ≤ 62)
//   GET  /apps/A/billing                     → BillingView
//   PUT  /apps/A/billing    BillingChange    → BillingView
//   GET  /apps/A/invoice?day=YYYY-MM-DD      → InvoiceView
//
// Money is whole micro-dollars: 1,000,000 are one US dollar. Days are those of the quota clock, named by their date.
import { type UsageAmounts, type UsageResource } from '../usage.ts';

export interface MetricsView {
  /** Length of one point's interval. */
  readonly stepMs: number;
  /** Oldest first, without holes; the last one is still open. */
  readonly points: readonly MetricsPoint[];
}

export interface MetricsPoint {
  readonly atMs: number;
  readonly requests: number;
  /** Answered with 4xx, and with 5xx. */
  readonly clientErrors: number;
  readonly serverErrors: number;
  /** Milliseconds; absent without requests. */
  readonly latencyP50Ms?: number;
  readonly latencyP99Ms?: number;
  readonly coldStarts: number;
  readonly cpuMegacycles: number;
  readonly incomingBytes: number;
  readonly outgoingBytes: number;
  /** The most there were. */
  readonly instances: number;
  readonly memoryBytes: number;
}

export interface QuotaView {
  readonly resource: UsageResource;
  /** For people: "CPU time". */
  readonly title: string;
  readonly used: number;
  /** Free of charge each day. */
  readonly free: number;
  /** Where it stops: `free` without billing; absent when only the budget ends it. */
  readonly limit?: number;
  readonly isExceeded: boolean;
}

export interface QuotasView {
  readonly day: string;
  readonly resetsAtMs: number;
  readonly quotas: readonly QuotaView[];
}

export interface UsageView {
  /** Newest first. */
  readonly days: readonly { readonly day: string; readonly amounts: UsageAmounts; readonly chargeMicros: number }[];
}

export interface BillingView {
  readonly isEnabled: boolean;
  readonly dailyBudgetMicros: number;
  readonly day: string;
  readonly resetsAtMs: number;
  /** Charged so far today. */
  readonly chargedMicros: number;
  readonly prices: readonly {
    readonly resource: UsageResource;
    readonly title: string;
    readonly unit: string;
    readonly microsPerUnit: number;
  }[];
}

export interface BillingChange {
  readonly isEnabled?: boolean;
  readonly dailyBudgetMicros?: number;
}

export interface InvoiceLine {
  readonly resource: UsageResource;
  readonly title: string;
  readonly used: number;
  readonly free: number;
  readonly billed: number;
  readonly unit: string;
  readonly microsPerUnit: number;
  readonly amountMicros: number;
}

/** A usage row: what one source counted, once. */
export interface UsageRowView {
  readonly source: string;
  readonly sequence: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly amounts: UsageAmounts;
}

export interface InvoiceView {
  readonly appId: string;
  readonly day: string;
  readonly lines: readonly InvoiceLine[];
  readonly totalMicros: number;
  /** What the lines add up, in the order in which it came. */
  readonly rows: readonly UsageRowView[];
}
