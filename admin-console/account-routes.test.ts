import request from 'supertest';
import { beforeEach, expect, it } from 'vitest';
import express from 'express';
import { PlatformError } from '../sdk/contract/errors.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { accountRoutes } from './account-routes.ts';
import { errorAnswer } from './error-answer.ts';

const view = { email: 'ada@example.com', createdAtMs: 1, adminOf: ['shop'] };
let calls: unknown[];
let failure: Error | undefined;

const answer = <T>(call: unknown[], value: T): Promise<T> => {
  calls.push(call);
  return failure ? Promise.reject(failure) : Promise.resolve(value);
};

const client = (): ReturnType<typeof request> => {
  const app = express();
  const routes = accountRoutes({
    list: () => answer(['list'], [view]),
    add: (given) => answer(['add', given], view),
    change: (email, given) => answer(['change', email, given], view),
    delete: (email) => answer(['delete', email], undefined),
  });
  app.use(routes, errorAnswer(new MemoryLog()));
  return request(app);
};

beforeEach(() => {
  calls = [];
  failure = undefined;
});

it('lists, adds, changes and deletes', async () => {
  expect((await client().get('/accounts')).body).toEqual({ accounts: [view] });
  const account = { email: 'ada@example.com', password: 'difference', adminOf: ['shop'] };
  const added = await client().post('/accounts').send(account);
  expect([added.status, added.body]).toEqual([201, view]);
  expect((await client().patch('/accounts/ada%2Bx%40example.com').send({ adminOf: [] })).body).toEqual(view);
  expect((await client().delete('/accounts/ada@example.com')).body).toEqual({});
  expect(calls).toEqual([['list'], ['add', account], ['change', 'ada+x@example.com', { adminOf: [] }], ['delete', 'ada@example.com']]);
});

it.each([
  [{}, 'email'],
  [{ email: 'a@b', password: 5 }, 'password'],
  [{ email: 'a@b', password: 'x', adminOf: '*' }, 'adminOf'],
  [{ email: 'a@b', password: 'x', passwordHash: 'y' }, 'body'],
])('refuses %j, naming "%s"', async (body, name) => {
  const refused = await client().post('/accounts').send(body);
  expect([refused.status, refused.body.error.code]).toEqual([400, 'INVALID_ARGUMENT']);
  expect(refused.body.error.message).toContain(name);
  expect(calls).toEqual([]);
});

it('takes no forms of foreign pages', async () => {
  const refused = await client().post('/accounts').type('form').send({ email: 'a@b', password: 'x' });
  expect([refused.status, calls]).toEqual([400, []]);
});

it.each([
  ['ACCOUNT_EXISTS', 409],
  ['ACCOUNT_INVALID', 400],
  ['ACCOUNT_NOT_FOUND', 404],
] as const)('hands on %s with its status', async (code, status) => {
  failure = new PlatformError(code, 'why');
  const refused = await client().patch('/accounts/ada@example.com').send({});
  expect([refused.status, refused.body.error.code]).toEqual([status, code]);
});
