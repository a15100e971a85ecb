// Usage as entities of the system app: UsageRow (append-only), UsageDay (sums, written with the rows), Billing.
//
//   UsageRow "SOURCE/SEQUENCE"   app, appDay*, day*, source, sequence, fromMs, toMs, one property per amount
//   UsageDay "APP/DAY"           app, day*, terms (JSON), one property per amount
//   Billing  "APP"               app, isEnabled, dailyBudgetMicros                                       (* indexed)
import { z } from 'zod';
import { type UsageRowView } from '../../sdk/contract/admin/usage.ts';
import { USAGE_RESOURCES, type UsageAmounts } from '../../sdk/contract/usage.ts';
import { type Datastore } from '../../sdk/client/datastore.ts';
import { type AppEntity, type DatastoreKey } from '../../sdk/client/natural-value.ts';
import { type AmountTable, sumOf } from './usage-amounts.ts';
import { type SettledRow, type SourcedRow } from './usage-row.ts';
import { type BillingRecord, type DayTerms, type Persisted, type StoredDay, type UsageStore } from './usage-store.ts';

const ROW = 'UsageRow';
const DAY = 'UsageDay';
const BILLING = 'Billing';
/** Two accounts in one transaction cannot get in each other's way for long: this process is the only writer. */
const ATTEMPTS = 10;

const amounts = z.partialRecord(z.enum(USAGE_RESOURCES), z.number()) as z.ZodType<UsageAmounts>;
const dayTerms: z.ZodType<DayTerms> = z.object({ isBilled: z.boolean(), free: amounts, prices: amounts });
const rowProperties = z.object({ source: z.string(), sequence: z.number(), fromMs: z.number(), toMs: z.number() });
const billingProperties: z.ZodType<BillingRecord> = z
  .object({ app: z.string(), isEnabled: z.boolean(), dailyBudgetMicros: z.number() })
  .transform(({ app, ...rest }) => ({ appId: app, ...rest }));
const dayProperties = z.object({ app: z.string(), day: z.string(), terms: z.string() });

export class DatastoreUsageStore implements UsageStore {
  readonly #datastore: Datastore;

  /** `datastore` is that of the system app. */
  constructor(datastore: Datastore) {
    this.#datastore = datastore;
  }

  async load(day: string): Promise<{ readonly billings: readonly BillingRecord[]; readonly days: readonly StoredDay[] }> {
    const billings = await this.#datastore.gql(`SELECT * FROM ${BILLING}`);
    const days = await this.#datastore.gql(`SELECT * FROM ${DAY} WHERE day = @day`, { day });
    return { billings: billings.entities.map(({ properties }) => billingProperties.parse(properties)), days: days.entities.map(dayOf) };
  }

