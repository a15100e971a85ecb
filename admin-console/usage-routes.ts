import { Router } from 'express';
import { z } from 'zod';
import { LIMITS } from '../sdk/contract/limits.ts';
import { bodyOf, jsonBody, queryOf } from './json-body.ts';
import { type UsageApi } from './ports.ts';

const BILLING_BODY_BYTES_MAX = 1_024;
const MINUTES_DEFAULT = 60;
const DAYS_DEFAULT = 7;

const upTo = (max: number, fallback: number) =>
  z
    .string()
    .regex(/^\d{1,5}$/, `want a whole number from 1 to ${max}`)
    .transform(Number)
    .refine((value) => value >= 1 && value <= max, `want a whole number from 1 to ${max}`)
    .default(fallback);

const metricsQuery = z.object({ minutes: upTo(LIMITS.metricsMinutesMax, MINUTES_DEFAULT) });
const usageQuery = z.object({ days: upTo(LIMITS.usageDaysMax, DAYS_DEFAULT) });
const invoiceQuery = z.object({ day: z.iso.date('want a day such as 2026-11-26').optional() });
// The amount is checked by the port, which has an error of its own for it.
const billingChange = z.strictObject({ isEnabled: z.boolean().exactOptional(), dailyBudgetMicros: z.number().exactOptional() });

export function usageRoutes(usage: UsageApi): Router {
  const router = Router();
  router.get('/apps/:app/metrics', async (request, response) => {
    response.json(await usage.metrics(request.params.app, queryOf(metricsQuery, request)));
  });
  router.get('/apps/:app/quotas', async (request, response) => {
    response.json(await usage.quotas(request.params.app));
  });
  router.get('/apps/:app/usage', async (request, response) => {
    response.json(await usage.usage(request.params.app, queryOf(usageQuery, request)));
  });
  router.get('/apps/:app/billing', async (request, response) => {
    response.json(await usage.billing(request.params.app));
  });
  router.put('/apps/:app/billing', jsonBody(BILLING_BODY_BYTES_MAX));
  router.put('/apps/:app/billing', async (request, response) => {
    response.json(await usage.changeBilling(request.params.app, bodyOf(billingChange, request)));
  });
  router.get('/apps/:app/invoice', async (request, response) => {
    response.json(await usage.invoice(request.params.app, queryOf(invoiceQuery, request).day));
  });
  return router;
}
