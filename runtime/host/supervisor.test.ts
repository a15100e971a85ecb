import { describe, expect, it } from 'vitest';
import { MemoryLog } from '../../sdk/support/log.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { errorBody, PlatformError } from '../../sdk/contract/errors.ts';
import { MemoryRoleSpawner, type RoleSpec } from './role-spawner.ts';
import { Supervisor } from './supervisor.ts';

const role = (name: string, more: Partial<RoleSpec> = {}): RoleSpec => ({ name, argv: ['node', name], environment: {}, ...more });

function build() {
  const time = new VirtualTime();
  const spawner = new MemoryRoleSpawner();
  const ready: string[] = [];
  const supervisor = new Supervisor(spawner, time, time, new MemoryLog(), { onReady: (name) => ready.push(name) });
  const states = () => supervisor.status().map(({ name, state }) => `${name} ${state}`);
  return { time, spawner, supervisor, ready, states, child: (index: number) => spawner.children[index]! };
}

const died = { code: null, signal: 'SIGKILL' };

describe('Supervisor', () => {
  it('resolves a start with what the role announced', async () => {
    const { supervisor, child, states } = build();
    const started = supervisor.start(role('router'));
    expect(states()).toEqual(['router starting']);
    child(0).say({ kind: 'ready', payload: { port: 80 } });
    expect(await started).toEqual({ port: 80 });
    expect(states()).toEqual(['router ready']);
  });

  it('starts a role that dies again after 100 ms, doubling to 5 s', async () => {
    const { supervisor, child, spawner, time } = build();
    void supervisor.start(role('router'));
    for (const waitMs of [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]) {
      const count = spawner.children.length;
      child(count - 1).exit(died);
      await time.advanceAsync(waitMs - 1);
      expect(spawner.children.length).toBe(count);
      await time.advanceAsync(1);
      expect(spawner.children.length).toBe(count + 1);
    }
    expect(supervisor.status()[0]).toMatchObject({ restarts: 8, lastExit: died });
  });

  it('restarts quickly again after two seconds of health, and not before', async () => {
    const { supervisor, child, spawner, time } = build();
    void supervisor.start(role('router'));
    child(0).exit(died);
    await time.advanceAsync(100);
    child(1).say({ kind: 'ready', payload: null });
    await time.advanceAsync(1_999);
    child(1).exit(died);
    await time.advanceAsync(199);
    expect(spawner.children.length).toBe(2);
    await time.advanceAsync(1);
    child(2).say({ kind: 'ready', payload: null });
    await time.advanceAsync(2_000);
    child(2).exit(died);
    await time.advanceAsync(100);
    expect(spawner.children.length).toBe(4);
  });

  it('leaves the others alone when one dies', async () => {
    const { supervisor, child, time, states } = build();
    for (const name of ['datastore', 'router']) void supervisor.start(role(name));
    child(0).say({ kind: 'ready', payload: null });
    child(1).say({ kind: 'ready', payload: null });
    child(0).exit(died);
    await time.advanceAsync(0);
    expect(states()).toEqual(['datastore waiting', 'router ready']);
  });

  it('throws what a first start says it failed with, and does not try again', async () => {
    const { supervisor, child, time, spawner, states } = build();
    const started = supervisor.start(role('router'));
    child(0).say({ kind: 'failed', error: errorBody(new PlatformError('PORT_BUSY', '8080')) });
    child(0).exit({ code: 1, signal: null });
    await expect(started).rejects.toMatchObject({ code: 'PORT_BUSY' });
    await time.advanceAsync(10_000);
    expect(spawner.children.length).toBe(1);
    expect(states()).toEqual(['router stopped']);
  });

  it('kills a role that is not ready in time, and starts it again', async () => {
    const { supervisor, child, time, spawner } = build();
    void supervisor.start(role('router'));
    await time.advanceAsync(60_000);
    expect(child(0).killed).toBe(true);
    await time.advanceAsync(100);
    expect(spawner.children.length).toBe(2);
  });

  it('stops in reverse order, each after the one before has ended', async () => {
    const { supervisor, child, time } = build();
    for (const name of ['datastore', 'control', 'router']) void supervisor.start(role(name));
    for (const index of [0, 1, 2]) child(index).say({ kind: 'ready', payload: null });
    const closed = supervisor.close();
    const told = () => [0, 1, 2].map((index) => child(index).sent.length);
    expect(told()).toEqual([0, 0, 1]);
    child(2).exit({ code: 0, signal: null });
    await time.advanceAsync(0);
    expect(told()).toEqual([0, 1, 1]);
    // The second never ends by itself.
    await time.advanceAsync(10_000);
    expect(child(1).killed).toBe(true);
    expect(told()).toEqual([1, 1, 1]);
    child(0).exit({ code: 0, signal: null });
    await closed;
    await supervisor.close();
  });

  it('does not start a role again that dies while it stops, or that waits for its restart', async () => {
    const { supervisor, child, time, spawner, states } = build();
    for (const name of ['datastore', 'router']) void supervisor.start(role(name));
    child(0).exit(died);
    await time.advanceAsync(0);
    const closed = supervisor.close();
    child(1).exit(died);
    await closed;
    await time.advanceAsync(10_000);
    expect(spawner.children.length).toBe(2);
    expect(states()).toEqual(['datastore stopped', 'router stopped']);
  });
});
