import { Router } from 'express';
import { z } from 'zod';
import { LIMITS } from '../sdk/contract/limits.ts';
import { bodyOf, jsonBody } from './json-body.ts';
import { type AccountsApi } from './ports.ts';

const ACCOUNT_BODY_BYTES_MAX = 128 * 1024;

/** Bounds alone; what makes an address, a password or an app's id is the accounts' business. */
const email = z.string().max(4 * LIMITS.accountEmailCharactersMax);
const password = z.string().max(4 * LIMITS.accountPasswordBytesMax);
const adminOf = z.array(z.string().max(100)).max(4 * LIMITS.accountAdminAppsMax);
const accountRequest = z.strictObject({ email, password, adminOf: adminOf.exactOptional() });
const accountChange = z.strictObject({ password: password.exactOptional(), adminOf: adminOf.exactOptional() });

export function accountRoutes(accounts: AccountsApi): Router {
  const router = Router();
  router.use('/accounts', jsonBody(ACCOUNT_BODY_BYTES_MAX));
  router.get('/accounts', async (_request, response) => {
    response.json({ accounts: await accounts.list() });
  });
  router.post('/accounts', async (request, response) => {
    response.status(201).json(await accounts.add(bodyOf(accountRequest, request)));
  });
  router.patch('/accounts/:email', async (request, response) => {
    response.json(await accounts.change(request.params.email, bodyOf(accountChange, request)));
  });
  router.delete('/accounts/:email', async (request, response) => {
    await accounts.delete(request.params.email);
    response.json({});
  });
  return router;
}
