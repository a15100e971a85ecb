import { describe, expect, it } from 'vitest';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { AppRegistry } from './app-registry.ts';
import { type ControlChange, type ControlStore } from './control-store.ts';
import { MemoryControlStore } from './memory-control-store.ts';
import { shareOf, versionIn } from './registry-state.ts';
import { appRecord, versionRecord } from './sample-records.ts';

class MoodyStore extends MemoryControlStore {
  failNextCommit: PlatformError | undefined;
  commitsBeforeFailing = false;
  isDown = false;

  override async load(): ReturnType<ControlStore['load']> {
    if (this.isDown) throw new PlatformError('RPC_UNAVAILABLE');
    return super.load();
  }

  override async commit(changes: readonly ControlChange[]): Promise<void> {
    const failure = this.failNextCommit;
    this.failNextCommit = undefined;
    if (!failure || this.commitsBeforeFailing) await super.commit(changes);
    if (failure) throw failure;
  }
}

const time = new VirtualTime(5);
const registryOver = (store: ControlStore): AppRegistry => new AppRegistry(store, time, systemTimers, new MemoryLog());
const v1 = versionRecord('a', 'default', 'v1');

describe('AppRegistry', () => {
  it('is read from memory and survives a restart', async () => {
    const store = new MemoryControlStore();
    const registry = registryOver(store);
    await registry.start();
    await registry.stage(v1);
    await registry.serve(v1, { promote: true });
    expect(shareOf(registry.state, v1)).toBe(1);

    const again = registryOver(store);
    await again.start();
    expect(versionIn(again.state, 'a', 'default', 'v1').state).toBe('serving');
    expect(shareOf(again.state, v1)).toBe(1);
  });

  it('removes at start what a dead deploy left staged', async () => {
    const store = new MemoryControlStore();
    await store.commit([
      { op: 'put', record: appRecord('a') },
      { op: 'put', record: v1 },
    ]);
    const registry = registryOver(store);
    await registry.start();
    expect(registry.state.size).toBe(0);
    expect(await store.load()).toEqual([]);
  });

  it('shows every picture to its watchers, in order', async () => {
    const registry = registryOver(new MemoryControlStore());
    const seen: number[] = [];
    registry.watch((state) => seen.push(state.size));
    await registry.start();
    await registry.stage(v1);
    const late: number[] = [];
    const unsubscribe = registry.watch((state) => late.push(state.size));
    await registry.discard(v1);
    unsubscribe();
    await registry.stage(v1);
    expect(seen).toEqual([0, 1, 0, 1]);
    expect(late).toEqual([1, 0]);
  });

  it('lets one of two equal versions win', async () => {
    const registry = registryOver(new MemoryControlStore());
    await registry.start();
    const outcomes = await Promise.allSettled([registry.stage(v1), registry.stage({ ...v1, deploymentId: 'other' })]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  });

  it('believes the store when a commit fails and its outcome is unknown', async () => {
    const store = new MoodyStore();
    const registry = registryOver(store);
    await registry.start();
    store.failNextCommit = new PlatformError('RPC_CONNECTION_LOST');
    store.commitsBeforeFailing = true;
    await expect(registry.stage(v1)).rejects.toMatchObject({ code: 'RPC_CONNECTION_LOST' });
    expect(registry.state.has('a')).toBe(true);
  });

  it('keeps its picture when a change cannot be stored', async () => {
    const store = new MoodyStore();
    const registry = registryOver(store);
    await registry.start();
    store.failNextCommit = new PlatformError('RPC_UNAVAILABLE');
    await expect(registry.stage(v1)).rejects.toMatchObject({ code: 'RPC_UNAVAILABLE' });
    expect(registry.state.size).toBe(0);
    await registry.stage(v1);
    expect(registry.state.size).toBe(1);
  });

  it('waits at start for a store that is not there yet', async () => {
    const store = new MoodyStore();
    store.isDown = true;
    const registry = registryOver(store);
    expect(() => registry.state).toThrow(expect.objectContaining({ code: 'RPC_UNAVAILABLE' }));
    const started = registry.start();
    store.isDown = false;
    await started;
    expect(registry.state.size).toBe(0);
  });
});
