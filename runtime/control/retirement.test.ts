import { describe, expect, it } from 'vitest';
import { type AutomaticScaling, type ManualScaling } from '../../sdk/contract/app-manifest/manifest.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { SeededRandom, VirtualTime } from '../../sdk/support/virtual-time.ts';
import { MemoryInstanceHost } from '../host/memory-instance-host.ts';
import { type LaunchPlan } from '../scheduler/launch-plan.ts';
import { type LifecycleRequest } from '../scheduler/lifecycle-request.ts';
import { Scheduler } from '../scheduler/scheduler.ts';
import { Retirement } from './retirement.ts';

const MANUAL: ManualScaling = { kind: 'manual', instances: 1 };
const AUTOMATIC: AutomaticScaling = {
  kind: 'automatic',
  minInstances: 1,
  maxInstances: 20,
  minIdleInstances: 0,
  maxConcurrentRequests: 10,
  targetThroughputUtilization: 0.6,
  targetCpuUtilization: 0.6,
};
const TARGET = { appId: 'guestbook', service: 'default', version: 'v1', deploymentId: 'd1' };
const PLAN_REST = {
  warmup: false,
  spec: {
    ...TARGET,
    codeDirectory: '/code',
    command: ['node', 'app.js'],
    environment: {},
    memoryBytesMax: 1,
    pidsMax: 1,
    tmpBytesMax: 1,
    cpuWeight: 1,
    readyMsMax: 30_000,
  },
};

/** One deployed version with one instance, its scheduler, and what takes it away. */
class World {
  readonly time = new VirtualTime(5_000_000);
  readonly host = new MemoryInstanceHost(this.time, this.time, { readyMs: 100, stopMs: 60_000 });
  readonly removed: string[] = [];
  readonly asked: string[] = [];
  readonly retirement: Retirement;
  readonly scheduler: Scheduler;
  answersStart = true;
  #answerStop: () => void = () => undefined;
  #plan: LaunchPlan | undefined;

  constructor(scaling: AutomaticScaling | ManualScaling) {
    const log = new MemoryLog();
    const remove = (deploymentId: string): Promise<void> => {
      this.removed.push(deploymentId);
      return Promise.resolve();
    };
    this.retirement = new Retirement(this.host, { remove }, this.time, this.time, log);
    this.#plan = { ...PLAN_REST, scaling };
    this.scheduler = new Scheduler(this.host, { planOf: () => this.#plan }, this.time, this.time, new SeededRandom(7), log, {
      lifecycle: (request) => this.#lifecycle(request),
    });
  }

  async start(): Promise<void> {
    this.scheduler.start();
    await this.time.advanceAsync(0);
    this.scheduler.setDeployed(new Map([['d1', { isStopped: false }]]));
    this.scheduler.setServing(new Set(['d1']));
    await this.time.advanceAsync(1_000);
    this.scheduler.setServing(new Set());
  }

  /** As control and router do when a version is deleted; `routerMs` is how much later the router hears of it. */
  async delete(options: { readonly routerMs?: number } = {}): Promise<void> {
    this.retirement.retire('d1');
    await this.time.advanceAsync(options.routerMs ?? 0);
    this.#plan = undefined;
    this.scheduler.setDeployed(new Map());
    void this.scheduler.retire('d1');
    await this.time.advanceAsync(0);
  }

  answerStop(): void {
    this.#answerStop();
  }

  async states(): Promise<string[]> {
    return (await this.host.list()).map(({ state }) => state);
  }

  #lifecycle({ path }: LifecycleRequest): Promise<number> {
    this.asked.push(path);
    if (path === '/_ah/start' && this.answersStart) return Promise.resolve(200);
    return new Promise((resolve) => (this.#answerStop = () => resolve(200)));
  }
}

describe('the retirement of a deleted version', () => {
  it('gives an instance all the time that /_ah/stop promises, though the router hears of it late', async () => {
    const world = new World(MANUAL);
    await world.start();
    await world.delete({ routerMs: 500 });
    expect(world.asked).toEqual(['/_ah/start', '/_ah/stop']);
    await world.time.advanceAsync(LIMITS.instanceStopRequestMsMax - 1);
    expect(await world.states()).toEqual(['ready']);
    expect(world.removed).toEqual([]);
    await world.time.advanceAsync(1);
    expect(await world.states()).toEqual(['stopping']);
    await world.time.advanceAsync(LIMITS.instanceStopGraceMs + 200);
    expect(await world.states()).toEqual([]);
    expect(world.removed).toEqual(['d1']);
  });

  it('ends an instance sooner that has answered /_ah/stop', async () => {
    const world = new World(MANUAL);
    await world.start();
    await world.delete();
    await world.time.advanceAsync(8_000);
    expect(await world.states()).toEqual(['ready']);
    world.answerStop();
    await world.time.advanceAsync(LIMITS.instanceStopGraceMs + 200);
    expect(world.removed).toEqual(['d1']);
  });

  it('lets a request of automatic scaling go on as long, and no longer', async () => {
    const world = new World(AUTOMATIC);
    await world.start();
    await world.scheduler.acquire(TARGET, { signal: new AbortController().signal });
    await world.delete();
    await world.time.advanceAsync(LIMITS.instanceStopRequestMsMax);
    expect(await world.states()).toEqual(['ready']);
    await world.time.advanceAsync(1_200);
    expect(await world.states()).toEqual(['stopping']);
    await world.time.advanceAsync(LIMITS.instanceStopGraceMs);
    await world.retirement.settled();
    expect(world.removed).toEqual(['d1']);
  });

  it('ends at once what still boots', async () => {
    const world = new World(MANUAL);
    world.answersStart = false;
    await world.start();
    expect(world.scheduler.view().pools[0]?.instances.map(({ state }) => state)).toEqual(['warming']);
    await world.delete();
    expect(await world.states()).toEqual(['stopping']);
    expect(world.asked).toEqual(['/_ah/start']);
  });

  it('keeps nobody waiting when nothing runs', async () => {
    const world = new World({ ...AUTOMATIC, minInstances: 0 });
    await world.start();
    await world.delete();
    expect(world.removed).toEqual(['d1']);
  });
});
