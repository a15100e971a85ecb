// Security 62 and 73 on the datastore's port: whoever is not who they claim to be, and a bearer of one app's token who asks for what is
// another's. Each attack comes by gRPC and by HTTP.
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Authenticate } from '../../datastore/api/v1/transport/identity.ts';
import { V1_METHODS, type V1Method } from '../../datastore/api/v1/port.ts';
import { DatastoreV1Server } from '../../datastore/api/v1/transport/server.ts';
import { decode, encode, messageType, type Plain } from '../../datastore/api/v1/messages/v1-fixture.ts';
import { DatastoreV1Service } from '../../datastore/api/v1/v1-service.ts';
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { openDatastore, type OpenDatastore } from '../../datastore/fixture.ts';
import { TokenAccess } from '../../runtime/api/token-access.ts';
import { AppRegistry } from '../../runtime/control/app-registry.ts';
import { DatastoreControlStore, SYSTEM_APP_ID } from '../../runtime/control/datastore-control-store.ts';
import { DatastoreTokenDesk } from '../../runtime/control/datastore-token-desk.ts';
import { tokenHash } from '../../runtime/control/datastore-token-secret.ts';
import { versionRecord } from '../../runtime/control/sample-records.ts';
import { type DatastoreTokenCreated } from '../../sdk/contract/admin/datastore-tokens.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';

interface Refusal {
  readonly status: string;
  readonly message: string;
}

/** What a call was answered, or how it was refused. */
type Outcome = { readonly answer: Plain } | { readonly refused: Refusal };

/** Headers as they are sent; those of the token among them. */
type Send = (method: V1Method, projectId: string, request: Plain, headers: Readonly<Record<string, string>>) => Promise<Outcome>;

let open: OpenDatastore;
let registry: AppRegistry;
let desk: DatastoreTokenDesk;
let server: DatastoreV1Server;
let port: number;
let client: grpc.Client;
let served = 0;
let mallory: DatastoreTokenCreated;
let victim: DatastoreTokenCreated;

const asIs = (bytes: Buffer): Buffer => bytes;

const sendGrpc: Send = (method, projectId, request, headers) => {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const bytes = encode(messageType(`${method}Request`), { ...request, projectId });
  return new Promise((resolve) => {
    client.makeUnaryRequest(`/google.datastore.v1.Datastore/${method}`, asIs, asIs, bytes, metadata, (error, answer) => {
      if (answer) resolve({ answer: decode(messageType(`${method}Response`), answer) });
      else resolve({ refused: { status: grpc.status[error?.code ?? 0] ?? '', message: error?.details ?? '' } });
    });
  });
};

const sendJson: Send = async (method, projectId, request, headers) => {
  const path = `/v1/projects/${encodeURIComponent(projectId)}:${method.charAt(0).toLowerCase()}${method.slice(1)}`;
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(request),
  });
  const body = (await response.json()) as Plain & { readonly error?: Refusal };
  return body.error ? { refused: { status: body.error.status, message: body.error.message } } : { answer: body };
};

const bearer = ({ secret }: { readonly secret: string }): Record<string, string> => ({ authorization: `Bearer ${secret}` });

async function deploy(appId: string): Promise<void> {
  await registry.stage(versionRecord(appId, 'default', 'v1'));
  await registry.serve(versionRecord(appId, 'default', 'v1'), { promote: true });
}

beforeAll(async () => {
  open = await openDatastore({
    onWrote: (appId) => {
      if (appId === SYSTEM_APP_ID) access.recordsChanged();
    },
  });
  const access = new TokenAccess(open.datastore, open.time, open.log);
  const rpc = new InProcessRpc([datastoreAdminService(open.datastore)], systemTimers);
  registry = new AppRegistry(new DatastoreControlStore(rpc), open.time, systemTimers, open.log);
  await registry.start();
  for (const appId of ['mallory', 'victim']) await deploy(appId);
  desk = new DatastoreTokenDesk(registry, rpc, open.time, systemRandom);
  [mallory, victim] = await Promise.all([desk.create('mallory', {}), desk.create('victim', {})]);
  const service = new DatastoreV1Service(() => open.datastore);
  const authenticate: Authenticate = (credentials) => access.authenticate(credentials);
  server = new DatastoreV1Server(
    { call: (method, request, caller) => (served++, service.call(method, request, caller)) },
    ...([systemClock, systemTimers, open.log, { authenticate }] as const),
  );
  ({ port } = await server.start({ host: '127.0.0.1', port: 0 }));
  client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
});

