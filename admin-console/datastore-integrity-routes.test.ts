import request from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import { type CheckEvent, type CheckRequest } from '../sdk/contract/admin/integrity.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { systemTimers } from '../sdk/support/clock.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { type ConsoleApis, createConsoleApp } from './console-app.ts';
import { type IntegrityApi } from './ports.ts';

const BEARER = { authorization: 'Bearer t' };
const PROGRESS: CheckEvent = { kind: 'progress', rows: 1, bytes: 2, bytesExpected: 3 };
const DONE: CheckEvent = { kind: 'done', files: 0, rows: 1, bytes: 2, families: { E: 1 }, findings: 0, repaired: 0 };

let asked: unknown[][];
let failure: PlatformError | undefined;
let client: ReturnType<typeof request>;

beforeEach(() => {
  asked = [];
  failure = undefined;
  const integrity: IntegrityApi = {
    async *check(appId: string | undefined, what: CheckRequest) {
      asked.push([appId, what]);
      await Promise.resolve();
      if (failure) throw failure;
      yield PROGRESS;
      yield DONE;
    },
  };
  const app = (id: string): Promise<object> =>
    id === 'guestbook' ? Promise.resolve({}) : Promise.reject(new PlatformError('APP_NOT_FOUND', id));
  client = request(
    createConsoleApp({ apps: { app }, integrity } as unknown as ConsoleApis, systemTimers, new MemoryLog(), { ownerToken: 't' }),
  );
});

describe('the check', () => {
  it.each([
    ['/api/v1/datastore/check', {}, [undefined, {}]],
    ['/api/v1/apps/guestbook/datastore/check', { repair: true }, ['guestbook', { repair: true }]],
  ] as const)('%s answers event by event', async (path, body, call) => {
    const answer = await client.post(path).set(BEARER).send(body);
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/x-ndjson; charset=utf-8']);
    expect(answer.text).toBe(`${JSON.stringify(PROGRESS)}\n${JSON.stringify(DONE)}\n`);
    expect(asked).toEqual([call]);
  });

  it('refuses strangers, unknown apps and what it does not know, and says what fails before it begins', async () => {
    const path = '/api/v1/apps/guestbook/datastore/check';
    expect((await client.post(path).send({})).status).toBe(401);
    expect((await client.post('/api/v1/apps/nobody/datastore/check').set(BEARER).send({})).body).toMatchObject({
      error: { code: 'APP_NOT_FOUND' },
    });
    for (const body of [{ repair: 'yes' }, { delete: true }, []]) {
      expect((await client.post(path).set(BEARER).send(body)).body).toMatchObject({ error: { code: 'INVALID_ARGUMENT' } });
    }
    expect(asked).toEqual([]);
    failure = new PlatformError('RPC_UNAVAILABLE');
    const answer = await client.post(path).set(BEARER).send({});
    expect([answer.status, answer.body]).toMatchObject([503, { error: { code: 'RPC_UNAVAILABLE' } }]);
  });
});
