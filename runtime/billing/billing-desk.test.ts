import { describe, expect, it } from 'vitest';
import { type InvoiceView } from '../../sdk/contract/admin/usage.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { DeskWorld } from './desk-world.ts';
import { POLICY_DEFAULT, type QuotaPolicy, QUOTAS_DEFAULT } from './quota-policy.ts';
import { sumOf } from './usage-amounts.ts';

const NOON_PACIFIC = Date.UTC(2026, 10, 26, 20);
const DAY = '2026-11-26';
const CPU_HOUR = 4_320_000;
const HOUR_MS = 3_600_000;

function addsUp(invoice: InvoiceView): void {
  const sum = sumOf(invoice.rows.map(({ amounts }) => amounts));
  for (const { resource, used, billed, free } of invoice.lines) {
    expect(used, resource).toBe(sum[resource] ?? 0);
    if (billed > 0) expect(billed).toBe(used - free);
  }
  expect(invoice.totalMicros).toBe(invoice.lines.reduce((total, { amountMicros }) => total + amountMicros, 0));
}

describe('the billing desk', () => {
  it('shows quotas with what was used a moment ago', async () => {
    const { desk, meter, pass } = await world();
    meter.add('shop', { cpuMegacycles: 7 * CPU_HOUR, requests: 5 });
    await pass(500);
    const { day, resetsAtMs, quotas } = await desk.quotas('shop');
    expect([day, resetsAtMs]).toEqual([DAY, Date.UTC(2026, 10, 27, 8)]);
    expect(quotas.find(({ resource }) => resource === 'cpuMegacycles')).toEqual({
      ...{ resource: 'cpuMegacycles', title: 'CPU time', used: 7 * CPU_HOUR },
      ...{ free: 6.5 * CPU_HOUR, limit: 6.5 * CPU_HOUR, isExceeded: true },
    });
    expect(quotas.find(({ resource }) => resource === 'requests')).toMatchObject({ used: 5, isExceeded: false });
    await expect(desk.quotas('no-app')).rejects.toThrow('no such app');
  });

  it('stops an app at its quota, lets it go on once billing is enabled, and stops it at its budget', async () => {
    // No limit on a minute, since time does not pass here.
    const cpuMegacycles = { daily: 6.5 * CPU_HOUR, billedDaily: 100 * CPU_HOUR };
    const { desk, meter, gate, pass } = await world({ quotas: { ...QUOTAS_DEFAULT, cpuMegacycles } });
    meter.add('shop', { cpuMegacycles: 6.5 * CPU_HOUR });
    await pass(500);
    expect(() => gate.admit('shop')).toThrow('6.5 CPU-hours of 6.5 CPU-hours');
    expect(() => gate.admit('blog')).not.toThrow();
    await desk.changeBilling('shop', { isEnabled: true });
    await pass(1);
    expect(() => gate.admit('shop')).not.toThrow();
    meter.add('shop', { cpuMegacycles: 10 * CPU_HOUR });
    await pass(500);
    expect(() => gate.admit('shop')).toThrow('CPU time, daily budget: $1.00 of $1.00');
    await desk.changeBilling('shop', { dailyBudgetMicros: 2_000_000 });
    await pass(1);
    expect(() => gate.admit('shop')).not.toThrow();
    await desk.changeBilling('shop', { isEnabled: false });
    await pass(1);
    expect(() => gate.admit('shop')).toThrow('16.5 CPU-hours of 6.5 CPU-hours');
    // What was used while billing was enabled stays charged.
    expect(await desk.billing('shop')).toMatchObject({
      isEnabled: false,
      dailyBudgetMicros: 2_000_000,
      chargedMicros: 1_000_000,
      day: DAY,
    });
  });

  it('opens again with the new day, and charges each day by itself', async () => {
    const { desk, meter, gate, pass, jump } = await world();
    meter.add('shop', { requests: 1_300_000 });
    await pass(500);
    expect(() => gate.admit('shop')).toThrow('over its quota');
    jump(12 * HOUR_MS);
    await pass(1_000);
    expect(() => gate.admit('shop')).not.toThrow();
    meter.add('shop', { requests: 2 });
    await pass(500);
    const { days } = await desk.usage('shop', { days: 3 });
    expect(days.map(({ day, amounts }) => [day, amounts.requests ?? 0])).toEqual([
      ['2026-11-27', 2],
      [DAY, 1_300_000],
      ['2026-11-25', 0],
    ]);
  });

  it('limits a minute by itself', async () => {
    const { meter, gate, pass } = await world();
    meter.add('shop', { mailCalls: 32 });
    await pass(500);
    expect(() => gate.check('shop', 'mailCalls')).toThrow('32 calls of 32 calls');
    await pass(60_000);
    expect(() => gate.check('shop', 'mailCalls')).not.toThrow();
    meter.add('shop', { mailCalls: 31 });
    await pass(500);
    expect(() => gate.check('shop', 'mailCalls')).not.toThrow();
  });

  it('writes an invoice that adds up its rows, while the day goes on and after it', async () => {
    const { desk, meter, pass, jump } = await world();
    await desk.changeBilling('shop', { isEnabled: true, dailyBudgetMicros: 50_000_000 });
    for (let minute = 0; minute < 5; minute++) {
      meter.add('shop', { cpuMegacycles: 3 * CPU_HOUR + minute, outgoingBytes: 700_000_001, requests: 3 });
      await pass(70_000);
    }
    meter.add('shop', { cpuMegacycles: 1 });
    await pass(500);
    const now = await desk.invoice('shop', undefined);
    addsUp(now);
    expect(now.rows.length).toBeGreaterThan(5);
    expect(now.lines.find(({ resource }) => resource === 'cpuMegacycles')).toMatchObject({
      ...{ used: 15 * CPU_HOUR + 11, free: 6.5 * CPU_HOUR, billed: 8.5 * CPU_HOUR + 11, unit: 'CPU-hour' },
      ...{ microsPerUnit: 100_000, amountMicros: 850_000 },
    });
    expect((await desk.billing('shop')).chargedMicros).toBe(now.totalMicros);
    jump(13 * HOUR_MS);
    await pass(120_000);
    const past = await desk.invoice('shop', DAY);
    addsUp(past);
    expect(past.lines).toEqual(now.lines);
    expect((await desk.invoice('shop', '2026-11-20')).rows).toEqual([]);
    await expect(desk.invoice('shop', '2027-01-01')).rejects.toThrow('has not begun');
  });

  it('charges a past day by the prices that it had', async () => {
    const { desk, meter, pass, store } = await world();
    await desk.changeBilling('shop', { isEnabled: true, dailyBudgetMicros: 50_000_000 });
    meter.add('shop', { cpuMegacycles: 16.5 * CPU_HOUR });
    await pass(120_000);
    await desk.close();
    const dearer = { ...POLICY_DEFAULT, prices: { cpuMegacycles: 900_000 }, quotas: { ...QUOTAS_DEFAULT, cpuMegacycles: { daily: 0 } } };
    const later = await DeskWorld.start(NOON_PACIFIC + 24 * HOUR_MS, dearer, store);
    expect((await later.desk.invoice('shop', DAY)).totalMicros).toBe(1_000_000);
    expect((await later.desk.usage('shop', { days: 2 })).days[1]).toMatchObject({ day: DAY, chargeMicros: 1_000_000 });
  });

  it('knows everything again after a restart, and enforces it', async () => {
    const first = await world();
    await first.desk.changeBilling('blog', { isEnabled: true, dailyBudgetMicros: 7 });
    first.meter.add('shop', { requests: 1_300_000 });
    await first.pass(500);
    await first.desk.close();
    const second = await DeskWorld.start(NOON_PACIFIC + 10_000, {}, first.store);
    expect(() => second.gate.admit('shop')).toThrow('over its quota');
    expect(await second.desk.billing('blog')).toMatchObject({ isEnabled: true, dailyBudgetMicros: 7 });
    expect(await second.desk.billing('shop')).toMatchObject({ isEnabled: false, dailyBudgetMicros: 1_000_000 });
  });

  it('is not billed for less than nothing, more than a limit, or parts of a micro-dollar', async () => {
    const { desk } = await world();
    for (const dailyBudgetMicros of [-1, 0.5, NaN, LIMITS.dailyBudgetMicrosMax + 1]) {
      await expect(desk.changeBilling('shop', { dailyBudgetMicros })).rejects.toThrow('daily budget is not valid');
    }
    expect(await desk.changeBilling('shop', { dailyBudgetMicros: LIMITS.dailyBudgetMicrosMax })).toMatchObject({ isEnabled: false });
  });

  it('takes two changes at the same time one after the other', async () => {
    const { desk } = await world();
    await Promise.all([desk.changeBilling('shop', { isEnabled: true }), desk.changeBilling('shop', { dailyBudgetMicros: 9 })]);
    expect(await desk.billing('shop')).toMatchObject({ isEnabled: true, dailyBudgetMicros: 9 });
  });

  it('removes rows that are too old, and charges their day as before', async () => {
    const { desk, meter, pass, jump } = await world();
    await desk.changeBilling('shop', { isEnabled: true, dailyBudgetMicros: 50_000_000 });
    meter.add('shop', { cpuMegacycles: 16.5 * CPU_HOUR });
    await pass(120_000);
    jump(63 * 24 * HOUR_MS);
    await pass(HOUR_MS + 1_000, 10_000);
    const old = await desk.invoice('shop', DAY);
    expect(old.rows).toEqual([]);
    expect(old.totalMicros).toBe(1_000_000);
  });
});

async function world(
  policy: Partial<QuotaPolicy> = {},
): Promise<
  Pick<DeskWorld, 'desk' | 'meter' | 'gate' | 'store'> & { readonly pass: DeskWorld['pass']; readonly jump: (ms: number) => void }
> {
  const made = await DeskWorld.start(NOON_PACIFIC, policy);
  const { desk, meter, gate, store } = made;
  return { desk, meter, gate, store, pass: (ms, stepMs) => made.pass(ms, stepMs), jump: (ms) => void (made.wallOffsetMs += ms) };
}
