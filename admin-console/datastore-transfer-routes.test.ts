import request from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import { type ExportLine } from '../sdk/contract/admin/transfer.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { systemTimers } from '../sdk/support/clock.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { type ConsoleApis, createConsoleApp } from './console-app.ts';
import { type TransferApi } from './ports.ts';

const BEARER = { authorization: 'Bearer t' };
const EXPORT = '/api/v1/apps/guestbook/datastore/export';
const IMPORT = '/api/v1/apps/guestbook/datastore/import';
const NDJSON = 'application/x-ndjson';
const LINES: readonly ExportLine[] = [{ page: { rows: 1, readTime: 't' } }, { end: { entities: 0 } }];

let asked: unknown[][];
let bytesRead: number;
let failure: PlatformError | undefined;
let readsMax: number;
let client: ReturnType<typeof request>;

beforeEach(() => {
  [asked, bytesRead, readsMax, failure] = [[], 0, Infinity, undefined];
  const transfer: TransferApi = {
    async *export(appId, what) {
      asked.push([appId, what]);
      await Promise.resolve();
      if (failure) throw failure;
      for (const line of LINES) yield [line];
    },
    async import(appId, body, { mode, from, skip }) {
      asked.push([appId, mode, from, skip]);
      for await (const chunk of body) {
        bytesRead += chunk.length;
        if (bytesRead > readsMax) break;
      }
      if (failure) throw failure;
      return { written: 1, failures: [] };
    },
  };
  const app = (id: string): Promise<object> =>
    id === 'guestbook' ? Promise.resolve({}) : Promise.reject(new PlatformError('APP_NOT_FOUND', id));
  client = request(
    createConsoleApp({ apps: { app }, transfer } as unknown as ConsoleApis, systemTimers, new MemoryLog(), { ownerToken: 't' }),
  );
});

describe('an export', () => {
  it('answers line by line', async () => {
    const wanted = { kinds: ['K'], namespaces: [''], database: 'd', since: 's', readTime: 'r', after: { path: [] } };
    const answer = await client.post(EXPORT).set(BEARER).send(wanted);
    expect([answer.status, answer.text]).toEqual([200, LINES.map((line) => `${JSON.stringify(line)}\n`).join('')]);
    expect(asked).toEqual([['guestbook', wanted]]);
  });

  it('says what fails before it begins, and refuses what it does not know', async () => {
    failure = new PlatformError('DS_TOO_OLD', 'x');
    expect((await client.post(EXPORT).set(BEARER).send({})).body).toMatchObject({ error: { code: 'DS_TOO_OLD' } });
    const names = Array.from({ length: LIMITS.exportFilterNamesMax + 1 }, (_, n) => `K${n}`);
    for (const body of [{ kinds: 'K' }, { other: 1 }, { kinds: names }, { after: 'x' }]) {
      expect((await client.post(EXPORT).set(BEARER).send(body)).body).toMatchObject({ error: { code: 'INVALID_ARGUMENT' } });
    }
    expect((await client.post(EXPORT).send({})).status).toBe(401);
    expect((await client.post(EXPORT.replace('guestbook', 'nobody')).set(BEARER).send({})).status).toBe(404);
  });
});

describe('an import', () => {
  const send = (query: string, body: string, type = NDJSON) =>
    client
      .post(IMPORT + query)
      .set(BEARER)
      .type(type)
      .send(body);

  it('is given the body as it comes', async () => {
    expect((await send('?mode=upsert&from=other&skip=1', 'lines\n')).body).toEqual({ written: 1, failures: [] });
    expect((await send('?mode=insert', '')).status).toBe(200);
    expect([asked, bytesRead]).toEqual([
      [
        ['guestbook', 'upsert', 'other', true],
        ['guestbook', 'insert', undefined, false],
      ],
      6,
    ]);
  });

  it('that stops early answers all the same, and the connection goes on', async () => {
    readsMax = 1;
    expect((await send('?mode=upsert', 'x'.repeat(4_000_000))).body).toEqual({ written: 1, failures: [] });
    failure = new PlatformError('DS_CLOSED');
    expect((await send('?mode=upsert', 'x'.repeat(4_000_000))).body).toMatchObject({ error: { code: 'DS_CLOSED' } });
  });

  it('refuses other types, other modes and a body that is too large', async () => {
    for (const [query, type] of [
      ['?mode=upsert', 'text/plain'],
      ['?mode=upsert', 'application/json'],
      ['?mode=delete', NDJSON],
      ['', NDJSON],
      ['?mode=upsert&skip=yes', NDJSON],
    ] as const) {
      expect((await send(query, '{}', type)).body).toMatchObject({ error: { code: 'INVALID_ARGUMENT' } });
    }
    expect((await client.post(IMPORT).type(NDJSON).send('x')).status).toBe(401);
  });
});
