// What every TaskStore and QueueStateStore keeps to. The datastore adapters run over a real datastore.
import { describe, expect, it } from 'vitest';
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { Datastore } from '../../datastore/datastore.ts';
import { MemoryStore } from '../../datastore/storage/memory-store.ts';
import { DatastoreQueueStateStore, DatastoreTaskStore } from '../../runtime/backends/task-store-datastore.ts';
import { MemoryQueueStateStore, MemoryTaskStore } from '../../runtime/services/task-queue/memory-task-store.ts';
import { type QueueServiceState, type QueueStateStore, type TaskStore } from '../../runtime/services/task-queue/task-store.ts';
import { placeOf, type Task } from '../../runtime/services/task-queue/task.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { InProcessRpc, type Rpc } from '../../sdk/contract/wire/client.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';

async function realDatastore(): Promise<Rpc> {
  const datastore = new Datastore(new MemoryStore(), systemClock, systemTimers, systemRandom, new MemoryLog(), {});
  await datastore.start();
  return new InProcessRpc([datastoreAdminService(datastore)], systemTimers);
}

const MAIL = { appId: 'shop', queue: 'mail' };

const task = (name: string, changes: Partial<Task> = {}): Task => ({
  ...MAIL,
  name,
  isNamed: false,
  nonce: `nonce of ${name}`,
  epoch: 0,
  createdAtMs: 1_700_000_000_000,
  etaMs: 1_700_000_000_000,
  url: '/work?x=1',
  method: 'POST',
  headers: [['Content-Type', 'text/plain']],
  payload: Buffer.from('grüße'),
  target: 'v1.default',
  retries: 0,
  executions: 0,
  ...changes,
});

const names = (places: readonly { readonly name: string }[]): string[] => places.map(({ name }) => name);
/** A name ends with what sorts after a hyphen and before a letter. */
const byEndedName = (a: string, b: string): number => (`${a}/` < `${b}/` ? -1 : 1);
const plain = (found: Task | undefined): unknown => found && { ...found, payload: Buffer.from(found.payload).toString() };

const stores: readonly (readonly [string, () => Promise<TaskStore>])[] = [
  ['MemoryTaskStore', () => Promise.resolve(new MemoryTaskStore())],
  ['DatastoreTaskStore', async () => new DatastoreTaskStore(await realDatastore())],
];

describe.each(stores)('%s', (_, create) => {
  it('gives back what was put, every field', async () => {
    const store = await create();
    const full = task('full', {
      isNamed: true,
      retry: { retryLimit: 3, ageLimitSeconds: 60, minBackoffSeconds: 0.5, maxBackoffSeconds: 9, maxDoublings: 2 },
      deadlineMs: 20_000,
      retries: 2,
      executions: 1,
      firstTriedAtMs: 1_700_000_000_100,
      lastStatus: 500,
      lastReason: 'the handler answered 500',
    });
    await store.insert([full, task('bare', { payload: Buffer.alloc(0), headers: [], target: '' })]);
    const found = await store.find(MAIL, ['full', 'missing', 'bare']);
    expect(found).toHaveLength(2);
    expect(plain(found.find(({ name }) => name === 'full'))).toEqual(plain(full));
    expect(found.find(({ name }) => name === 'bare')?.payload).toHaveLength(0);
  });

  it('inserts all or none, and says that a name is taken', async () => {
    const store = await create();
    await store.insert([task('a')]);
    await expect(store.insert([task('b'), task('a')])).rejects.toMatchObject({ code: 'TASK_EXISTS' });
    expect(names(await store.page(MAIL, undefined, 10))).toEqual(['a']);
    await store.insert([task('a', { queue: 'other' }), task('a', { appId: 'other' })]);
  });

  it('pages through one queue by ETA and name', async () => {
    const store = await create();
    const tasks = [3, 1, 2].flatMap((eta) => ['x', 'x-2', 'w_1'].map((name) => task(`${name}-${eta}`, { etaMs: eta * 1_000, epoch: eta })));
    await store.insert([...tasks, task('near', { queue: 'mail0' }), task('near', { queue: 'mai' }), task('near', { appId: 'shop-2' })]);
    const all = await store.page(MAIL, undefined, 100);
    expect(names(all)).toEqual([1, 2, 3].flatMap((eta) => [`w_1-${eta}`, `x-${eta}`, `x-2-${eta}`].sort(byEndedName)));
    expect(all[0]).toEqual({ name: 'w_1-1', etaMs: 1_000, epoch: 1, isNamed: false });
    const paged: string[] = [];
    for (let page = await store.page(MAIL, undefined, 2); page.length > 0; page = await store.page(MAIL, page.at(-1), 2))
      paged.push(...names(page));
    expect(paged).toEqual(names(all));
  });

  it('moves an updated task, and lets one that is gone be gone', async () => {
    const store = await create();
    await store.insert([task('a', { etaMs: 1 }), task('b', { etaMs: 2 })]);
    await store.update(task('a', { etaMs: 3, retries: 1 }));
    await store.update(task('never-there'));
    expect(names(await store.page(MAIL, undefined, 10))).toEqual(['b', 'a']);
    expect((await store.find(MAIL, ['a']))[0]?.retries).toBe(1);
  });

  it('frees the name of a task that the platform named, and keeps one that the app chose until its time', async () => {
    const store = await create();
    const tasks = [task('auto'), task('chosen', { isNamed: true }), task('chosen-later', { isNamed: true })];
    await store.insert(tasks);
    const places = tasks.map(placeOf);
    await store.remove(MAIL, places.slice(0, 2), 5_000);
    await store.remove(MAIL, places.slice(2), 9_000);
    await store.remove(MAIL, [{ name: 'never-there', isNamed: false }], 0);
    expect(await store.page(MAIL, undefined, 10)).toEqual([]);
    expect(await store.find(MAIL, names(tasks))).toEqual([]);
    await store.insert([task('auto')]);
    await expect(store.insert([task('chosen')])).rejects.toMatchObject({ code: 'TASK_EXISTS' });
    expect(await store.releaseNames('shop', 5_001, 100)).toBe(1);
    await store.insert([task('chosen')]);
    await expect(store.insert([task('chosen-later')])).rejects.toMatchObject({ code: 'TASK_EXISTS' });
    expect(await store.releaseNames('shop', 5_001, 100)).toBe(0);
  });

  it("forgets the oldest names beyond a bound, and no other app's", async () => {
    const store = await create();
    for (const [index, name] of ['a', 'b', 'c'].entries()) await store.remove(MAIL, [{ name, isNamed: true }], 1_000 * (3 - index));
    await store.remove({ appId: 'shop-2', queue: 'mail' }, [{ name: 'a', isNamed: true }], 1);
    expect(await store.releaseNames('shop', 0, 1)).toBe(2);
    await store.insert([task('b'), task('c')]);
    await expect(store.insert([task('a')])).rejects.toMatchObject({ code: 'TASK_EXISTS' });
    await expect(store.insert([task('a', { appId: 'shop-2' })])).rejects.toMatchObject({ code: 'TASK_EXISTS' });
  });

  it('lists the queues that hold tasks', async () => {
    const store = await create();
    expect(await store.queues()).toEqual([]);
    await store.insert([task('a'), task('b'), task('c', { queue: '__cron' }), task('d', { appId: 'other', queue: 'default' })]);
    await store.remove({ appId: 'done', queue: 'q' }, [{ name: 'x', isNamed: true }], 1);
    const queues = await store.queues();
    expect(queues).toHaveLength(3);
    expect(queues).toEqual(
      expect.arrayContaining([
        { ...MAIL, tasks: 2 },
        { appId: 'shop', queue: '__cron', tasks: 1 },
        { appId: 'other', queue: 'default', tasks: 1 },
      ]),
    );
  });

  it('takes names and payloads at their limits, and more than one batch', async () => {
    const store = await create();
    const long = 'n'.repeat(500);
    await store.insert([task(long, { queue: 'q'.repeat(100), payload: Buffer.alloc(102_400, 'x'), isNamed: true })]);
    await store.remove({ ...MAIL, queue: 'q'.repeat(100) }, [{ name: long, isNamed: true }], 1);
    const many = Array.from({ length: 700 }, (_each, index) => task(`t${String(index).padStart(4, '0')}`));
    await store.insert(many.slice(0, 400));
    await store.insert(many.slice(400));
    expect(names(await store.page(MAIL, undefined, 1_000))).toEqual(names(many));
    await store.remove(MAIL, many, 1);
    expect(await store.queues()).toEqual([]);
  });
});

