import { type UsageRowView } from '../../sdk/contract/admin/usage.ts';
import { sumOf } from './usage-amounts.ts';
import { type SettledRow, type SourcedRow } from './usage-row.ts';
import { type BillingRecord, type DayTerms, type Persisted, type StoredDay, type UsageStore } from './usage-store.ts';

/** Twin of the port. Tests make it fail before or after a write has happened. */
export class MemoryUsageStore implements UsageStore {
  readonly rows = new Map<string, SourcedRow>();
  readonly #days = new Map<string, StoredDay>();
  readonly #billings = new Map<string, BillingRecord>();
  /** Asked at each write; what it throws, the caller sees. */
  onWrite: (when: 'before' | 'after') => void = () => undefined;

  load(day: string): Promise<{ readonly billings: readonly BillingRecord[]; readonly days: readonly StoredDay[] }> {
    return Promise.resolve({ billings: [...this.#billings.values()], days: [...this.#days.values()].filter((one) => one.day === day) });
  }

  persist(rows: readonly SourcedRow[], termsOf: (appId: string, day: string) => DayTerms): Promise<Persisted> {
    return this.#write(() => {
      const stored = rows.map((row) => {
        const key = `${row.source}/${row.sequence}`;
        const known = this.rows.get(key);
        if (known) return known.amounts;
        this.rows.set(key, structuredClone(row));
        const { appId, day } = row;
        this.#putDay(appId, day, termsOf(appId, day), row.amounts);
        return row.amounts;
      });
      const days = new Set(rows.map(({ appId, day }) => `${appId}/${day}`));
      return { rows: stored, days: [...this.#days.values()].filter(({ appId, day }) => days.has(`${appId}/${day}`)) };
    });
  }

  settledOf(source: string, sequences: readonly number[]): Promise<readonly SettledRow[]> {
    const found = sequences.map((sequence) => this.rows.get(`${source}/${sequence}`)).filter((row) => row !== undefined);
    return Promise.resolve(found.map(({ sequence, amounts }) => ({ sequence, amounts })));
  }

  rowsOf(appId: string, day: string): Promise<readonly UsageRowView[]> {
    const rows = [...this.rows.values()].filter((row) => row.appId === appId && row.day === day);
    const views = rows.map(({ source, sequence, fromMs, toMs, amounts }) => ({ source, sequence, fromMs, toMs, amounts }));
    return Promise.resolve(views.sort((one, other) => one.fromMs - other.fromMs || one.sequence - other.sequence));
  }

  daysOf(appId: string, days: readonly string[]): Promise<readonly StoredDay[]> {
    return Promise.resolve([...this.#days.values()].filter((one) => one.appId === appId && days.includes(one.day)));
  }

  putBilling(record: BillingRecord, day: string, terms: DayTerms): Promise<void> {
    return this.#write(() => {
      this.#billings.set(record.appId, record);
      this.#putDay(record.appId, day, terms, {});
    });
  }

  removeRowsBefore(day: string, count: number): Promise<number> {
    return this.#write(() => {
      const old = [...this.rows].filter(([, row]) => row.day < day).slice(0, count);
      for (const [key] of old) this.rows.delete(key);
      return old.length;
    });
  }

  #putDay(appId: string, day: string, terms: DayTerms, more: SourcedRow['amounts']): void {
    const before = this.#days.get(`${appId}/${day}`);
    const isBilled = terms.isBilled || (before?.terms.isBilled ?? false);
    this.#days.set(`${appId}/${day}`, { appId, day, terms: { ...terms, isBilled }, amounts: sumOf([before?.amounts ?? {}, more]) });
  }

  async #write<T>(write: () => T): Promise<T> {
    await Promise.resolve();
    this.onWrite('before');
    const result = write();
    this.onWrite('after');
    return result;
  }
}
