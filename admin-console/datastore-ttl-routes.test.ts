import request from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import { PlatformError } from '../sdk/contract/errors.ts';
import { systemTimers } from '../sdk/support/clock.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { type ConsoleApis, createConsoleApp } from './console-app.ts';
import { type TtlApi } from './ports.ts';

const BEARER = { authorization: 'Bearer t' };
const BASE = '/api/v1/apps/guestbook/datastore/ttl';

let calls: unknown[][];
let client: ReturnType<typeof request>;

beforeEach(() => {
  calls = [];
  const ttl: TtlApi = {
    policies: (...given) => (calls.push(['policies', ...given]), Promise.resolve([{ kind: 'K', property: 'p' }])),
    set: (...given) => (calls.push(['set', ...given]), Promise.resolve({ ...given[1], isIndexed: true })),
    clear: (...given) => (calls.push(['clear', ...given]), Promise.resolve()),
  };
  const app = (id: string): Promise<object> =>
    id === 'guestbook' ? Promise.resolve({}) : Promise.reject(new PlatformError('APP_NOT_FOUND', id));
  const apis = { apps: { app }, ttl } as unknown as ConsoleApis;
  client = request(createConsoleApp(apis, systemTimers, new MemoryLog(), { ownerToken: 't' }));
});

describe('TTL policies', () => {
  it.each([
    ['get', '', undefined, { policies: [{ kind: 'K', property: 'p' }] }, ['policies', 'guestbook']],
    ['put', '/K', { property: 'p' }, { kind: 'K', property: 'p', isIndexed: true }, ['set', 'guestbook', { kind: 'K', property: 'p' }]],
    [
      'put',
      '/a%2Fb%20%C3%A4',
      { property: 'p' },
      { kind: 'a/b ä', property: 'p', isIndexed: true },
      ['set', 'guestbook', { kind: 'a/b ä', property: 'p' }],
    ],
    ['delete', '/K', undefined, {}, ['clear', 'guestbook', 'K']],
  ] as const)('%s %s', async (verb, path, body, wanted, call) => {
    const answer = await client[verb](BASE + path)
      .set(BEARER)
      .send(body);
    expect([answer.status, answer.body]).toEqual([200, wanted]);
    expect(calls).toEqual([call]);
  });

  it('refuse strangers, unknown apps and what is malformed', async () => {
    expect((await client.get(BASE)).status).toBe(401);
    expect((await client.get('/api/v1/apps/nobody/datastore/ttl').set(BEARER)).body).toMatchObject({ error: { code: 'APP_NOT_FOUND' } });
    for (const body of [{}, { property: '' }, { property: 5 }, { property: 'p', kind: 'K' }, { property: 'x'.repeat(1_501) }, []]) {
      const answer = await client.put(`${BASE}/K`).set(BEARER).send(body);
      expect([answer.status, answer.body]).toMatchObject([400, { error: { code: 'INVALID_ARGUMENT' } }]);
    }
    expect(calls).toEqual([]);
  });
});