describe('DatastoreTaskStore over a connection that breaks', () => {
  /** Breaks after the commit went through, once. */
  class BreakingRpc implements Rpc {
    readonly #rpc: Rpc;
    readonly #before: boolean;
    #isBroken = false;

    constructor(rpc: Rpc, before: boolean) {
      this.#rpc = rpc;
      this.#before = before;
    }

    async call(service: string, method: string, payload: unknown): Promise<unknown> {
      if (method !== 'commit' || this.#isBroken) return this.#rpc.call(service, method, payload);
      this.#isBroken = true;
      if (!this.#before) await this.#rpc.call(service, method, payload);
      throw new PlatformError('RPC_CONNECTION_LOST');
    }
  }

  it.each([true, false])('adds a task once, whether or not the commit had gone through (%s)', async (before) => {
    const rpc = await realDatastore();
    await new DatastoreTaskStore(new BreakingRpc(rpc, before)).insert([task('a', { isNamed: true }), task('b')]);
    expect(names(await new DatastoreTaskStore(rpc).page(MAIL, undefined, 10))).toEqual(['a', 'b']);
  });

  it("does not take another's task for its own", async () => {
    const rpc = await realDatastore();
    await new DatastoreTaskStore(rpc).insert([task('a', { nonce: 'of another' })]);
    await expect(new DatastoreTaskStore(new BreakingRpc(rpc, true)).insert([task('a')])).rejects.toMatchObject({ code: 'TASK_EXISTS' });
  });
});

const stateStores: readonly (readonly [string, () => Promise<QueueStateStore>])[] = [
  ['MemoryQueueStateStore', () => Promise.resolve(new MemoryQueueStateStore())],
  ['DatastoreQueueStateStore', async () => new DatastoreQueueStateStore(await realDatastore())],
];

describe.each(stateStores)('%s', (_, create) => {
  const states: readonly QueueServiceState[] = [
    { kind: 'queue', ...MAIL, epoch: 3 },
    { kind: 'queue', ...MAIL, queue: 'paused', pausedAtMs: 5, epoch: 0 },
    { kind: 'job', appId: 'shop', jobId: 'mail', lastRunAtMs: 1 },
    { kind: 'job', appId: 'shop', jobId: 'b', lastRunAtMs: 1, endedAtMs: 2, lastStatus: 200, lastLatencyMs: 12 },
  ];

  it('gives back the newest of each, and forgets', async () => {
    const store = await create();
    await store.put({ kind: 'queue', ...MAIL, pausedAtMs: 1, epoch: 2 });
    for (const state of states) await store.put(state);
    const loaded = await store.load();
    expect(loaded).toHaveLength(states.length);
    expect(loaded).toEqual(expect.arrayContaining([...states]));
    await store.remove(states.slice(1));
    expect(await store.load()).toEqual(states.slice(0, 1));
  });
});
