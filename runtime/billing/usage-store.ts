// Where usage and billing are kept: port of the ledger. Adapters: datastore-usage-store.ts, memory-usage-store.ts.
import { type UsageRowView } from '../../sdk/contract/admin/usage.ts';
import { type UsageAmounts } from '../../sdk/contract/usage.ts';
import { type SettledRow, type SourcedRow } from './usage-row.ts';

/** How a day is charged. Kept with the day, so that a later change of prices changes no past invoice. */
export interface DayTerms {
  /** Whether billing was enabled at any time of the day. */
  readonly isBilled: boolean;
  readonly free: UsageAmounts;
  /** Micro-dollars per unit of resource-terms.ts. */
  readonly prices: UsageAmounts;
}

export interface StoredDay {
  readonly appId: string;
  readonly day: string;
  /** The sum of the day's rows that are persisted. */
  readonly amounts: UsageAmounts;
  readonly terms: DayTerms;
}

export interface BillingRecord {
  readonly appId: string;
  readonly isEnabled: boolean;
  readonly dailyBudgetMicros: number;
}

export interface Persisted {
  /** What is on disk of each row that was given, in their order. */
  readonly rows: readonly UsageAmounts[];
  /** The days that they belong to, afterwards. */
  readonly days: readonly StoredDay[];
}

export interface UsageStore {
  /** Every app's billing, and every app's account of one day. */
  load(day: string): Promise<{ readonly billings: readonly BillingRecord[]; readonly days: readonly StoredDay[] }>;
  /**
   * Appends rows and adds them to their days, all or none. A row that is there already is neither written nor added again,
   * so a call whose outcome is unknown may be repeated. `termsOf` says how a day
   * is charged that has no account yet, or is not over; a day that was billed once stays so.
   */
  persist(rows: readonly SourcedRow[], termsOf: (appId: string, day: string) => DayTerms): Promise<Persisted>;
  /** Those of the source's rows that are there. */
  settledOf(source: string, sequences: readonly number[]): Promise<readonly SettledRow[]>;
  /** By the time of their opening. */
  rowsOf(appId: string, day: string): Promise<readonly UsageRowView[]>;
  /** Those of the days that have an account. */
  daysOf(appId: string, days: readonly string[]): Promise<readonly StoredDay[]>;
  /** Writes the record, and with it how `day` is charged. */
  putBilling(record: BillingRecord, day: string, terms: DayTerms): Promise<void>;
  /** Removes up to `count` rows of days before `day`, which keep their totals; returns how many it removed. */
  removeRowsBefore(day: string, count: number): Promise<number>;
}
