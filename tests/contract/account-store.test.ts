// What every AccountStore keeps to; the datastore adapter over a real datastore.
import { describe, expect, it } from 'vitest';
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { Datastore as DatastoreServer } from '../../datastore/datastore.ts';
import { MemoryStore } from '../../datastore/storage/memory-store.ts';
import { datastoreRpcOf } from '../../runtime/api/datastore-rpc.ts';
import { DatastoreAccountStore } from '../../runtime/backends/account-store-datastore.ts';
import { MemoryAccountStore } from '../../runtime/backends/account-store-memory.ts';
import { SYSTEM_APP_ID } from '../../runtime/control/datastore-control-store.ts';
import { type AccountRecord, type AccountStore } from '../../runtime/services/account-store.ts';
import { Datastore } from '../../sdk/client/datastore.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';

const account = (email: string, changes: Partial<AccountRecord> = {}): AccountRecord => ({
  email,
  id: '200000000000000000001',
  passwordHash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA',
  adminOf: ['blog', 'shop'],
  createdAtMs: 1_700_000_000_000,
  epoch: 1,
  ...changes,
});

const stores: readonly (readonly [string, () => Promise<AccountStore>])[] = [
  ['MemoryAccountStore', () => Promise.resolve(new MemoryAccountStore())],
  [
    'DatastoreAccountStore',
    async () => {
      const server = new DatastoreServer(new MemoryStore(), systemClock, systemTimers, systemRandom, new MemoryLog(), {});
      await server.start();
      const rpc = new InProcessRpc([datastoreAdminService(server)], systemTimers);
      return new DatastoreAccountStore(new Datastore(datastoreRpcOf(rpc, SYSTEM_APP_ID), systemTimers, systemRandom));
    },
  ],
];

describe.each(stores)('%s', (_, create) => {
  it('gives back what was put, more than one batch of it', async () => {
    const store = await create();
    expect(await store.load()).toEqual([]);
    const accounts = Array.from({ length: 350 }, (_each, index) =>
      account(`user${index}@example.com`, { id: `2${index}`, adminOf: index % 2 === 0 ? [] : ['*'] }),
    );
    for (const each of accounts) await store.insert(each);
    const loaded = await store.load();
    expect(loaded).toHaveLength(accounts.length);
    expect(loaded).toEqual(expect.arrayContaining(accounts));
  });

  it('takes an address once', async () => {
    const store = await create();
    await store.insert(account('ada@example.com'));
    await expect(store.insert(account('ada@example.com', { id: '2' }))).rejects.toMatchObject({ code: 'ACCOUNT_EXISTS' });
    expect(await store.load()).toEqual([account('ada@example.com')]);
  });

  it('changes what is there and nothing else', async () => {
    const store = await create();
    await store.insert(account('ada@example.com'));
    const changed = account('ada@example.com', { epoch: 2, adminOf: [] });
    await store.update(changed);
    expect(await store.load()).toEqual([changed]);
    await expect(store.update(account('eve@example.com'))).rejects.toMatchObject({ code: 'ACCOUNT_NOT_FOUND' });
    expect(await store.load()).toEqual([changed]);
  });

  it('forgets what is deleted, and is content when it is not there', async () => {
    const store = await create();
    await store.insert(account('ada@example.com'));
    await store.delete('ada@example.com');
    await store.delete('ada@example.com');
    expect(await store.load()).toEqual([]);
  });
});
