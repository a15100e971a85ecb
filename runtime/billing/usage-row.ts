// A usage row: what one source counted of one app in at most a minute. The grain of every charge.
//
// States: open → closed → persisted. While open its amounts grow; closed they stand; persisted they are append-only.
// A row belongs wholly to the day in which it was opened.
import { type UsageAmounts } from '../../sdk/contract/usage.ts';

/** A row as its source reports it: the whole row each time, never a difference. */
export interface UsageRow {
  /** Unique within the source, rising. */
  readonly sequence: number;
  readonly appId: string;
  /** Wall clock at its opening. */
  readonly fromMs: number;
  /** `fromMs` and the time that passed since, by the monotonic clock. */
  readonly toMs: number;
  readonly amounts: UsageAmounts;
  readonly isClosed: boolean;
}

/** What is on disk of a row; the source takes what it counted beyond `amounts` into a new row. */
export interface SettledRow {
  readonly sequence: number;
  readonly amounts: UsageAmounts;
}

/** A row of a source, to be kept. `source` is a role and the boot of its process: router-5f0c…. */
export interface SourcedRow extends UsageRow {
  readonly source: string;
  readonly day: string;
}
