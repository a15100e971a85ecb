import { describe, expect, it } from 'vitest';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { type InstanceSpec, type InstanceView } from './instance.ts';
import { MemoryInstanceHost } from './memory-instance-host.ts';

const spec: InstanceSpec = {
  appId: 'hello',
  service: 'default',
  version: 'v1',
  deploymentId: '1',
  codeDirectory: '/code',
  command: ['node', 'server.js'],
  environment: {},
  memoryBytesMax: 1,
  pidsMax: 1,
  tmpBytesMax: 1,
  cpuWeight: 1,
  readyMsMax: 1_000,
};

function build(options: { readyMs: number; stopMs?: number; instancesMax?: number; memoryBudgetBytes?: number }) {
  const time = new VirtualTime();
  const host = new MemoryInstanceHost(time, time, options);
  const seen: string[] = [];
  const watch = () => host.watch({ onReset: () => seen.push('reset'), onChange: (view: InstanceView) => seen.push(view.state) });
  return { time, host, seen, watch };
}

describe('MemoryInstanceHost', () => {
  it('becomes ready after readyMs and tells watchers each state in order', async () => {
    const { time, host, seen, watch } = build({ readyMs: 40, stopMs: 10 });
    watch();
    const { id } = await host.start(spec);
    time.advance(39);
    expect(seen).toEqual(['reset', 'starting']);
    time.advance(1);
    await host.stop(id, { graceMs: 1_000 });
    time.advance(10);
    expect(seen).toEqual(['reset', 'starting', 'ready', 'stopping', 'exited']);
    expect(await host.list()).toEqual([]);
    expect(host.started).toEqual([spec]);
  });

  it('fails the next start, and only that one, with the exit it was given', async () => {
    const { time, host } = build({ readyMs: 5 });
    const exits: InstanceView[] = [];
    host.watch({ onReset: () => undefined, onChange: (view) => view.exit && exits.push(view) });
    host.failNextStart({ errorCode: 'INSTANCE_NEVER_LISTENED', reason: 'it never listened' });
    await host.start(spec);
    await host.start(spec);
    time.advance(5);
    expect(exits.map((view) => view.exit?.errorCode)).toEqual(['INSTANCE_NEVER_LISTENED']);
    expect((await host.list()).map((view) => view.state)).toEqual(['ready']);
  });

  it('kills at once, and does not become ready afterwards', async () => {
    const { time, host, seen, watch } = build({ readyMs: 5 });
    watch();
    const { id } = await host.start(spec);
    host.kill(id);
    time.advance(100);
    expect(seen).toEqual(['reset', 'starting', 'exited']);
  });

  it('refuses more instances than it may run', async () => {
    const { host } = build({ readyMs: 5, instancesMax: 1 });
    await host.start(spec);
    await expect(host.start(spec)).rejects.toMatchObject({ code: 'INSTANCE_LIMIT' });
  });

  it('refuses what its memory does not hold, and asks for room when it is nearly used up', async () => {
    const { time, host } = build({ readyMs: 5, memoryBudgetBytes: 1_000 });
    let pressed = 0;
    host.watch({ onReset: () => undefined, onChange: () => undefined, onPressure: () => pressed++ });
    const { id } = await host.start({ ...spec, memoryBytesMax: 800 });
    await expect(host.start({ ...spec, memoryBytesMax: 801 })).rejects.toMatchObject({ code: 'INSTANCE_MEMORY' });
    time.advance(5);
    host.setUsage(id, { memoryBytes: 700 });
    expect(pressed).toBe(0);
    await host.start({ ...spec, memoryBytesMax: 200 });
    host.setUsage(id, { memoryBytes: 950 });
    expect(pressed).toBe(1);
    expect(await host.capacity()).toMatchObject({ instances: 2, memory: { budgetBytes: 1_000, usedBytes: 950 } });
  });

  it('tells a late watcher and a reset one the whole truth', async () => {
    const { time, host, seen, watch } = build({ readyMs: 5 });
    await host.start(spec);
    time.advance(5);
    const end = watch();
    host.resetWatchers();
    end();
    host.resetWatchers();
    expect(seen).toEqual(['reset', 'ready', 'reset', 'ready']);
  });
});
