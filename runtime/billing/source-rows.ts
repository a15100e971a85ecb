// The rows of one source: one open row an app, closed rows until they are settled. Plain state: who calls says what time it is.
import { type UsageAmounts } from '../../sdk/contract/usage.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type AmountTable, beyond, count, isNothing } from './usage-amounts.ts';
import { type SettledRow, type UsageRow } from './usage-row.ts';

export interface Moment {
  /** Wall clock. */
  readonly nowMs: number;
  readonly monotonicMs: number;
}

interface OwnRow {
  readonly sequence: number;
  readonly appId: string;
  readonly fromMs: number;
  readonly openedMs: number;
  lastMs: number;
  readonly amounts: AmountTable;
  isClosed: boolean;
  /** Whether it holds something that was not reported. */
  isNew: boolean;
}

export class SourceRows {
  /** By app. */
  readonly #open = new Map<string, OwnRow>();
  /** All that are not settled, by sequence, oldest first. */
  readonly #rows = new Map<number, OwnRow>();
  #sequence = 0;
  #newCount = 0;
  #dayEndsAtMs = Infinity;

  get hasNews(): boolean {
    return this.#newCount > 0;
  }

  /** Rows that are not settled. */
  get size(): number {
    return this.#rows.size;
  }

  add(appId: string, amounts: UsageAmounts, moment: Moment): void {
    if (moment.nowMs >= this.#dayEndsAtMs) this.#endDay();
    const row = this.#open.get(appId) ?? this.#openRow(appId, moment);
    count(row.amounts, amounts);
    row.lastMs = moment.monotonicMs;
    if (row.isNew) return;
    row.isNew = true;
    this.#newCount++;
  }

  /**
   * Closes what has been open for long enough. While too many wait to be settled rows stay open instead and go on: then
   * memory stays bounded and nothing is lost, though a row may be longer.
   */
  roll({ nowMs, monotonicMs }: Moment): void {
    if (nowMs >= this.#dayEndsAtMs) this.#endDay();
    for (const row of [...this.#open.values()]) {
      if (monotonicMs - row.openedMs >= LIMITS.usageRowMs && this.#rows.size < LIMITS.usageRowsUnsettledMax) this.#closeRow(row);
    }
  }

  closeAll(): void {
    for (const row of [...this.#open.values()]) this.#closeRow(row);
  }

  /** Told by whoever keeps the quota clock. */
  endDayAt(dayEndsAtMs: number): void {
    this.#dayEndsAtMs = dayEndsAtMs;
  }

  /** What is new, oldest first, at most `rowsMax` rows; it counts as reported. */
  take(rowsMax: number): readonly UsageRow[] {
    const taken: UsageRow[] = [];
    for (const row of this.#rows.values()) {
      if (!row.isNew) continue;
      if (taken.length >= rowsMax) break;
      row.isNew = false;
      this.#newCount--;
      const toMs = row.fromMs + Math.max(0, Math.round(row.lastMs - row.openedMs));
      taken.push({
        sequence: row.sequence,
        appId: row.appId,
        fromMs: row.fromMs,
        toMs,
        amounts: { ...row.amounts },
        isClosed: row.isClosed,
      });
    }
    return taken;
  }

  /** What was taken did not arrive. */
  putBack(rows: readonly UsageRow[]): void {
    for (const { sequence } of rows) {
      const row = this.#rows.get(sequence);
      if (row && !row.isNew) {
        row.isNew = true;
        this.#newCount++;
      }
    }
  }

  /** Whoever took the reports has forgotten them. */
  putBackAll(): void {
    for (const row of this.#rows.values()) row.isNew = true;
    this.#newCount = this.#rows.size;
  }

  /** These rows are on disk; what was counted beyond them goes into a new row. */
  settle(settled: readonly SettledRow[], moment: Moment): void {
    for (const { sequence, amounts } of settled) {
      const row = this.#rows.get(sequence);
      if (!row) continue;
      this.#rows.delete(sequence);
      if (row.isNew) this.#newCount--;
      if (this.#open.get(row.appId) === row) this.#open.delete(row.appId);
      const rest = beyond(row.amounts, amounts);
      if (!isNothing(rest)) this.add(row.appId, rest, moment);
    }
  }

  #openRow(appId: string, { nowMs, monotonicMs }: Moment): OwnRow {
    const sequence = ++this.#sequence;
    const row = { sequence, appId, fromMs: nowMs, openedMs: monotonicMs, lastMs: monotonicMs, amounts: {}, isClosed: false, isNew: false };
    this.#open.set(appId, row);
    this.#rows.set(sequence, row);
    return row;
  }

  #closeRow(row: OwnRow): void {
    this.#open.delete(row.appId);
    row.isClosed = true;
    if (row.isNew) return;
    row.isNew = true;
    this.#newCount++;
  }

  /** The next day's end is told with the next report; until then rows are short enough to be of one day, or nearly. */
  #endDay(): void {
    this.#dayEndsAtMs = Infinity;
    this.closeAll();
  }
}
