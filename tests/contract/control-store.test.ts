// What every ControlStore keeps to. The datastore adapter runs over a real datastore, and over one that answers in batches of two.
import { describe, expect, it } from 'vitest';
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { Datastore } from '../../datastore/datastore.ts';
import { MemoryStore } from '../../datastore/storage/memory-store.ts';
import { type ControlRecord, type ControlStore, type VersionRecord } from '../../runtime/control/control-store.ts';
import { DatastoreControlStore, SYSTEM_APP_ID } from '../../runtime/control/datastore-control-store.ts';
import { cronRecord, dispatchRecord, queuesRecord, tokenRecord } from '../../runtime/control/sample-records.ts';
import { MemoryControlStore } from '../../runtime/control/memory-control-store.ts';
import { type CommitRequest, type RunQueryRequest, type RunQueryResponse } from '../../sdk/contract/datastore-wire.ts';
import { decodeEntityKey, decodeKey } from '../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { describeKey } from '../../sdk/contract/key.ts';
import { InProcessRpc, type Rpc } from '../../sdk/contract/wire/client.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { DatastoreIndexBuilder } from '../../runtime/control/index-builder.ts';

/** The part of `datastore-admin` that the adapter uses, over a map. */
class FakeDatastoreAdmin implements Rpc {
  readonly #entities = new Map<string, Uint8Array>();

  call(service: string, method: string, payload: unknown): Promise<unknown> {
    const { appId, ...request } = payload as { appId: string };
    expect([service, appId]).toEqual(['datastore-admin', SYSTEM_APP_ID]);
    return Promise.resolve().then(() =>
      method === 'commit' ? this.#commit(request as CommitRequest) : this.#query(request as RunQueryRequest),
    );
  }

  #commit({ mutations }: CommitRequest): unknown {
    const next = new Map(this.#entities);
    for (const mutation of mutations) {
      const key = describeKey(mutation.op === 'delete' ? decodeKey(mutation.key) : decodeEntityKey(mutation.entity));
      if (mutation.op === 'insert' && next.has(key)) throw new PlatformError('DS_ALREADY_EXISTS', key);
      if (mutation.op === 'delete') next.delete(key);
      else next.set(key, mutation.entity);
    }
    this.#entities.clear();
    for (const [key, entity] of next) this.#entities.set(key, entity);
    return { results: mutations.map(() => ({ version: 1n })), commitTimeMicros: 1n };
  }

  #query({ query }: RunQueryRequest): RunQueryResponse {
    if (!query) throw new Error('a query is wanted');
    const all = [...this.#entities].filter(([key]) => key.startsWith(`${query.entityKind ?? ''}:`)).sort(([a], [b]) => (a < b ? -1 : 1));
    const start = query.startCursor ? Number(Buffer.from(query.startCursor).toString()) : 0;
    const page = all.slice(start, start + 2);
    return {
      resultKind: 'full',
      results: page.map(([, entity], index) => ({ entity, version: 1n, cursor: Buffer.from(String(start + index + 1)) })),
      skipped: 0,
      endCursor: Buffer.from(String(start + page.length)),
      more: start + page.length < all.length ? 'not-finished' : 'no-more',
      query,
    };
  }
}

const version = (name: string): VersionRecord => ({
  kind: 'version',
  appId: 'guestbook',
  service: 'default',
  version: name,
  deploymentId: `d-${name}`,
  state: 'staged',
  createdAtMs: 1_700_000_000_000,
  runtime: 'nodejs',
  handlers: [
    {
      url: '/static',
      target: { kind: 'static-dir', directory: 'public' },
      secure: 'optional',
      redirectStatus: 302,
      login: 'required',
      authFailAction: 'unauthorized',
      requireMatchingFile: false,
    },
  ],
  defaultExpirationSeconds: 600,
  launch: {
    command: ['node', 'server.js'],
    environment: { GREETING: 'hällo' },
    memoryBytesMax: 1,
    pidsMax: 2,
    tmpBytesMax: 3,
    cpuWeight: 1,
    readyMsMax: 5,
    scaling: {
      kind: 'automatic',
      minInstances: 0,
      maxInstances: 20,
      minIdleInstances: 0,
      maxConcurrentRequests: 10,
      targetThroughputUtilization: 0.6,
      targetCpuUtilization: 0.6,
      minPendingLatencyMs: 30,
    },
    warmup: false,
  },
  fileListSha256: 'a'.repeat(64),
  files: 3,
  bytes: 4_000_000_000,
});
const app: ControlRecord = { kind: 'app', appId: 'guestbook', createdAtMs: 1 };
const traffic: ControlRecord = {
  kind: 'traffic',
  appId: 'guestbook',
  service: 'default',
  split: { v1: 0.9, v2: 0.1 },
  shardBy: 'ip',
  changedAtMs: 2,
};

