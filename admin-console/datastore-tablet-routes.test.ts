import request from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import { type TabletQuery, type TabletsView } from '../sdk/contract/admin/tablets.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { systemTimers } from '../sdk/support/clock.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { type ConsoleApis, createConsoleApp } from './console-app.ts';

const PATH = '/api/v1/datastore/tablets';
const BEARER = { authorization: 'Bearer t' };
const VIEW: TabletsView = {
  tablets: [
    {
      id: 1,
      start: { text: 'the beginning', hex: '' },
      rows: 3,
      bytes: 500,
      reads: { lastMinute: 1, peak: 2 },
      writes: { lastMinute: 0, peak: 9 },
    },
  ],
};

let asked: TabletQuery[];
let client: ReturnType<typeof request>;

beforeEach(() => {
  asked = [];
  const apis = {
    apps: { app: (id: string) => (id === 'guestbook' ? Promise.resolve({}) : Promise.reject(new PlatformError('APP_NOT_FOUND', id))) },
    tablets: {
      tablets: (query: TabletQuery) => {
        asked.push(query);
        return Promise.resolve(VIEW);
      },
    },
  } as unknown as ConsoleApis;
  client = request(createConsoleApp(apis, systemTimers, new MemoryLog(), { ownerToken: 't' }));
});

describe('the tablets of the datastore', () => {
  it.each([
    ['', {}],
    ['?app=guestbook', { app: 'guestbook' }],
    ['?from=7&limit=20&history=15', { from: 7, limit: 20, history: 15 }],
    [`?limit=${LIMITS.tabletsListedMax}`, { limit: LIMITS.tabletsListedMax }],
  ])('are listed: %s', async (query, wanted) => {
    const answer = await client.get(PATH + query).set(BEARER);
    expect([answer.status, answer.body, asked]).toEqual([200, VIEW, [wanted]]);
  });

  it.each([
    ['?limit=0', 400],
    [`?limit=${LIMITS.tabletsListedMax + 1}`, 400],
    [`?from=${LIMITS.tabletsMax + 1}`, 400],
    ['?from=-1', 400],
    ['?history=7', 400],
    ['?history=x', 400],
    ['?app=~system', 400],
    ['?other=1', 400],
    ['?app=missing', 404],
  ])('are not asked for with %s', async (query, status) => {
    expect((await client.get(PATH + query).set(BEARER)).status).toBe(status);
    expect(asked).toEqual([]);
  });

  it('are nobody else’s to see', async () => {
    expect((await client.get(PATH)).status).toBe(401);
    expect(asked).toEqual([]);
  });
});
