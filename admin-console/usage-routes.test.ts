import express from 'express';
import request from 'supertest';
import { beforeEach, expect, test } from 'vitest';
import { DeskWorld } from '../runtime/billing/desk-world.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { errorAnswer, notFound } from './error-answer.ts';
import { usageRoutes } from './usage-routes.ts';

let world: DeskWorld;
let server: express.Express;

beforeEach(async () => {
  world = await DeskWorld.start(Date.UTC(2026, 10, 26, 20));
  server = express();
  server.set('query parser', 'simple');
  server.use(usageRoutes(world.desk), notFound, errorAnswer(new MemoryLog()));
  world.meter.add('shop', { requests: 4, cpuMegacycles: 50 });
  await world.pass(500);
});

test('charts, quotas, usage, billing and the invoice of today', async () => {
  const metrics = await request(server).get('/apps/shop/metrics');
  expect(metrics.body.points).toHaveLength(360);
  expect((await request(server).get('/apps/shop/metrics?minutes=1440')).body).toMatchObject({ stepMs: 60_000 });
  expect((await request(server).get('/apps/shop/quotas')).body.quotas[0]).toMatchObject({ resource: 'cpuMegacycles', used: 50 });
  const usage = await request(server).get('/apps/shop/usage');
  expect(usage.body.days).toHaveLength(7);
  expect(usage.body.days[0]).toEqual({ day: '2026-11-26', amounts: { requests: 4, cpuMegacycles: 50 }, chargeMicros: 0 });
  expect((await request(server).get('/apps/shop/usage?days=62')).body.days).toHaveLength(62);
  expect((await request(server).get('/apps/shop/invoice')).body).toMatchObject({ appId: 'shop', day: '2026-11-26', totalMicros: 0 });
  expect((await request(server).get('/apps/shop/invoice?day=2026-11-25')).body.rows).toEqual([]);
});

test('billing is changed in part', async () => {
  const enabled = await request(server).put('/apps/shop/billing').send({ isEnabled: true });
  expect(enabled.body).toMatchObject({ isEnabled: true, dailyBudgetMicros: 1_000_000, chargedMicros: 0 });
  const bounded = await request(server).put('/apps/shop/billing').send({ dailyBudgetMicros: 3 });
  expect(bounded.body).toMatchObject({ isEnabled: true, dailyBudgetMicros: 3 });
  expect((await request(server).get('/apps/shop/billing')).body).toEqual(bounded.body);
});

test.each([
  ['/apps/shop/metrics?minutes=0', 400, 'INVALID_ARGUMENT'],
  ['/apps/shop/metrics?minutes=1441', 400, 'INVALID_ARGUMENT'],
  ['/apps/shop/usage?days=63', 400, 'INVALID_ARGUMENT'],
  ['/apps/shop/usage?days=x', 400, 'INVALID_ARGUMENT'],
  ['/apps/shop/invoice?day=2026-02-30', 400, 'INVALID_ARGUMENT'],
  ['/apps/shop/invoice?day=2026-11-27', 400, 'INVALID_ARGUMENT'],
  ['/apps/no-app/quotas', 404, 'APP_NOT_FOUND'],
  ['/apps/no-app/billing', 404, 'APP_NOT_FOUND'],
])('%s is refused', async (path, status, code) => {
  const answer = await request(server).get(path);
  expect([answer.status, answer.body.error.code]).toEqual([status, code]);
});

test.each([
  [{ dailyBudgetMicros: -1 }, 'BUDGET_INVALID'],
  [{ dailyBudgetMicros: 0.5 }, 'BUDGET_INVALID'],
  [{ dailyBudgetMicros: '5' }, 'INVALID_ARGUMENT'],
  [{ isEnabled: 'yes' }, 'INVALID_ARGUMENT'],
  [{ price: 0 }, 'INVALID_ARGUMENT'],
])('a change of %j is refused', async (change, code) => {
  const answer = await request(server).put('/apps/shop/billing').send(change);
  expect([answer.status, answer.body.error.code]).toEqual([400, code]);
  expect((await request(server).get('/apps/shop/billing')).body).toMatchObject({ isEnabled: false, dailyBudgetMicros: 1_000_000 });
});
