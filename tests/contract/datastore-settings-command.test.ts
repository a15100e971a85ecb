// `appengine datastore settings` against the real console routes, reader and wire service.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { openDatastore, type OpenDatastore } from '../../datastore/fixture.ts';
import { DatastoreSettingsReader } from '../../runtime/control/datastore-settings-reader.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { systemTimers } from '../../sdk/support/clock.ts';
import { type ConsoleCommands, startConsoleCommands } from './console-commands.ts';

let open: OpenDatastore;
let appengine: ConsoleCommands;

beforeEach(async () => {
  open = await openDatastore();
  const rpc = new InProcessRpc([datastoreAdminService(open.datastore)], systemTimers);
  appengine = await startConsoleCommands({ datastoreSettings: new DatastoreSettingsReader(rpc) });
});

afterEach(async () => {
  await appengine.close();
  await open.datastore.close();
});

const settings = (...flags: string[]) => appengine.run('datastore', 'settings', ...flags);

test('shows and changes the concurrency mode, and leaves the other settings as they are', async () => {
  await open.datastore.settings.change('shop', (chosen) => ({ ...chosen, ttl: [{ kind: 'K', property: 'until' }] }));
  expect((await settings('--app', 'shop')).out).toMatch(/^concurrency {2}pessimistic: /);
  const changed = await settings('--app', 'shop', '--concurrency', 'optimistic', '--json');
  expect(JSON.parse(changed.out)).toEqual({ concurrency: 'optimistic' });
  expect(open.datastore.settings.of('shop')).toEqual({ concurrency: 'optimistic', ttl: [{ kind: 'K', property: 'until' }] });
  expect((await settings('--app', 'shop')).out).toMatch(/^concurrency {2}optimistic: /);
  expect(open.datastore.settings.of('other').concurrency).toBe('pessimistic');
});

test('refuses another mode, here and at the server', async () => {
  const refused = await settings('--app', 'shop', '--concurrency', 'eager');
  expect(refused.code).not.toBe(0);
  expect(refused.err).toContain('--concurrency is "eager", want pessimistic or optimistic');
  const rpc = new InProcessRpc([datastoreAdminService(open.datastore)], systemTimers);
  await expect(rpc.call('datastore-admin', 'changeSettings', { appId: 'shop', concurrency: 'eager' })).rejects.toEqual(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  );
});
