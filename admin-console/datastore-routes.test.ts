import request from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import { type EntityView } from '../sdk/contract/admin/data.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { systemTimers } from '../sdk/support/clock.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { type ConsoleApis, createConsoleApp } from './console-app.ts';
import { type DatastoreApi } from './ports.ts';

const BEARER = { authorization: 'Bearer t' };
const BASE = '/api/v1/apps/guestbook/datastore';
const ENTITY: EntityView = { id: 'abc', name: 'K:1', key: { path: [{ kind: 'K', id: '1' }] }, properties: { n: { integerValue: '1' } } };
const WRITE = { key: ENTITY.key, properties: ENTITY.properties, mode: 'insert' };

let calls: unknown[][];
let failure: PlatformError | undefined;
let client: ReturnType<typeof request>;

beforeEach(() => {
  calls = [];
  failure = undefined;
  const answer =
    <T>(name: string, value: T) =>
    (...given: unknown[]): Promise<T> => {
      calls.push([name, ...given]);
      return failure ? Promise.reject(failure) : Promise.resolve(value);
    };
  const datastore: DatastoreApi = {
    namespaces: answer('namespaces', ['', 'n']),
    kinds: answer('kinds', [{ kind: 'K' }]),
    query: answer('query', { kind: 'entities' as const, entities: [ENTITY] }),
    entity: answer('entity', ENTITY),
    write: answer('write', ENTITY),
    delete: answer('delete', undefined),
  };
  const app = (id: string): Promise<object> =>
    id === 'guestbook' ? Promise.resolve({}) : Promise.reject(new PlatformError('APP_NOT_FOUND', id));
  const apis = { apps: { app }, datastore } as unknown as ConsoleApis;
  client = request(createConsoleApp(apis, systemTimers, new MemoryLog(), { ownerToken: 't' }));
});

describe('the datastore of an app', () => {
  it.each([
    ['get', '/namespaces', undefined, { namespaces: ['', 'n'] }, ['namespaces', 'guestbook']],
    ['get', '/kinds', undefined, { kinds: [{ kind: 'K' }] }, ['kinds', 'guestbook', '']],
    ['get', '/kinds?namespace=n', undefined, { kinds: [{ kind: 'K' }] }, ['kinds', 'guestbook', 'n']],
    [
      'post',
      '/query',
      { gql: 'SELECT * FROM K' },
      { kind: 'entities', entities: [ENTITY] },
      ['query', 'guestbook', { gql: 'SELECT * FROM K' }],
    ],
    [
      'post',
      '/query',
      {
        gql: 'g',
        namespace: 'n',
        named: { x: { nullValue: null } },
        positional: [{ integerValue: '1' }],
        pageSize: 5,
        cursor: 'c',
        explain: true,
        readTime: '2026-01-01T00:00:00Z',
      },
      { kind: 'entities', entities: [ENTITY] },
      [
        'query',
        'guestbook',
        {
          gql: 'g',
          namespace: 'n',
          named: { x: { nullValue: null } },
          positional: [{ integerValue: '1' }],
          pageSize: 5,
          cursor: 'c',
          explain: true,
          readTime: '2026-01-01T00:00:00Z',
        },
      ],
    ],
    ['put', '/entities', WRITE, ENTITY, ['write', 'guestbook', WRITE]],
    ['put', '/entities', { ...WRITE, version: '7' }, ENTITY, ['write', 'guestbook', { ...WRITE, version: '7' }]],
    ['get', '/entities/abc', undefined, ENTITY, ['entity', 'guestbook', 'abc']],
    ['delete', '/entities/abc', undefined, {}, ['delete', 'guestbook', 'abc']],
  ] as const)('%s %s', async (verb, path, body, wanted, call) => {
    const answer = await client[verb](BASE + path)
      .set(BEARER)
      .send(body);
    expect([answer.status, answer.body]).toEqual([200, wanted]);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(calls).toEqual([call]);
  });

  it.each([
    ['post', '/query', {}, '"gql"'],
    ['post', '/query', { gql: 'g', pageSize: 0 }, '"pageSize"'],
    ['post', '/query', { gql: 'g', pageSize: LIMITS.queryBatchResultsMax + 1 }, '"pageSize"'],
    ['post', '/query', { gql: 'g', namespace: 'n'.repeat(101) }, '"namespace"'],
    ['post', '/query', { gql: 'g', args: [] }, 'args'],
    ['post', '/query', { gql: 'g', named: { x: 5 } }, '"named.x"'],
    ['post', '/query', { gql: 'g', positional: [null] }, '"positional.0"'],
    ['put', '/entities', { ...WRITE, mode: 'replace' }, '"mode"'],
    ['put', '/entities', { ...WRITE, key: 'K' }, '"key"'],
    ['put', '/entities', { ...WRITE, version: 7 }, '"version"'],
    ['put', '/entities', { mode: 'insert' }, '"key"'],
    ['get', '/kinds?namespace=a&other=b', undefined, 'other'],
    ['get', '/namespaces?x=1', undefined, 'x'],
  ] as const)('%s %s refuses %j', async (verb, path, body, field) => {
    const answer = await client[verb](BASE + path)
      .set(BEARER)
      .send(body);
    expect([answer.status, answer.body.error.code]).toEqual([400, 'INVALID_ARGUMENT']);
    expect(answer.body.error.message).toContain(field);
    expect(calls).toEqual([]);
  });

  it('is asked by nobody without a token, and of no app that is not there', async () => {
    expect((await client.get(`${BASE}/kinds`)).status).toBe(401);
    for (const path of ['kinds', 'entities/abc']) {
      expect((await client.get(`/api/v1/apps/missing/datastore/${path}`).set(BEARER)).body.error.code).toBe('APP_NOT_FOUND');
    }
    expect((await client.get('/api/v1/apps/~system/datastore/kinds').set(BEARER)).body.error.code).toBe('APP_ID_INVALID');
    expect(calls).toEqual([]);
  });

  it('hands on where a statement is wrong', async () => {
    failure = new PlatformError('GQL_SYNTAX', 'line 1\n  SELEC\n  ^', { details: { line: 1, column: 1 } });
    const answer = await client.post(`${BASE}/query`).set(BEARER).send({ gql: 'SELEC' });
    expect([answer.status, answer.body.error]).toMatchObject([400, { code: 'GQL_SYNTAX', details: { line: 1, column: 1 } }]);
    expect(answer.body.error.message).toContain('\n  SELEC\n  ^');
  });

  it('takes an entity of a megabyte, and refuses a body over the limit', async () => {
    const large = { ...WRITE, properties: { text: { stringValue: 'x'.repeat(1_000_000) } } };
    expect((await client.put(`${BASE}/entities`).set(BEARER).send(large)).status).toBe(200);
    const tooLarge = { ...WRITE, properties: { text: { stringValue: 'x'.repeat(LIMITS.datastoreViewerBodyBytesMax) } } };
    expect((await client.put(`${BASE}/entities`).set(BEARER).send(tooLarge)).body.error.code).toBe('BODY_TOO_LARGE');
  });
});
