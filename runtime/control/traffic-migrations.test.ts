import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RequestLogRow } from '../../router/ports.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { type ServiceView } from '../../sdk/contract/admin/admin.ts';
import { SampleControl } from './sample-deploy.ts';
import { TrafficMigrations } from './traffic-migrations.ts';
import { CountedRequestLog } from './version-counts.ts';

const APP = { 'app.yaml': 'runtime: nodejs\n', 'server.js': 'listen()' };
const HOUR_MS = 3_600_000;

describe('TrafficMigrations', () => {
  let directory: string;
  let sample: SampleControl;
  let rows: CountedRequestLog;
  let isRouterAway: boolean;
  let aheadMs = 0;
  const time = new VirtualTime();

  const migrations = (): TrafficMigrations =>
    new TrafficMigrations(
      sample.registry,
      {
        read: (appId, service) =>
          isRouterAway ? Promise.reject(new PlatformError('RPC_UNAVAILABLE')) : Promise.resolve(rows.read(appId, service)),
      },
      // An hour later at each look: a step is always due.
      { nowMs: () => Date.now() + (aheadMs += HOUR_MS), monotonicMs: () => 0 },
      time,
      new MemoryLog(),
    );
  const answers = (version: string, statuses: readonly number[], errorCode?: string): void => {
    for (const status of statuses) {
      const row = { appId: 'shop', service: 'default', version, status, ...(errorCode === undefined ? {} : { errorCode }) };
      rows.write(row as RequestLogRow);
    }
  };
  const service = async (): Promise<ServiceView> => {
    const [found] = (await sample.control.app('shop')).services;
    if (!found) throw new Error('no service');
    return found;
  };
  const migrate = (): Promise<unknown> => sample.control.setTraffic('shop', 'default', { split: { v2: 1 }, migrateMs: 70_000 });

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'migrate-'));
    sample = new SampleControl(directory);
    await sample.start();
    await sample.deploy('shop', APP, { version: 'v1' });
    await sample.deploy('shop', APP, { version: 'v2', promote: false });
    sample.warmed.length = 0;
    rows = new CountedRequestLog({ write: () => undefined }, { nowMs: () => 0, monotonicMs: () => 0 });
    isRouterAway = false;
  });

  afterEach(async () => {
    await sample.retirement.settled();
    await rm(directory, { recursive: true, force: true });
  });

  it('warms the version, then moves step by step to the end, and says how far it is', async () => {
    await migrate();
    expect(sample.warmed).toHaveLength(1);
    expect(await service()).toMatchObject({ split: { v1: 0.99, v2: 0.01 }, migration: { to: 'v2', state: 'running', progress: 0.01 } });
    const seen = [];
    const running = migrations();
    for (let look = 0; look < 8; look++) {
      await running.look();
      seen.push((await service()).split['v2']);
    }
    expect(seen).toEqual([0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1]);
    expect(await service()).toMatchObject({ split: { v2: 1 }, migration: { state: 'done', progress: 1 } });
  });

  it('goes on where it was after a restart of the control plane', async () => {
    await migrate();
    await migrations().look();
    await migrations().look();
    expect(await service()).toMatchObject({ split: { v1: 0.9, v2: 0.1 }, migration: { progress: 0.1, state: 'running' } });
  });

  it('rolls back when the new version fails, and says why', async () => {
    await migrate();
    const running = migrations();
    await running.look();
    answers('v1', Array<number>(200).fill(200));
    answers('v2', Array<number>(10).fill(500));
    await running.look();
    const { split, migration } = await service();
    expect(split).toEqual({ v1: 1 });
    expect(migration).toMatchObject({ state: 'rolled-back', reason: expect.stringContaining('10 of its 10') as string });
    await running.look();
    expect((await service()).split).toEqual({ v1: 1 });
  });

  it('does not blame the new version for what was before, for quotas, or for what the app says is the client\u2019s fault', async () => {
    rows.read('shop', 'default');
    answers('v2', Array<number>(50).fill(500));
    await migrate();
    const running = migrations();
    await running.look();
    answers('v2', Array<number>(50).fill(503), 'QUOTA_EXCEEDED');
    answers('v2', Array<number>(50).fill(404));
    await running.look();
    expect((await service()).migration?.state).toBe('running');
  });

  it('judges each step by its own answers', async () => {
    await migrate();
    const running = migrations();
    await running.look();
    for (let step = 0; step < 3; step++) {
      answers('v2', Array<number>(4).fill(500));
      await running.look();
    }
    expect((await service()).migration).toMatchObject({ state: 'running', progress: 0.35 });
  });

  it('counts anew after a restart of the router', async () => {
    await migrate();
    const running = migrations();
    rows.read('shop', 'default');
    answers('v2', [...Array<number>(40).fill(200), ...Array<number>(4).fill(500)]);
    await running.look();
    rows = new CountedRequestLog({ write: () => undefined }, { nowMs: () => 0, monotonicMs: () => 0 });
    rows.read('shop', 'default');
    answers('v2', Array<number>(6).fill(500));
    await running.look();
    expect((await service()).migration?.state).toBe('rolled-back');
  });

  it('waits while the router is away', async () => {
    await migrate();
    isRouterAway = true;
    await migrations().look();
    expect((await service()).migration?.progress).toBe(0.01);
  });

  it('ends when somebody sets the traffic', async () => {
    await migrate();
    await sample.control.setTraffic('shop', 'default', { split: { v1: 0.5, v2: 0.5 } });
    await migrations().look();
    const { split, migration } = await service();
    expect(split).toEqual({ v1: 0.5, v2: 0.5 });
    expect(migration).toBeUndefined();
  });

  it('changes nothing when the version cannot be started', async () => {
    sample.onWarm = () => Promise.reject(new PlatformError('INSTANCE_EXITED'));
    await expect(migrate()).rejects.toMatchObject({ code: 'INSTANCE_EXITED' });
    await expect(sample.control.setTraffic('shop', 'default', { split: { v2: 1 } })).rejects.toMatchObject({ code: 'INSTANCE_EXITED' });
    expect((await service()).split).toEqual({ v1: 1 });
    sample.onWarm = () => Promise.reject(new PlatformError('RPC_UNAVAILABLE'));
    await expect(migrate()).rejects.toMatchObject({ code: 'RPC_UNAVAILABLE' });
    await sample.control.setTraffic('shop', 'default', { split: { v2: 1 } });
    expect((await service()).split).toEqual({ v2: 1 });
  });
});

describe('CountedRequestLog', () => {
  it('forgets services that nobody asks about', () => {
    let nowMs = 0;
    const log = new CountedRequestLog({ write: () => undefined }, { nowMs: () => 0, monotonicMs: () => nowMs });
    log.read('a', 'default');
    log.write({ appId: 'a', service: 'default', version: 'v', status: 200 } as RequestLogRow);
    expect(log.read('a', 'default')).toEqual({ v: { requests: 1, errors: 0 } });
    nowMs = 600_001;
    expect(log.read('a', 'default')).toEqual({});
  });
});
