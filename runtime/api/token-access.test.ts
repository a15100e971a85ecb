import { describe, expect, test } from 'vitest';
import { openDatastore, type OpenDatastore } from '../../datastore/fixture.ts';
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { decodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { controlKey, DatastoreControlStore, SYSTEM_APP_ID } from '../control/datastore-control-store.ts';
import { newTokenSecret, tokenHash } from '../control/datastore-token-secret.ts';
import { lastUseOf } from '../control/datastore-token-use.ts';
import { tokenRecord } from '../control/sample-records.ts';
import { TokenAccess } from './token-access.ts';

interface World extends OpenDatastore {
  readonly access: TokenAccess;
  readonly records: DatastoreControlStore;
  /** How often a record was read from the store. */
  readonly reads: () => number;
}

async function world(): Promise<World> {
  const open = await openDatastore({
    onWrote: (appId) => {
      if (appId === SYSTEM_APP_ID) access.recordsChanged();
    },
  });
  let reads = 0;
  const counted = {
    lookup: (...given: Parameters<typeof open.datastore.lookup>) => (reads++, open.datastore.lookup(...given)),
    commit: (...given: Parameters<typeof open.datastore.commit>) => open.datastore.commit(...given),
  };
  const access: TokenAccess = new TokenAccess(counted, open.time, open.log);
  const rpc = new InProcessRpc([datastoreAdminService(open.datastore)], systemTimers);
  return { ...open, access, records: new DatastoreControlStore(rpc), reads: () => reads };
}

async function addToken({ records }: World, appId: string): Promise<string> {
  const secret = newTokenSecret(systemRandom);
  await records.commit([{ op: 'insert', record: tokenRecord(appId, tokenHash(secret) ?? '') }]);
  return secret;
}

async function useOf({ datastore }: World, secret: string): Promise<number | undefined> {
  const key = encodeKey(controlKey('datastore-token', tokenHash(secret) ?? ''));
  const { found } = await datastore.lookup({ appId: SYSTEM_APP_ID }, [key]);
  return found[0] && lastUseOf(decodeEntity(found[0].entity));
}

describe('who bears a token', () => {
  test('reaches its app, whatever else there is, and reads the record once', async () => {
    const all = await world();
    const [shop, blog] = [await addToken(all, 'shop'), await addToken(all, 'blog')];
    expect((await all.access.authenticate({ authorization: `Bearer ${shop}` })).appOf('shop')).toBe('shop');
    expect((await all.access.authenticate({ authorization: `bearer  ${blog}` })).appOf('blog')).toBe('blog');
    // Noting the use is a write of the records, after which they are read once more.
    for (const secret of [shop, blog]) await expect.poll(() => useOf(all, secret)).toBe(all.time.nowMs());
    await all.access.authenticate({ authorization: `Bearer ${shop}` });
    const before = all.reads();
    for (let call = 0; call < 20; call++) await all.access.authenticate({ authorization: `Bearer ${shop}` });
    expect(all.reads()).toBe(before);
  });

  test.each([
    [undefined, /none came with the call/],
    ['', /none came with the call/],
    ['Bearer owner', /what came as `authorization` is not one/],
    ['Basic YTpi', /what came as `authorization` is not one/],
    [`Bearer aeds_${'0'.repeat(64)}`, /the one that came is unknown/],
    [`Bearer aeds_${'0'.repeat(63)}`, /is not one/],
    [`Bearer AEDS_${'0'.repeat(64)}`, /is not one/],
    [`Bearer aeds_${'0'.repeat(64)} and more`, /is not one/],
    [`Bearer ${'x'.repeat(100_000)}`, /is not one/],
  ])('is refused with %j, and told how to make one', async (authorization, words) => {
    const { access } = await world();
    const refusal = access.authenticate({ authorization });
    await expect(refusal).rejects.toMatchObject({ code: 'V1_UNAUTHENTICATED' });
    await expect(refusal).rejects.toThrow(words);
    await expect(refusal).rejects.toThrow(/appengine datastore tokens create --app ID/);
  });

  test('is not let in by a hash, which is what somebody who read the records would have', async () => {
    const all = await world();
    const secret = await addToken(all, 'shop');
    await expect(all.access.authenticate({ authorization: `Bearer aeds_${tokenHash(secret) ?? ''}` })).rejects.toMatchObject({
      code: 'V1_UNAUTHENTICATED',
    });
  });
});

test('a record that is deleted while it is being read is not remembered', async () => {
  const all = await world();
  const secret = await addToken(all, 'shop');
  let deleteIt: (() => Promise<void>) | undefined;
  const slow = new TokenAccess(
    {
      lookup: async (...given) => {
        const answer = await all.datastore.lookup(...given);
        await deleteIt?.();
        return answer;
      },
      commit: () => Promise.reject(new PlatformError('DS_NOT_FOUND')),
    },
    all.time,
    all.log,
  );
  deleteIt = async () => {
    deleteIt = undefined;
    const key = encodeKey(controlKey('datastore-token', tokenHash(secret) ?? ''));
    await all.datastore.commit({ appId: SYSTEM_APP_ID }, [{ op: 'delete', key }]);
    slow.recordsChanged();
  };
  // It was there when this call came.
  expect((await slow.authenticate({ authorization: `Bearer ${secret}` })).appOf('shop')).toBe('shop');
  await expect(slow.authenticate({ authorization: `Bearer ${secret}` })).rejects.toMatchObject({ code: 'V1_UNAUTHENTICATED' });
});

test('of many tokens only so many are remembered', async () => {
  const all = await world();
  const bearers = await Promise.all(Array.from({ length: LIMITS.datastoreTokensCachedMax + 1 }, () => addToken(all, 'shop')));
  const quiet = new TokenAccess(
    {
      lookup: (...given) => (reads++, all.datastore.lookup(...given)),
      // So that noting a use does not make the records be read again.
      commit: () => Promise.reject(new PlatformError('DS_NOT_FOUND')),
    },
    all.time,
    all.log,
  );
  let reads = 0;
  const enter = (index: number) => quiet.authenticate({ authorization: `Bearer ${bearers[index] ?? ''}` });
  for (const index of bearers.keys()) await enter(index);
  expect(reads).toBe(bearers.length);
  await enter(bearers.length - 1);
  expect(reads).toBe(bearers.length);
  await enter(0);
  expect(reads).toBe(bearers.length + 1);
});