  persist(rows: readonly SourcedRow[], termsOf: (appId: string, day: string) => DayTerms): Promise<Persisted> {
    return this.#datastore.transaction(
      async (transaction) => {
        const known = await transaction.getMany(rows.map(({ source, sequence }) => this.#rowKey(source, sequence)));
        const added = rows.filter((_, index) => known[index] === undefined);
        const accounts = [...new Map(rows.map(({ appId, day }) => [`${appId}/${day}`, { appId, day }])).values()];
        const stored = await transaction.getMany(accounts.map(({ appId, day }) => this.#dayKey(appId, day)));
        const days = accounts.map(({ appId, day }, index) => {
          const before = stored[index] && dayOf(stored[index]);
          const mine = added.filter((one) => one.appId === appId && one.day === day);
          const now = termsOf(appId, day);
          const terms = { ...now, isBilled: now.isBilled || (before?.terms.isBilled ?? false) };
          return { appId, day, terms, amounts: sumOf([before?.amounts ?? {}, ...mine.map((one) => one.amounts)]) };
        });
        for (const row of added) transaction.insert(this.#rowEntity(row));
        for (const day of days) transaction.put(this.#dayEntity(day));
        return { rows: rows.map((row, index) => (known[index] ? amountsOf(known[index]) : row.amounts)), days };
      },
      { attempts: ATTEMPTS },
    );
  }

  async settledOf(source: string, sequences: readonly number[]): Promise<readonly SettledRow[]> {
    const found = await this.#datastore.getMany(sequences.map((sequence) => this.#rowKey(source, sequence)));
    return sequences.flatMap((sequence, index) => (found[index] ? [{ sequence, amounts: amountsOf(found[index]) }] : []));
  }

  async rowsOf(appId: string, day: string): Promise<readonly UsageRowView[]> {
    const { entities } = await this.#datastore.gql(`SELECT * FROM ${ROW} WHERE appDay = @appDay`, { appDay: `${appId}/${day}` });
    const rows = entities.map((entity) => ({ ...rowProperties.parse(entity.properties), amounts: amountsOf(entity) }));
    return rows.sort((one, other) => one.fromMs - other.fromMs || one.sequence - other.sequence);
  }

  async daysOf(appId: string, days: readonly string[]): Promise<readonly StoredDay[]> {
    const found = await this.#datastore.getMany(days.map((day) => this.#dayKey(appId, day)));
    return found.flatMap((entity) => (entity ? [dayOf(entity)] : []));
  }

  async putBilling({ appId, isEnabled, dailyBudgetMicros }: BillingRecord, day: string, terms: DayTerms): Promise<void> {
    await this.#datastore.transaction(
      async (transaction) => {
        const stored = await transaction.get(this.#dayKey(appId, day));
        const before = stored && dayOf(stored);
        const isBilled = terms.isBilled || (before?.terms.isBilled ?? false);
        transaction.put(this.#dayEntity({ appId, day, amounts: before?.amounts ?? {}, terms: { ...terms, isBilled } }));
        const properties = { app: appId, isEnabled, dailyBudgetMicros };
        transaction.put({ key: this.#datastore.key(BILLING, appId), properties, unindexed: Object.keys(properties) });
      },
      { attempts: ATTEMPTS },
    );
  }

  async removeRowsBefore(day: string, count: number): Promise<number> {
    const { entities } = await this.#datastore.gql(`SELECT __key__ FROM ${ROW} WHERE day < @day ORDER BY day LIMIT @count`, { day, count });
    if (entities.length === 0) return 0;
    await this.#datastore.transaction((transaction) => {
      for (const { key } of entities) transaction.delete(key);
    });
    return entities.length;
  }

  #rowEntity({ appId, day, source, sequence, fromMs, toMs, amounts: used }: SourcedRow): AppEntity {
    const unindexed = { app: appId, source, sequence, fromMs, toMs, ...used };
    return {
      key: this.#rowKey(source, sequence),
      properties: { ...unindexed, day, appDay: `${appId}/${day}` },
      unindexed: Object.keys(unindexed),
    };
  }

  #dayEntity({ appId, day, amounts: used, terms }: StoredDay): AppEntity {
    const unindexed = { app: appId, terms: JSON.stringify(terms), ...used };
    return { key: this.#dayKey(appId, day), properties: { ...unindexed, day }, unindexed: Object.keys(unindexed) };
  }

  #rowKey(source: string, sequence: number): DatastoreKey {
    return this.#datastore.key(ROW, `${source}/${sequence}`);
  }

  #dayKey(appId: string, day: string): DatastoreKey {
    return this.#datastore.key(DAY, `${appId}/${day}`);
  }
}

function dayOf(entity: AppEntity): StoredDay {
  const { app, day, terms } = dayProperties.parse(entity.properties);
  return { appId: app, day, amounts: amountsOf(entity), terms: dayTerms.parse(JSON.parse(terms)) };
}

function amountsOf({ properties }: AppEntity): UsageAmounts {
  const table: AmountTable = {};
  for (const resource of USAGE_RESOURCES) {
    const amount = properties[resource];
    if (amount !== undefined) table[resource] = Number(amount);
  }
  return table;
}
