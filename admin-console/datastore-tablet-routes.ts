import { Router } from 'express';
import { z } from 'zod';
import { TABLET_HISTORY_STEPS } from '../sdk/contract/admin/tablets.ts';
import { checkAppId } from '../sdk/contract/app-manifest/label.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { queryOf } from './json-body.ts';
import { type AppsApi, type TabletsApi } from './ports.ts';

const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, `want a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `want a whole number from ${min} to ${max}`);

const tabletsQuery = z.strictObject({
  app: z.string().exactOptional(),
  from: wholeNumber(0, LIMITS.tabletsMax).exactOptional(),
  limit: wholeNumber(1, LIMITS.tabletsListedMax).exactOptional(),
  history: wholeNumber(1, 60)
    .refine((minutes) => TABLET_HISTORY_STEPS.includes(minutes), `want minutes of one step: ${TABLET_HISTORY_STEPS.join(', ')}`)
    .exactOptional(),
});

/** All apps share the tablets, so they are the platform owner's to see. */
export function tabletRoutes(apps: AppsApi, tablets: TabletsApi): Router {
  const router = Router();
  router.get('/datastore/tablets', async (request, response) => {
    const query = queryOf(tabletsQuery, request);
    if (query.app !== undefined) await apps.app(checkAppId(query.app));
    response.json(await tablets.tablets(query));
  });
  return router;
}
