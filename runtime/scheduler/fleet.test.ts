import { describe, expect, it } from 'vitest';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { type InstanceHost, type InstanceSpec, type InstanceState, type InstanceView } from '../host/instance.ts';
import { Fleet } from './fleet.ts';

const SPEC: InstanceSpec = {
  appId: 'a',
  service: 'default',
  version: 'v1',
  deploymentId: 'd1',
  codeDirectory: '/code',
  command: [],
  environment: {},
  memoryBytesMax: 1,
  pidsMax: 1,
  tmpBytesMax: 1,
  cpuWeight: 1,
  readyMsMax: 1_000,
};

const viewOf = (id: string, state: InstanceState): InstanceView => ({
  id,
  appId: 'a',
  service: 'default',
  version: 'v1',
  deploymentId: 'd1',
  state,
  socketDirectory: `/sockets/${id}`,
  startedAtMs: 0,
  phases: {},
});

/** Answers start calls when the test says so, since over RPC answers and events come in any order. */
class SlowHost implements InstanceHost {
  readonly answers: { readonly accept: (id: string) => void; readonly refuse: (error: Error) => void }[] = [];
  readonly stops: string[] = [];
  refusesStops = false;

  start(): Promise<{ readonly id: string }> {
    return new Promise((resolve, reject) => this.answers.push({ accept: (id) => resolve({ id }), refuse: reject }));
  }

  stop(id: string): Promise<void> {
    this.stops.push(id);
    return this.refusesStops ? Promise.reject(new PlatformError('RPC_UNAVAILABLE')) : Promise.resolve();
  }

  capacity = (): Promise<never> => Promise.reject(new PlatformError('INTERNAL'));
  list = (): Promise<readonly InstanceView[]> => Promise.resolve([]);
  watch = (): (() => void) => () => undefined;
}

function newFleet(): { readonly fleet: Fleet; readonly host: SlowHost; readonly time: VirtualTime; readonly heard: string[] } {
  const host = new SlowHost();
  const time = new VirtualTime();
  const heard: string[] = [];
  const listener = {
    firstRequest: () => undefined,
    wantsStopRequest: () => false,
    onListening: (bootMs: number | undefined) => void heard.push(`listening ${bootMs ?? 'before'}`),
    onReady: () => void heard.push('ready'),
    onGone: (_: unknown, was: string) => void heard.push(`gone from ${was}`),
    onStarted: () => void heard.push('started'),
    onStartRefused: (error: PlatformError) => void heard.push(error.code),
  };
  return { fleet: new Fleet(host, time, time, new MemoryLog(), listener, { stopGraceMs: 100 }), host, time, heard };
}

describe('a start over RPC counts one instance', () => {
  it('when the answer comes before the first event', async () => {
    const { fleet, host, time, heard } = newFleet();
    fleet.start(SPEC);
    expect(fleet).toMatchObject({ size: 1, booting: 1 });
    host.answers[0]?.accept('i1');
    await time.advanceAsync(40);
    expect(fleet).toMatchObject({ size: 1, booting: 1 });
    fleet.onChange(viewOf('i1', 'starting'));
    fleet.onChange(viewOf('i1', 'ready'));
    expect(fleet).toMatchObject({ size: 1, booting: 0, ready: 1 });
    expect(heard).toEqual(['started', 'listening 40', 'ready']);
  });

  it('when the events come before the answer', async () => {
    const { fleet, host, time } = newFleet();
    fleet.start(SPEC);
    fleet.onChange(viewOf('i1', 'starting'));
    expect(fleet).toMatchObject({ size: 1, booting: 1 });
    fleet.onChange(viewOf('i1', 'ready'));
    expect(fleet).toMatchObject({ size: 1, ready: 1 });
    host.answers[0]?.accept('i1');
    await time.advanceAsync(0);
    expect(fleet).toMatchObject({ size: 1, ready: 1, booting: 0 });
  });

  it('and none, when it came and failed before the answer', async () => {
    const { fleet, host, time, heard } = newFleet();
    fleet.start(SPEC);
    fleet.onChange(viewOf('i1', 'starting'));
    fleet.onChange(viewOf('i1', 'exited'));
    host.answers[0]?.accept('i1');
    await time.advanceAsync(0);
    expect(fleet.size).toBe(0);
    expect(heard).toEqual(['gone from starting', 'started']);
  });

  it('and none, when only its exit was seen before the answer', async () => {
    const { fleet, host, time, heard } = newFleet();
    fleet.start(SPEC);
    fleet.onChange(viewOf('i1', 'exited'));
    host.answers[0]?.accept('i1');
    await time.advanceAsync(0);
    expect(fleet.size).toBe(0);
    expect(heard).toEqual(['gone from starting', 'started']);
  });

  it('when the answer was lost but the instance came', async () => {
    const { fleet, host, time, heard } = newFleet();
    fleet.start(SPEC);
    fleet.onChange(viewOf('i1', 'starting'));
    host.answers[0]?.refuse(new PlatformError('RPC_CONNECTION_LOST'));
    await time.advanceAsync(0);
    expect(fleet.size).toBe(1);
    expect(heard).toEqual(['RPC_CONNECTION_LOST']);
    fleet.start(SPEC);
    expect(fleet.size).toBe(2);
  });
});

