// `appengine datastore tokens` against the real console routes, desk, registry and datastore, and what a token opens then.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { openDatastore, type OpenDatastore } from '../../datastore/fixture.ts';
import { TokenAccess } from '../../runtime/api/token-access.ts';
import { AppRegistry } from '../../runtime/control/app-registry.ts';
import { DatastoreControlStore } from '../../runtime/control/datastore-control-store.ts';
import { DatastoreTokenDesk } from '../../runtime/control/datastore-token-desk.ts';
import { versionRecord } from '../../runtime/control/sample-records.ts';
import { type DatastoreTokenCreated, type DatastoreTokenView } from '../../sdk/contract/admin/datastore-tokens.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { type ConsoleCommands, startConsoleCommands } from './console-commands.ts';

let open: OpenDatastore;
let registry: AppRegistry;
let access: TokenAccess;
let appengine: ConsoleCommands;

const deploy = async (appId: string): Promise<void> => {
  const version = versionRecord(appId, 'default', 'v1');
  await registry.stage(version);
  await registry.serve(version, { promote: true });
};

beforeEach(async () => {
  open = await openDatastore({
    onWrote: (appId) => {
      if (appId === '~system') access.recordsChanged();
    },
  });
  access = new TokenAccess(open.datastore, open.time, open.log);
  const rpc = new InProcessRpc([datastoreAdminService(open.datastore)], systemTimers);
  registry = new AppRegistry(new DatastoreControlStore(rpc), open.time, systemTimers, new MemoryLog());
  await registry.start();
  await deploy('shop');
  appengine = await startConsoleCommands({ datastoreTokens: new DatastoreTokenDesk(registry, rpc, open.time, systemRandom) });
});

afterEach(async () => {
  await appengine.close();
  registry.close();
  await open.datastore.close();
});

const tokens = (...words: string[]) => appengine.run('datastore', 'tokens', ...words, '--app', 'shop');
const enter = async (secret: string): Promise<string> => (await access.authenticate({ authorization: `Bearer ${secret}` })).appOf('shop');
const create = async (...words: string[]): Promise<DatastoreTokenCreated> =>
  JSON.parse((await tokens('create', ...words, '--json')).out) as DatastoreTokenCreated;
const list = async (): Promise<readonly DatastoreTokenView[]> =>
  (JSON.parse((await tokens('list', '--json')).out) as { tokens: DatastoreTokenView[] }).tokens;

test('a token is shown once, opens its app, and is refused as soon as it is deleted', async () => {
  expect(await tokens('list')).toMatchObject({ code: 0, err: 'No tokens. Make one: appengine datastore tokens create --app shop\n' });
  const made = await tokens('create', '--name', 'ci');
  expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^aeds_[0-9a-f]{64}\n$/) as string });
  expect(made.err).toContain('reads and writes the data of shop until it is deleted.');
  const secret = made.out.trim();
  expect(await enter(secret)).toBe('shop');
  const listed = await tokens('list');
  expect(listed.out).toMatch(/^ID +NAME +ACCESS .*\n[0-9a-f]{12} +ci +read-write /);
  expect(listed.out).not.toContain(secret.slice(5, 20));
  const [{ id } = { id: '' }] = await list();
  expect(await tokens('delete', id)).toMatchObject({ code: 0, out: `Deleted the token ${id}; nothing is taken with it any more.\n` });
  await expect(enter(secret)).rejects.toMatchObject({ code: 'V1_UNAUTHENTICATED' });
  expect((await tokens('delete', id)).err).toContain('(NOT_FOUND)');
  expect(await list()).toEqual([]);
});

test('a token expires by itself, and says so', async () => {
  const { secret } = await create('--expires', '2', '--read-only');
  expect(await access.authenticate({ authorization: `Bearer ${secret}` })).toMatchObject({ isReadOnly: true });
  open.time.advance(2 * 86_400_000 - 1);
  expect(await enter(secret)).toBe('shop');
  open.time.advance(1);
  await expect(enter(secret)).rejects.toThrow(/expired at 2023-11-16T22:13:20Z/);
  expect((await tokens('list')).out).toMatch(/read-only .* 2023-11-16 22:13:20 \(expired\)\n$/);
});

test('its last use is told, to within an hour, and does not bring a deleted token back', async () => {
  const { secret, id } = await create();
  expect((await list())[0]?.usedAtMs).toBeUndefined();
  const firstMs = open.time.nowMs();
  await Promise.all([enter(secret), enter(secret)]);
  await expect.poll(async () => (await list())[0]?.usedAtMs).toBe(firstMs);
  open.time.advance(LIMITS.datastoreTokenUseMs - 1);
  await enter(secret);
  open.time.advance(1);
  expect((await list())[0]?.usedAtMs).toBe(firstMs);
  const again = enter(secret);
  await tokens('delete', id);
  await again;
  await expect(enter(secret)).rejects.toMatchObject({ code: 'V1_UNAUTHENTICATED' });
});

test('an app takes its tokens with it, and one of the same name begins without any', async () => {
  const { secret } = await create();
  await registry.deleteVersion('shop', 'default', 'v1');
  await expect(enter(secret)).rejects.toMatchObject({ code: 'V1_UNAUTHENTICATED' });
  await deploy('shop');
  await expect(enter(secret)).rejects.toMatchObject({ code: 'V1_UNAUTHENTICATED' });
  expect(await list()).toEqual([]);
});

test('what cannot be is refused, by the command line or by the server', async () => {
  for (const days of ['0', '1.5', 'x', String(LIMITS.datastoreTokenDaysMax + 1)]) {
    expect((await tokens('create', '--expires', days)).err).toContain(`--expires is "${days}"`);
  }
  const nobody = await appengine.run('datastore', 'tokens', 'create', '--app', 'nobody');
  expect([nobody.code, nobody.err]).toEqual([1, expect.stringContaining('(APP_NOT_FOUND)')]);
  const long = await tokens('create', '--name', 'x'.repeat(LIMITS.datastoreTokenNameCharactersMax + 1));
  expect(long.err).toContain('(INVALID_ARGUMENT)');
  for (let made = 0; made < LIMITS.datastoreTokensPerAppMax; made++) {
    await registry.addToken({
      ...{
        kind: 'datastore-token',
        appId: 'shop',
        hash: String(made),
        id: String(made),
        name: '',
        access: 'read-write',
        createdAtMs: made,
      },
    });
  }
  expect((await tokens('create')).err).toContain('"shop" has 100 datastore tokens, and may have no more');
});
