// What every store of usage does: in memory, and as entities of a datastore.
import { afterEach, describe, expect, test } from 'vitest';
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { Datastore as DatastoreServer } from '../../datastore/datastore.ts';
import { MemoryStore } from '../../datastore/storage/memory-store.ts';
import { datastoreRpcOf } from '../../runtime/api/datastore-rpc.ts';
import { DatastoreUsageStore } from '../../runtime/billing/datastore-usage-store.ts';
import { MemoryUsageStore } from '../../runtime/billing/memory-usage-store.ts';
import { type SourcedRow } from '../../runtime/billing/usage-row.ts';
import { type DayTerms, type UsageStore } from '../../runtime/billing/usage-store.ts';
import { SYSTEM_APP_ID } from '../../runtime/control/datastore-control-store.ts';
import { Datastore } from '../../sdk/client/datastore.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';

const DAY = '2026-11-26';
const TERMS: DayTerms = { isBilled: false, free: { requests: 10 }, prices: { requests: 3 } };
const termsOf = (): DayTerms => TERMS;

function row(sequence: number, more: Partial<SourcedRow> = {}): SourcedRow {
  return {
    ...{ source: 'router-00', sequence, appId: 'shop', day: DAY, fromMs: sequence * 1_000, toMs: sequence * 1_000 + 500 },
    ...{ amounts: { requests: sequence, outgoingBytes: 9_000_000_000_000 }, isClosed: true },
    ...more,
  };
}

let close: () => Promise<void> = () => Promise.resolve();
afterEach(() => close());

async function datastoreUsageStore(): Promise<UsageStore> {
  const server = new DatastoreServer(new MemoryStore(), systemClock, systemTimers, systemRandom, new MemoryLog());
  await server.start();
  close = () => server.close();
  const rpc = new InProcessRpc([datastoreAdminService(server)], systemTimers);
  return new DatastoreUsageStore(new Datastore(datastoreRpcOf(rpc, SYSTEM_APP_ID), systemTimers, systemRandom));
}

describe.each<[string, () => Promise<UsageStore>]>([
  ['memory', () => Promise.resolve(new MemoryUsageStore())],
  ['datastore', datastoreUsageStore],
])('the usage store in %s', (_name, open) => {
  test('is empty at first', async () => {
    const store = await open();
    expect(await store.load(DAY)).toEqual({ billings: [], days: [] });
    expect(await store.rowsOf('shop', DAY)).toEqual([]);
    expect(await store.daysOf('shop', [DAY])).toEqual([]);
    expect(await store.settledOf('router-00', [1])).toEqual([]);
    expect(await store.removeRowsBefore(DAY, 10)).toBe(0);
  });

  test('appends rows, adds them up by app and day, and gives them back in order of time', async () => {
    const store = await open();
    const other = row(3, { appId: 'blog' });
    const nextDay = row(4, { day: '2026-11-27' });
    const { rows, days } = await store.persist([row(2), row(1), other, nextDay], termsOf);
    expect(rows).toEqual([row(2), row(1), other, nextDay].map(({ amounts }) => amounts));
    expect(days).toHaveLength(3);
    const { source, sequence, fromMs, toMs, amounts } = row(1);
    expect(await store.rowsOf('shop', DAY)).toEqual([
      { source, sequence, fromMs, toMs, amounts },
      { source, sequence: 2, fromMs: 2_000, toMs: 2_500, amounts: row(2).amounts },
    ]);
    expect(await store.daysOf('shop', ['2026-11-27', DAY, '2026-11-25'])).toHaveLength(2);
    expect((await store.daysOf('shop', [DAY]))[0]).toEqual({
      ...{ appId: 'shop', day: DAY, terms: TERMS },
      amounts: { requests: 3, outgoingBytes: 18_000_000_000_000 },
    });
    expect((await store.load(DAY)).days.map(({ appId }) => appId).sort()).toEqual(['blog', 'shop']);
  });

  test('takes no row twice, and says what is on disk of it', async () => {
    const store = await open();
    await store.persist([row(5)], termsOf);
    const later = row(5, { amounts: { requests: 50 } });
    const again = await store.persist([later, row(6)], termsOf);
    expect(again.rows).toEqual([row(5).amounts, row(6).amounts]);
    expect((await store.daysOf('shop', [DAY]))[0]?.amounts.requests).toBe(11);
    expect(await store.settledOf('router-00', [6, 7, 5])).toEqual([
      { sequence: 6, amounts: row(6).amounts },
      { sequence: 5, amounts: row(5).amounts },
    ]);
    expect(await store.settledOf('router-01', [5])).toEqual([]);
  });

  test('takes as many rows at once as the ledger gives it, of as many apps', async () => {
    const store = await open();
    const rows = Array.from({ length: LIMITS.usagePersistRowsMax }, (_, index) => row(index + 1, { appId: `app-${index}` }));
    await store.persist(rows, termsOf);
    expect((await store.load(DAY)).days).toHaveLength(rows.length);
  });

  test('adds up what is persisted at the same time', async () => {
    const store = await open();
    await Promise.all(Array.from({ length: 8 }, (_, index) => store.persist([row(index + 1)], termsOf)));
    expect((await store.daysOf('shop', [DAY]))[0]?.amounts.requests).toBe(36);
  });

  test('keeps billing, and that a day was billed', async () => {
    const store = await open();
    await store.putBilling({ appId: 'shop', isEnabled: true, dailyBudgetMicros: 5 }, DAY, { ...TERMS, isBilled: true });
    await store.putBilling({ appId: 'shop', isEnabled: false, dailyBudgetMicros: 7 }, DAY, TERMS);
    await store.persist([row(1)], termsOf);
    const { billings, days } = await store.load(DAY);
    expect(billings).toEqual([{ appId: 'shop', isEnabled: false, dailyBudgetMicros: 7 }]);
    expect(days[0]).toMatchObject({ terms: { isBilled: true }, amounts: { requests: 1 } });
  });

  test('removes old rows in steps, and keeps the sums of their days', async () => {
    const store = await open();
    await store.persist([row(1, { day: '2026-09-01' }), row(2, { day: '2026-09-02' }), row(3)], termsOf);
    expect(await store.removeRowsBefore(DAY, 1)).toBe(1);
    expect(await store.removeRowsBefore(DAY, 10)).toBe(1);
    expect(await store.removeRowsBefore(DAY, 10)).toBe(0);
    expect(await store.rowsOf('shop', '2026-09-01')).toEqual([]);
    expect(await store.rowsOf('shop', DAY)).toHaveLength(1);
    expect((await store.daysOf('shop', ['2026-09-01']))[0]?.amounts.requests).toBe(1);
  });
});