afterAll(async () => {
  client.close();
  registry.close();
  await server.close();
  await open.datastore.close();
});

const keyOf = (name: string, projectId?: string): Plain => ({
  ...(projectId === undefined ? {} : { partitionId: { projectId } }),
  path: [{ kind: 'Secret', name }],
});
const LOOKUP = { keys: [keyOf('one')] };

describe.each([
  ['gRPC', sendGrpc],
  ['JSON', sendJson],
])("62 tokens that nobody issued, on the datastore's port, by %s", (_, send) => {
  const swapped = (secret: string): string => secret.slice(0, -1) + (secret.endsWith('0') ? '1' : '0');

  test.each<[string, () => Record<string, string>]>([
    ['none', () => ({})],
    ['the word Bearer alone', () => ({ authorization: 'Bearer' })],
    ["what emulators' clients send", () => ({ authorization: 'Bearer owner' })],
    ['a made-up one', () => ({ authorization: `Bearer aeds_${'0'.repeat(64)}` })],
    ['one digit changed', () => ({ authorization: `Bearer ${swapped(victim.secret)}` })],
    ['one digit less', () => ({ authorization: `Bearer ${victim.secret.slice(0, -1)}` })],
    ['one digit more', () => ({ authorization: `Bearer ${victim.secret}0` })],
    ['in upper case', () => ({ authorization: `Bearer ${victim.secret.toUpperCase()}` })],
    ['without its prefix', () => ({ authorization: `Bearer ${victim.secret.slice(5)}` })],
    ['its id', () => ({ authorization: `Bearer ${victim.id}` })],
    ['the hash that is kept of it', () => ({ authorization: `Bearer aeds_${tokenHash(victim.secret) ?? ''}` })],
    ['two of them in one', () => ({ authorization: `Bearer ${mallory.secret}, Bearer ${victim.secret}` })],
    ['as a password', () => ({ authorization: `Basic ${Buffer.from(`x:${victim.secret}`).toString('base64')}` })],
    ['an unsigned web token', () => ({ authorization: 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ2aWN0aW0ifQ.' })],
    ['in headers that nobody asked for', () => ({ 'x-goog-api-key': victim.secret, cookie: `token=${victim.secret}` })],
    ['20 kB', () => ({ authorization: `Bearer aeds_${'0'.repeat(8_000)}` })],
  ])('%s: refused before the call is looked at', async (_what, make) => {
    const before = served;
    const outcome = await send('Lookup', 'victim', LOOKUP, make());
    expect(outcome).toMatchObject({ refused: { status: 'UNAUTHENTICATED', message: expect.stringContaining('datastore tokens create') } });
    expect(JSON.stringify(outcome)).not.toContain(victim.secret.slice(10, 60));
    expect(served).toBe(before);
  });

  test('an expired one, a deleted one, and one whose app is gone are refused at once', async () => {
    const of = (token: DatastoreTokenCreated, project: string): Promise<Outcome> => send('Lookup', project, LOOKUP, bearer(token));
    const refused = { refused: { status: 'UNAUTHENTICATED' } };
    const short = await desk.create('victim', { expiresDays: 1 });
    expect(await of(short, 'victim')).toHaveProperty('answer');
    open.time.advance(86_400_000);
    expect(await of(short, 'victim')).toMatchObject(refused);
    const deleted = await desk.create('victim', {});
    expect(await of(deleted, 'victim')).toHaveProperty('answer');
    await desk.delete('victim', deleted.id);
    expect(await of(deleted, 'victim')).toMatchObject(refused);
    await deploy('brief');
    const orphan = await desk.create('brief', {});
    expect(await of(orphan, 'brief')).toHaveProperty('answer');
    await registry.deleteVersion('brief', 'default', 'v1');
    expect(await of(orphan, 'brief')).toMatchObject(refused);
  });
});

test("62 on the datastore's port no secret is compared or kept: a record is found by the hash", async () => {
  const scan = open.store.scan({ from: Buffer.alloc(0), to: Buffer.from([0xff]) });
  const rows: string[] = [];
  for (let page = await scan.next(1_000); page.length > 0; page = await scan.next(1_000)) {
    rows.push(...page.map(({ key, value }) => Buffer.concat([key, value]).toString('latin1')));
  }
  await scan.close();
  const text = rows.join('\n');
  expect(text).toContain(tokenHash(victim.secret));
  expect(text).not.toContain(victim.secret);
  expect(text).not.toContain(victim.secret.slice(5));
});

/** Where an empty request would be refused for what it lacks. */
const REQUESTS: Partial<Record<V1Method, Plain>> = {
  RunQuery: { query: {} },
  RunAggregationQuery: { aggregationQuery: { nestedQuery: {}, aggregations: [{ count: {} }] } },
  Rollback: { transaction: 'AAAAAAAAAAAAAAAAAAAAAA==' },
};

describe.each([
  ['gRPC', sendGrpc],
  ['JSON', sendJson],
])("73 what belongs to another app, on the datastore's port, by %s", (_, send) => {
  const asMallory = (method: V1Method, request: Plain, projectId = 'mallory', headers: Readonly<Record<string, string>> = {}) =>
    send(method, projectId, request, { ...bearer(mallory), ...headers });
  const asVictim = async <T = Plain>(method: V1Method, request: Plain): Promise<T> => {
    const outcome = await send(method, 'victim', request, bearer(victim));
    if ('answer' in outcome) return outcome.answer as T;
    throw new Error(outcome.refused.message);
  };
  const upsert = (key: Plain, text: string): Plain => ({
    mode: 'NON_TRANSACTIONAL',
    mutations: [{ upsert: { key, properties: { text: { stringValue: text } } } }],
  });
  const secretOfVictim = async (): Promise<unknown> => {
    const { found } = await asVictim<{ found: { entity: { properties: { text: { stringValue: string } } } }[] }>('Lookup', LOOKUP);
    return found[0]?.entity.properties.text.stringValue;
  };
  const secret = keyOf('one', 'victim');
  const filter = (op: string, value: Plain): Plain => ({
    query: { kind: [{ name: 'Secret' }], filter: { propertyFilter: { property: { name: '__key__' }, op, value } } },
  });
  const gql = (queryString: string, extra: Plain = {}): Plain => ({ gqlQuery: { queryString, allowLiterals: true, ...extra } });

  beforeEach(async () => {
    await asVictim('Commit', upsert(keyOf('one'), 'of the victim'));
  });

  test.each<[string, V1Method, () => Plain]>([
    ['a key to read', 'Lookup', () => ({ keys: [secret] })],
    ['a key to write', 'Commit', () => upsert(secret, 'taken over')],
    ['a key to delete', 'Commit', () => ({ mode: 'NON_TRANSACTIONAL', mutations: [{ delete: secret }] })],
    ['a key to allocate ids for', 'AllocateIds', () => ({ keys: [{ partitionId: { projectId: 'victim' }, path: [{ kind: 'Secret' }] }] })],
    ['a key to reserve', 'ReserveIds', () => ({ keys: [{ partitionId: { projectId: 'victim' }, path: [{ kind: 'Secret', id: '5' }] }] })],
    ['a key in a filter', 'RunQuery', () => filter('GREATER_THAN_OR_EQUAL', { keyValue: secret })],
    ['an ancestor', 'RunQuery', () => filter('HAS_ANCESTOR', { keyValue: secret })],
    ['a partition', 'RunQuery', () => ({ partitionId: { projectId: 'victim' }, query: { kind: [{ name: 'Secret' }] } })],
    [
      'a partition to count in',
      'RunAggregationQuery',
      () => ({
        partitionId: { projectId: 'victim' },
        aggregationQuery: { nestedQuery: { kind: [{ name: 'Secret' }] }, aggregations: [{ count: {} }] },
      }),
    ],
    ['an ancestor in GQL', 'RunQuery', () => gql("SELECT * WHERE __key__ HAS ANCESTOR KEY(PROJECT('victim'), Secret, 'one')")],
    [
      'a bound key in GQL',
      'RunQuery',
      () => gql('SELECT * FROM Secret WHERE __key__ = @k', { namedBindings: { k: { value: { keyValue: secret } } } }),
    ],
  ])('%s is refused', async (_what, method, make) => {
    const outcome = await asMallory(method, make());
    expect(outcome).toMatchObject({ refused: { status: expect.stringMatching(/^(PERMISSION_DENIED|INVALID_ARGUMENT)$/) as string } });
    expect(await secretOfVictim()).toBe('of the victim');
  });

  test.each(V1_METHODS)('the project, in a call of %s, is refused in words that say nothing about it', async (method) => {
    const words = async (projectId: string): Promise<string> => {
      const outcome = await asMallory(method, REQUESTS[method] ?? {}, projectId);
      expect(outcome).toMatchObject({ refused: { status: 'PERMISSION_DENIED' } });
      return ('refused' in outcome ? outcome.refused.message : '').replaceAll(projectId, 'THAT');
    };
    const about = await words('victim');
    expect(about).toContain('bound to the project "mallory"');
    for (const other of ['no-such-app', '~system']) expect(await words(other)).toBe(about);
  });

  test.each<[string, Readonly<Record<string, string>>]>([
    ['routing', { 'x-goog-request-params': 'project_id=victim' }],
    ['billing', { 'x-goog-user-project': 'victim' }],
    ['instances', { 'x-appengine-inbound-appid': 'victim', host: 'victim' }],
  ])('headers of %s lead nowhere else', async (_what, headers) => {
    const outcome = await asMallory('Lookup', LOOKUP, 'mallory', headers);
    expect(outcome).toMatchObject({ answer: { missing: [{}] } });
    expect(outcome).not.toHaveProperty('answer.found');
  });

  test('a cursor is refused', async () => {
    await asVictim('Commit', upsert(keyOf('two'), 'more'));
    const all = { kind: [{ name: 'Secret' }] };
    const { batch } = await asVictim<{ batch: { endCursor: string } }>('RunQuery', { query: all });
    for (const end of ['startCursor', 'endCursor']) {
      const outcome = await asMallory('RunQuery', { query: { ...all, [end]: batch.endCursor } });
      expect(outcome).toMatchObject({ refused: { status: 'PERMISSION_DENIED' } });
    }
  });

  test('a transaction is as if it were not there', async () => {
    const { transaction } = await asVictim<{ transaction: string }>('BeginTransaction', {});
    const refused = { refused: { status: 'INVALID_ARGUMENT' } };
    expect(await asMallory('Lookup', { ...LOOKUP, readOptions: { transaction } })).toMatchObject(refused);
    expect(await asMallory('RunQuery', { query: { kind: [{ name: 'Secret' }] }, readOptions: { transaction } })).toMatchObject(refused);
    expect(await asMallory('Commit', { ...upsert(keyOf('x'), ''), mode: 'TRANSACTIONAL', transaction })).toMatchObject(refused);
    await asMallory('Rollback', { transaction });
    await asVictim('Commit', { ...upsert(keyOf('one'), 'goes on'), mode: 'TRANSACTIONAL', transaction });
    expect(await secretOfVictim()).toBe('goes on');
  });

  test('kinds and namespaces of the same name are two', async () => {
    const results = async (request: Plain): Promise<unknown> => {
      const outcome = await asMallory('RunQuery', request);
      return 'answer' in outcome ? ((outcome.answer['batch'] as Plain)['entityResults'] ?? []) : outcome.refused;
    };
    expect(await results({ query: { kind: [{ name: 'Secret' }] } })).toEqual([]);
    expect(await results({ query: {} })).toEqual([]);
    expect(await results(gql('SELECT * FROM __kind__'))).toEqual([]);
    expect(await results(gql('SELECT * FROM __namespace__'))).toEqual([]);
    const refused = { status: 'INVALID_ARGUMENT' };
    expect(await results({ partitionId: { namespaceId: '../victim' }, query: { kind: [{ name: 'Secret' }] } })).toMatchObject(refused);
    expect(await results({ databaseId: '\0victim', query: { kind: [{ name: 'Secret' }] } })).toMatchObject(refused);
  });
});

test("73 on the datastore's port a body cannot name another project than its path", async () => {
  const response = await fetch(`http://127.0.0.1:${port}/v1/projects/mallory:lookup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearer(mallory) },
    body: JSON.stringify({ projectId: 'victim', ...LOOKUP }),
  });
  const text = await response.text();
  expect([response.status, text]).toEqual([expect.toBeOneOf([200, 400, 403]), expect.not.stringContaining('found"')]);
});
