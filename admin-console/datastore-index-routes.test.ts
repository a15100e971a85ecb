import request from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import { type IndexView } from '../sdk/contract/admin/indexes.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { type IndexDefinition } from '../sdk/contract/index-definition.ts';
import { systemTimers } from '../sdk/support/clock.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { type ConsoleApis, createConsoleApp } from './console-app.ts';
import { type IndexesApi } from './ports.ts';

const PATH = '/api/v1/apps/guestbook/datastore/indexes';
const BEARER = { authorization: 'Bearer t' };
const definition: IndexDefinition = { kind: 'K', ancestor: false, properties: [{ name: 'n', direction: 'asc' }] };
const view: IndexView = { ...definition, id: 3, state: 'building', done: 1, estimate: 2 };

let asked: unknown[][];
let client: ReturnType<typeof request>;

beforeEach(() => {
  asked = [];
  const indexes: IndexesApi = {
    list: (appId) => {
      asked.push(['list', appId]);
      return Promise.resolve([view]);
    },
    create: (appId, definitions) => {
      asked.push(['create', appId, definitions]);
      return Promise.resolve([view]);
    },
    delete: (appId, id) => {
      asked.push(['delete', appId, id]);
      return id === 3 ? Promise.resolve() : Promise.reject(new PlatformError('DS_INDEX_NOT_FOUND', String(id)));
    },
  };
  const app = (id: string): Promise<object> =>
    id === 'guestbook' ? Promise.resolve({}) : Promise.reject(new PlatformError('APP_NOT_FOUND', id));
  client = request(
    createConsoleApp({ apps: { app }, indexes } as unknown as ConsoleApis, systemTimers, new MemoryLog(), { ownerToken: 't' }),
  );
});

describe('composite indexes', () => {
  it('are listed, created and deleted', async () => {
    expect((await client.get(PATH).set(BEARER)).body).toEqual({ indexes: [view] });
    expect(
      (
        await client
          .post(PATH)
          .set(BEARER)
          .send({ indexes: [definition] })
      ).body,
    ).toEqual({ indexes: [view] });
    expect((await client.delete(`${PATH}/3`).set(BEARER)).body).toEqual({});
    expect(asked).toEqual([
      ['list', 'guestbook'],
      ['create', 'guestbook', [definition]],
      ['delete', 'guestbook', 3],
    ]);
  });

  it.each([
    [404, 'DS_INDEX_NOT_FOUND', () => client.delete(`${PATH}/4`)],
    [404, 'DS_INDEX_NOT_FOUND', () => client.delete(`${PATH}/x`)],
    [404, 'DS_INDEX_NOT_FOUND', () => client.delete(`${PATH}/99999999999`)],
    [400, 'INVALID_ARGUMENT', () => client.post(PATH).send({ indexes: [{ ...definition, properties: [] }] })],
    [400, 'INVALID_ARGUMENT', () => client.post(PATH).send({ indexes: [{ ...definition, mode: 'geo' }] })],
    [400, 'INVALID_ARGUMENT', () => client.get(`${PATH}?x=1`)],
    [404, 'APP_NOT_FOUND', () => client.get('/api/v1/apps/other-app/datastore/indexes')],
    [404, 'APP_NOT_FOUND', () => client.delete('/api/v1/apps/other-app/datastore/indexes/3')],
  ])('answer %i %s', async (status, code, ask) => {
    const answer = await ask().set(BEARER);
    expect([answer.status, (answer.body as { error: { code: string } }).error.code]).toEqual([status, code]);
    expect(asked.some(([what]) => what === 'create')).toBe(false);
  });

  it('are nobody’s without the token', async () => {
    expect((await client.get(PATH)).status).toBe(401);
    expect((await client.delete(`${PATH}/3`)).status).toBe(401);
    expect(asked).toEqual([]);
  });
});
