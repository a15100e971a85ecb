// `appengine quotas`, `usage` and `billing …` against the real routes and a real billing desk.
import express from 'express';
import { type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { errorAnswer, notFound } from '../../admin-console/error-answer.ts';
import { usageRoutes } from '../../admin-console/usage-routes.ts';
import { DeskWorld } from '../../runtime/billing/desk-world.ts';
import { runCommandLine } from '../../sdk/cli/main.ts';
import { Terminal } from '../../sdk/cli/terminal.ts';
import { type BillingView, type InvoiceView } from '../../sdk/contract/admin/usage.ts';
import { systemClock, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';

const CPU_HOUR = 4_320_000;
let world: DeskWorld;
let server: Server;

beforeEach(async () => {
  world = await DeskWorld.start(Date.UTC(2026, 10, 26, 20));
  const app = express();
  app.set('query parser', 'simple');
  app.use('/api/v1', usageRoutes(world.desk));
  app.use(notFound, errorAnswer(new MemoryLog()));
  server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  world.meter.add('shop', { requests: 1_234, cpuMegacycles: 7 * CPU_HOUR, outgoingBytes: 2_500_000 });
  await world.pass(500);
});

afterEach(() => new Promise((resolve) => server.close(resolve)));

async function appengine(line: string, isTerminal = false): Promise<{ code: number; out: string; err: string }> {
  const text = { out: '', err: '' };
  const stream = (name: 'out' | 'err') => ({ write: (more: string) => void (text[name] += more), isTerminal, columns: 120 });
  const code = await runCommandLine(
    [...line.split(' '), '--server', `http://127.0.0.1:${(server.address() as AddressInfo).port}`, '--token', 't'],
    {
      terminal: new Terminal({ stdout: stream('out'), stderr: stream('err'), environment: { NO_COLOR: '1' } }),
      environment: {},
      workingDirectory: '/',
      clock: systemClock,
      timers: systemTimers,
      signal: new AbortController().signal,
      ...{ passwords: { ask: () => Promise.resolve(''), fromInput: () => Promise.resolve('') }, readInput: () => Promise.resolve('') },
      openBrowser: () => Promise.resolve(false),
    },
    '9.9.9',
  );
  return { code, ...text };
}

test('quotas: a table, bars for people alone', async () => {
  const piped = await appengine('quotas --app shop');
  expect(piped.code).toBe(0);
  expect(piped.out).toMatch(/^QUOTA +USED TODAY +LIMIT +SHARE +STATE$/m);
  expect(piped.out).toMatch(/^CPU time +7 h +6\.5 h +100 % +exceeded$/m);
  expect(piped.out).toMatch(/^Requests +1,234 +1,300,000 +0\.1 % +ok$/m);
  expect(piped.out).toMatch(/^Outgoing bandwidth +2\.5 MB +1\.0 GB +0\.3 % +ok$/m);
  expect(piped.out).not.toContain('█');
  expect(piped.err).toContain('quotas reset at 2026-11-27 08:00:00 UTC');
  const seen = await appengine('quotas --app shop', true);
  expect(seen.out).toMatch(/^CPU time .*█{20}/m);
  expect(seen.out).toMatch(/^Requests .*█░{19}/m);
});

test('usage: one row a day', async () => {
  const { code, out } = await appengine('usage --app shop --days 2');
  expect(code).toBe(0);
  expect(out.trim().split('\n')).toHaveLength(3);
  expect(out).toMatch(/^2026-11-26 +1,234 +7 h +0\.00 s +2\.5 MB +0 B +0 +\$0\.00$/m);
});

test('billing: enable, budget, show, invoice, disable', async () => {
  expect((await appengine('billing show --app shop')).out).toContain('Billing of shop is disabled.');
  const enabled = await appengine('billing enable --app shop --budget 2.5');
  expect(enabled.out).toContain('Billing of shop is enabled.');
  expect(enabled.out).toContain('daily budget   $2.50');
  expect(enabled.out).toContain('charged today  $0.05');
  expect(enabled.out).toMatch(/^CPU time +\$0\.10 per CPU-hour$/m);
  expect(JSON.parse((await appengine('billing budget 0.000001 --app shop --json')).out) as BillingView).toMatchObject({
    dailyBudgetMicros: 1,
  });
  const invoice = await appengine('billing invoice --app shop');
  expect(invoice.out).toContain('shop, 2026-11-26: $0.05');
  expect(invoice.out).toMatch(/^CPU time +7 h +6\.5 h +30\.0 min +\$0\.10 per CPU-hour +\$0\.05$/m);
  expect(invoice.err).toContain('--json lists them');
  expect((JSON.parse((await appengine('billing invoice --app shop --day 2026-11-26 --json')).out) as InvoiceView).rows).toHaveLength(1);
  expect((await appengine('billing disable --app shop')).out).toContain('disabled');
});

test.each([
  ['billing budget lots --app shop', 'BUDGET_INVALID'],
  ['billing budget 1.2345678 --app shop', 'BUDGET_INVALID'],
  ['billing enable --app shop --budget 9999999', 'BUDGET_INVALID'],
  ['billing invoice --app shop --day yesterday', 'INVALID_ARGUMENT'],
  ['usage --app shop --days 0', 'INVALID_ARGUMENT'],
  ['quotas --app no-app', 'APP_NOT_FOUND'],
])('%s fails with what, why and how to mend it', async (line, code) => {
  const answer = await appengine(line);
  expect(answer.code).toBe(1);
  expect(answer.err).toContain(`(${code})`);
  expect(answer.err).toContain('To mend it:');
});

test('each has help with examples', async () => {
  for (const words of ['quotas', 'usage', 'billing enable', 'billing disable', 'billing budget', 'billing show', 'billing invoice']) {
    expect((await appengine(`${words} --help`)).out).toContain(`Examples:\n  $ appengine ${words}`);
  }
});