describe('Fleet', () => {
  it('ignores the exit of an instance that it never knew', () => {
    const { fleet, heard } = newFleet();
    fleet.onChange(viewOf('stranger', 'exited'));
    expect(fleet.size).toBe(0);
    expect(heard).toEqual([]);
  });

  it('gives a stopping instance no request, though news of its readiness comes late', () => {
    const { fleet } = newFleet();
    fleet.onChange(viewOf('i1', 'ready'));
    const instance = fleet.get('i1');
    if (instance) fleet.stop(instance);
    fleet.onChange(viewOf('i1', 'ready'));
    expect(fleet).toMatchObject({ ready: 0, leaving: 1 });
    expect(fleet.choose(6, 10)).toBeUndefined();
  });

  it('tells the host again to stop what it did not hear of', async () => {
    const { fleet, host, time } = newFleet();
    fleet.onChange(viewOf('i1', 'ready'));
    host.refusesStops = true;
    const instance = fleet.get('i1');
    if (instance) fleet.stop(instance);
    await time.advanceAsync(0);
    host.refusesStops = false;
    fleet.tick(1_000, 1_000);
    await time.advanceAsync(0);
    fleet.tick(1_000, 1_000);
    expect(host.stops).toEqual(['i1', 'i1']);
  });

  it('drains one with requests, then stops it; an idle or booting one goes at once', () => {
    const { fleet, host } = newFleet();
    for (const id of ['busy', 'idle']) fleet.onChange(viewOf(id, 'ready'));
    fleet.onChange(viewOf('boot', 'starting'));
    fleet.get('busy')?.take(0);
    for (const instance of [...fleet.all()]) fleet.drain(instance);
    expect(host.stops).toEqual(['idle', 'boot']);
    expect(fleet).toMatchObject({ ready: 0, booting: 0, leaving: 3 });
    expect(fleet.choose(6, 10)).toBeUndefined();
  });

  it('stops a drained one whose requests do not end in time', async () => {
    const { fleet, host, time } = newFleet();
    fleet.onChange(viewOf('i1', 'ready'));
    const instance = fleet.get('i1');
    instance?.take(0);
    if (instance) fleet.drain(instance);
    await time.advanceAsync(5_000);
    fleet.tick(1_000, 5_000);
    expect(host.stops).toEqual([]);
    await time.advanceAsync(1);
    fleet.tick(1_000, 5_000);
    expect(host.stops).toEqual(['i1']);
  });

  it('takes those not listed for gone, save those that came after the question', () => {
    const { fleet } = newFleet();
    fleet.onChange(viewOf('old', 'ready'));
    const known = fleet.known();
    fleet.onChange(viewOf('new', 'ready'));
    fleet.reconcile(known, new Set());
    expect(fleet.known().map(({ id }) => id)).toEqual(['new']);
  });
});