async function realDatastore(): Promise<Rpc> {
  const datastore = new Datastore(new MemoryStore(), systemClock, systemTimers, systemRandom, new MemoryLog(), {});
  await datastore.start();
  return new InProcessRpc([datastoreAdminService(datastore)], systemTimers);
}

const stores: readonly (readonly [string, () => Promise<ControlStore>])[] = [
  ['MemoryControlStore', () => Promise.resolve(new MemoryControlStore())],
  ['DatastoreControlStore in small batches', () => Promise.resolve(new DatastoreControlStore(new FakeDatastoreAdmin()))],
  ['DatastoreControlStore', async () => new DatastoreControlStore(await realDatastore())],
];

describe.each(stores)('%s', (_, create) => {
  it('gives back what was put, every kind', async () => {
    const store = await create();
    const records: ControlRecord[] = [
      app,
      traffic,
      queuesRecord('guestbook'),
      cronRecord('guestbook'),
      dispatchRecord('guestbook'),
      tokenRecord('guestbook', 'a'.repeat(64), { expiresAtMs: 2 }),
      tokenRecord('guestbook', 'b'.repeat(64)),
      version('v1'),
      version('v2'),
      version('v3'),
    ];
    await store.commit(records.map((record) => ({ op: 'insert', record })));
    const loaded = await store.load();
    expect(loaded).toHaveLength(records.length);
    expect(loaded).toEqual(expect.arrayContaining(records));
  });

  it('replaces on put and forgets on delete', async () => {
    const store = await create();
    await store.commit([
      { op: 'insert', record: app },
      { op: 'insert', record: version('v1') },
    ]);
    await store.commit([
      { op: 'put', record: { ...version('v1'), state: 'serving' } },
      { op: 'delete', record: app },
    ]);
    expect(await store.load()).toEqual([{ ...version('v1'), state: 'serving' }]);
  });

  it('refuses to insert what is there, and then applies nothing', async () => {
    const store = await create();
    await store.commit([{ op: 'insert', record: version('v1') }]);
    await expect(
      store.commit([
        { op: 'put', record: app },
        { op: 'insert', record: version('v1') },
      ]),
    ).rejects.toMatchObject({ code: 'DS_ALREADY_EXISTS' });
    expect(await store.load()).toEqual([version('v1')]);
  });

  it('is content to delete what is not there', async () => {
    const store = await create();
    await store.commit([{ op: 'delete', record: app }]);
    expect(await store.load()).toEqual([]);
  });
});

describe('DatastoreIndexBuilder', () => {
  it('makes indexes of an app and sees them serve', async () => {
    const builder = new DatastoreIndexBuilder(await realDatastore());
    const definitions = [
      { kind: 'Greeting', ancestor: true, properties: [{ name: 'date', direction: 'desc' as const }] },
      {
        kind: 'Cat',
        ancestor: false,
        properties: [
          { name: 'a', direction: 'asc' as const },
          { name: 'b', direction: 'asc' as const },
        ],
      },
    ];
    expect(await builder.states('guestbook', definitions)).toEqual(['building', 'building']);
    await builder.ensure('guestbook', definitions);
    await expect.poll(() => builder.states('guestbook', definitions)).toEqual(['serving', 'serving']);
    expect(await builder.states('other', definitions)).toEqual(['building', 'building']);
  });
});
