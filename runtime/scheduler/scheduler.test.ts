import { describe, expect, it } from 'vitest';
import { type InstanceLease, type InstanceTarget } from '../../router/ports.ts';
import { type AutomaticScaling, type BasicScaling, type ManualScaling } from '../../sdk/contract/app-manifest/manifest.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { SeededRandom, VirtualTime } from '../../sdk/support/virtual-time.ts';
import { type InstanceSpec, type InstanceView } from '../host/instance.ts';
import { MemoryInstanceHost } from '../host/memory-instance-host.ts';
import { type LaunchPlan } from './launch-plan.ts';
import { type DeployedVersion, Scheduler, type SchedulerOptions } from './scheduler.ts';
import { type PoolView, schedulerViewSchema } from './scheduler-view.ts';

const READY_MS = 100;

const AUTOMATIC: AutomaticScaling = {
  kind: 'automatic',
  minInstances: 0,
  maxInstances: 20,
  minIdleInstances: 0,
  maxConcurrentRequests: 2,
  targetThroughputUtilization: 0.9,
  targetCpuUtilization: 0.6,
};

const target = (deploymentId: string): InstanceTarget => ({
  appId: 'guestbook',
  service: 'default',
  version: `v-${deploymentId}`,
  deploymentId,
});

const specOf = (deploymentId: string, readyMsMax: number): InstanceSpec => ({
  ...target(deploymentId),
  codeDirectory: '/code',
  command: ['node', 'app.js'],
  environment: {},
  memoryBytesMax: 1,
  pidsMax: 1,
  tmpBytesMax: 1,
  cpuWeight: 1,
  readyMsMax,
});

type Outcome = InstanceLease | PlatformError | 'waiting';

class Fixture {
  readonly time = new VirtualTime(5_000_000);
  readonly log = new MemoryLog();
  readonly plans = new Map<string, LaunchPlan>();
  readonly host: MemoryInstanceHost;
  readonly scheduler: Scheduler;

  constructor(options: SchedulerOptions = {}, hostOptions: { readonly instancesMax?: number; readonly memoryBudgetBytes?: number } = {}) {
    this.host = new MemoryInstanceHost(this.time, this.time, { readyMs: READY_MS, ...hostOptions });
    this.scheduler = this.newScheduler(options);
  }

  newScheduler(options: SchedulerOptions = {}): Scheduler {
    const plans = { planOf: (deploymentId: string) => this.plans.get(deploymentId) };
    return new Scheduler(this.host, plans, this.time, this.time, new SeededRandom(7), this.log, options);
  }

  plan(
    deploymentId: string,
    scaling: Partial<AutomaticScaling> = {},
    change: { readonly warmup?: boolean; readonly readyMsMax?: number } = {},
  ): void {
    this.plans.set(deploymentId, {
      spec: specOf(deploymentId, change.readyMsMax ?? 30_000),
      warmup: change.warmup ?? false,
      scaling: { ...AUTOMATIC, ...scaling },
    });
  }

  /** As `plan`, for any scaling. */
  planOther(deploymentId: string, scaling: AutomaticScaling | BasicScaling | ManualScaling): void {
    this.plans.set(deploymentId, { spec: specOf(deploymentId, 30_000), warmup: false, scaling });
  }

  /** The deployment is there for good. */
  deploy(deploymentId: string, change: Partial<DeployedVersion> = {}): void {
    this.scheduler.setDeployed(new Map([[deploymentId, { isStopped: false, ...change }]]));
  }

  /** A request whose outcome can be read at any time. */
  request(deploymentId: string, signal = new AbortController().signal): { outcome: Outcome } {
    const request: { outcome: Outcome } = { outcome: 'waiting' };
    this.scheduler.acquire(target(deploymentId), { signal }).then(
      (lease) => (request.outcome = lease),
      (error: unknown) => (request.outcome = error as PlatformError),
    );
    return request;
  }

  /** A lease that must be there after `withinMs`. */
  async lease(deploymentId: string, withinMs = READY_MS): Promise<InstanceLease> {
    const request = this.request(deploymentId);
    await this.time.advanceAsync(withinMs);
    return leaseOf(request);
  }

  pool(deploymentId: string): PoolView {
    const pool = this.scheduler.view().pools.find((each) => each.deploymentId === deploymentId);
    if (!pool) throw new Error(`no pool ${deploymentId}`);
    return pool;
  }
}

function leaseOf(request: { readonly outcome: Outcome }): InstanceLease {
  if (request.outcome === 'waiting' || request.outcome instanceof PlatformError) throw new Error(`no lease: ${String(request.outcome)}`);
  return request.outcome;
}

const started = async (
  options: SchedulerOptions = {},
  hostOptions: { readonly instancesMax?: number; readonly memoryBudgetBytes?: number } = {},
): Promise<Fixture> => {
  const fixture = new Fixture(options, hostOptions);
  fixture.scheduler.start();
  await fixture.time.advanceAsync(0);
  return fixture;
};

describe('a request', () => {
  it('starts the first instance and gets it when it is ready', async () => {
    const fixture = await started();
    fixture.plan('a');
    const request = fixture.request('a');
    await fixture.time.advanceAsync(READY_MS - 1);
    expect(request.outcome).toBe('waiting');
    await fixture.time.advanceAsync(1);
    expect(leaseOf(request)).toMatchObject({ isLoadingRequest: true, pendingMs: READY_MS, socketPath: '/memory/000000000001/app.sock' });
    expect(await fixture.lease('a', 0)).toMatchObject({ isLoadingRequest: false, pendingMs: 0 });
    expect(fixture.host.started).toHaveLength(1);
  });

  it('is given a place the moment another gives it back', async () => {
    const fixture = await started();
    fixture.plan('a', { maxInstances: 1 });
    const first = await fixture.lease('a');
    await fixture.lease('a', 0);
    const waiting = fixture.request('a');
    await fixture.time.advanceAsync(30);
    first.release('answered');
    await fixture.time.advanceAsync(0);
    expect(leaseOf(waiting).pendingMs).toBe(30);
    expect(fixture.pool('a')).toMatchObject({ inFlight: 2, queued: 0 });
  });

  it('counts once however often it is given back', async () => {
    const fixture = await started();
    fixture.plan('a');
    const lease = await fixture.lease('a');
    lease.release('answered');
    lease.release('answered');
    expect(fixture.pool('a').inFlight).toBe(0);
  });

  it('finds another instance under way before a queue forms', async () => {
    const fixture = await started();
    fixture.plan('a', { maxConcurrentRequests: 10, targetThroughputUtilization: 0.6 });
    await fixture.lease('a');
    for (let count = 0; count < 7; count++) await fixture.lease('a', 0);
    expect(fixture.host.started).toHaveLength(1);
    // For a moment that is chance; when it lasts, their mean over ten seconds passes 6.
    await fixture.time.advanceAsync(5_000);
    expect(fixture.host.started).toHaveLength(1);
    await fixture.time.advanceAsync(15_000);
    expect(fixture.host.started).toHaveLength(2);
  });

  it('says when a deployment serves, and when that was not heard of in time', async () => {
    const fixture = await started();
    const heard = fixture.scheduler.awaitServing('a');
    await fixture.time.advanceAsync(100);
    fixture.scheduler.setServing(new Set(['a']));
    await fixture.time.advanceAsync(10);
    await heard;
    const unheard = fixture.scheduler.awaitServing('b').catch((error: unknown) => error);
    await fixture.time.advanceAsync(6_000);
    expect(await unheard).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });

  it('leaves the queue with its client', async () => {
    const fixture = await started();
    fixture.plan('a');
    const client = new AbortController();
    const request = fixture.request('a', client.signal);
    await fixture.time.advanceAsync(10);
    client.abort(new PlatformError('CANCELLED'));
    await fixture.time.advanceAsync(0);
    expect(request.outcome).toMatchObject({ code: 'CANCELLED' });
    expect(fixture.pool('a')).toMatchObject({ inFlight: 0, queued: 0 });
    expect(fixture.request('a', client.signal)).toMatchObject({ outcome: 'waiting' });
    await fixture.time.advanceAsync(READY_MS);
    expect(fixture.pool('a').inFlight).toBe(0);
  });

  it('is not given to an instance that was asked to go, which ends after what it has', async () => {
    const fixture = await started();
    fixture.plan('a', { maxConcurrentRequests: 10 });
    const held = await fixture.lease('a');
    const [first] = fixture.pool('a').instances;
    fixture.scheduler.stopInstance(first?.id ?? '');
    const next = fixture.request('a');
    await fixture.time.advanceAsync(0);
    expect(next.outcome).toBe('waiting');
    await fixture.time.advanceAsync(READY_MS);
    expect(leaseOf(next).socketPath).not.toBe(held.socketPath);
    const states = async (): Promise<string[]> => (await fixture.host.list()).map(({ state }) => state);
    expect(await states()).toEqual(['ready', 'ready']);
    held.release('answered');
    await fixture.time.advanceAsync(0);
    expect((await fixture.host.list()).filter(({ state }) => state === 'ready').map(({ id }) => id)).not.toContain(first?.id);
    expect(() => fixture.scheduler.stopInstance('nobody')).toThrow(expect.objectContaining({ code: 'INSTANCE_NOT_FOUND' }) as Error);
  });

  it('is refused when the hold queue is full', async () => {
    const fixture = await started({ holdQueueEntriesMax: 3 });
    fixture.plan('a');
    for (let count = 0; count < 3; count++) fixture.request('a');
    const fourth = fixture.request('a');
    await fixture.time.advanceAsync(0);
    expect(fourth.outcome).toMatchObject({ code: 'ROUTE_QUEUE_FULL' });
  });

  it('is refused after ten seconds when no instance comes free', async () => {
    const fixture = await started();
    fixture.plan('a', { maxInstances: 1, maxConcurrentRequests: 1 });
    await fixture.lease('a');
    const request = fixture.request('a');
    await fixture.time.advanceAsync(9_999);
    expect(request.outcome).toBe('waiting');
    await fixture.time.advanceAsync(1);
    expect(request.outcome).toMatchObject({ code: 'ROUTE_PENDING_TIMEOUT' });
  });

  it('waits longer than that for a slow boot', async () => {
    const fixture = await started();
    fixture.host.readyMs = 25_000;
    fixture.plan('a', { maxConcurrentRequests: 10 });
    const request = fixture.request('a');
    await fixture.time.advanceAsync(25_000);
    expect(leaseOf(request)).toMatchObject({ isLoadingRequest: true, pendingMs: 25_000 });
  });

  it('is refused when the version has no plan and no instance', async () => {
    const fixture = await started();
    const request = fixture.request('unknown');
    await fixture.time.advanceAsync(0);
    expect(request.outcome).toMatchObject({ code: 'ROUTE_NOTHING_SERVING' });
    expect(fixture.scheduler.view().pools).toHaveLength(0);
  });
});

describe('a start that fails', () => {
  it('fails those who wait with its error, without what the app wrote', async () => {
    const fixture = await started();
    fixture.plan('a', { maxConcurrentRequests: 10 });
    fixture.host.failNextStart({ reason: 'exited with code 1', stderrTail: 'secret' });
    const requests = [fixture.request('a'), fixture.request('a')];
    await fixture.time.advanceAsync(READY_MS * 2);
    for (const { outcome } of requests) {
      expect(outcome).toMatchObject({ code: 'INSTANCE_EXITED', message: 'The app exited while it started: exited with code 1' });
      expect(JSON.stringify((outcome as PlatformError).details)).not.toContain('secret');
    }
  });

  it('waits a second before the next try, then serves those who came meanwhile', async () => {
    const fixture = await started();
    fixture.plan('a');
    fixture.host.failNextStart();
    fixture.request('a');
    await fixture.time.advanceAsync(READY_MS);
    const later = fixture.request('a');
    await fixture.time.advanceAsync(990);
    expect(fixture.host.started).toHaveLength(1);
    await fixture.time.advanceAsync(110 + READY_MS);
    expect(leaseOf(later).isLoadingRequest).toBe(true);
  });

  it('is soon told to newcomers at once, when the next try is far away', async () => {
    const fixture = await started();
    fixture.plan('a');
    for (let failure = 0; failure < 5; failure++) {
      await fixture.time.advanceAsync(9_500);
      fixture.host.failNextStart();
      fixture.request('a');
      await fixture.time.advanceAsync(READY_MS);
    }
    expect(fixture.pool('a').startFailures).toBe(5);
    const request = fixture.request('a');
    await fixture.time.advanceAsync(0);
    expect(request.outcome).toMatchObject({ code: 'INSTANCE_EXITED' });
  });

  it('leaves those who wait to the other instances, when there are any', async () => {
    const fixture = await started();
    fixture.plan('a', { maxConcurrentRequests: 1 });
    const first = await fixture.lease('a');
    fixture.host.failNextStart();
    const waiting = fixture.request('a');
    await fixture.time.advanceAsync(READY_MS);
    expect(waiting.outcome).toBe('waiting');
    first.release('answered');
    await fixture.time.advanceAsync(0);
    leaseOf(waiting);
  });

  it('counts for an instance that dies before it answered anything, but not for one that did', async () => {
    const fixture = await started();
    fixture.plan('a');
    const first = await fixture.lease('a');
    first.release('answered');
    fixture.host.kill(first.instanceId);
    const second = await fixture.lease('a');
    expect(fixture.pool('a').startFailures).toBe(0);
    fixture.host.kill(second.instanceId);
    const third = fixture.request('a');
    await fixture.time.advanceAsync(READY_MS);
    expect(third.outcome).toBe('waiting');
    expect(fixture.pool('a')).toMatchObject({ startFailures: 1, instances: [] });
    await fixture.time.advanceAsync(1_100);
    leaseOf(third).release('answered');
    expect(fixture.pool('a').startFailures).toBe(0);
  });

  it('is no fault of the app when the host is full: those who wait wait on', async () => {
    const fixture = await started({}, { instancesMax: 1 });
    fixture.plan('a', { minInstances: 1 });
    fixture.plan('b');
    fixture.scheduler.setServing(new Set(['a']));
    await fixture.time.advanceAsync(READY_MS);
    const request = fixture.request('b');
    await fixture.time.advanceAsync(1_000);
    expect(request.outcome).toBe('waiting');
    expect(fixture.pool('b').startFailures).toBe(0);
    fixture.scheduler.setServing(new Set());
    void fixture.scheduler.retire('a');
    await fixture.time.advanceAsync(1_000);
    leaseOf(request);
  });
});

describe('an instance', () => {
  it('that dies is forgotten at once with what it carried, and the rest goes to the others', async () => {
    const fixture = await started();
    fixture.plan('a', { minInstances: 2, maxConcurrentRequests: 2 });
    fixture.scheduler.setServing(new Set(['a']));
    await fixture.time.advanceAsync(READY_MS);
    const lease = await fixture.lease('a', 0);
    fixture.host.kill(lease.instanceId);
    expect(fixture.pool('a').inFlight).toBe(0);
    lease.release('failed');
    expect(fixture.pool('a').inFlight).toBe(0);
    expect((await fixture.lease('a', 0)).instanceId).not.toBe(lease.instanceId);
  });

  it('whose connection failed gets no request until the host says that it lives', async () => {
    const fixture = await started();
    fixture.plan('a', { minInstances: 2 });
    fixture.scheduler.setServing(new Set(['a']));
    await fixture.time.advanceAsync(READY_MS);
    const lease = await fixture.lease('a', 0);
    lease.release('failed');
    const retry = await fixture.lease('a', 0);
    expect(retry.instanceId).not.toBe(lease.instanceId);
    expect(fixture.pool('a').instances.find(({ id }) => id === lease.instanceId)?.isSuspect).toBe(true);
    await fixture.time.advanceAsync(60);
    expect(fixture.pool('a').instances.find(({ id }) => id === lease.instanceId)?.isSuspect).toBe(false);
  });

  it('under suspicion gets those who wait for it once the host vouches for it', async () => {
    const fixture = await started();
    fixture.plan('a', { maxInstances: 1 });
    const lease = await fixture.lease('a');
    lease.release('failed');
    const retry = fixture.request('a');
    await fixture.time.advanceAsync(40);
    expect(retry.outcome).toBe('waiting');
    await fixture.time.advanceAsync(20);
    expect(leaseOf(retry).instanceId).toBe(lease.instanceId);
  });

  it('goes after the keep-alive time, and not before', async () => {
    const fixture = await started({ keepAliveMs: () => 60_000 });
    fixture.plan('a');
    (await fixture.lease('a')).release('answered');
    await fixture.time.advanceAsync(59_000);
    expect(fixture.pool('a').instances).toHaveLength(1);
    await fixture.time.advanceAsync(3_000);
    expect(await fixture.host.list()).toHaveLength(0);
    await fixture.time.advanceAsync(60_000);
    expect(fixture.scheduler.view().pools).toHaveLength(0);
  });

  it('held by min_instances stays while the version has traffic, and goes when it has none', async () => {
    const fixture = await started({ keepAliveMs: () => 1_000 });
    fixture.plan('a', { minInstances: 1 });
    fixture.scheduler.setServing(new Set(['a']));
    await fixture.time.advanceAsync(120_000);
    expect(await fixture.host.list()).toHaveLength(1);
    fixture.scheduler.setServing(new Set());
    await fixture.time.advanceAsync(2_000);
    expect(await fixture.host.list()).toHaveLength(0);
  });

  it('of an app whose requests are refused is not started ahead of any, and is started again once they are not', async () => {
    let isRefused = true;
    const fixture = await started({ isRefused: () => isRefused });
    fixture.plan('a', { minInstances: 1 });
    fixture.scheduler.setServing(new Set(['a']));
    await fixture.time.advanceAsync(10_000);
    expect(await fixture.host.list()).toHaveLength(0);
    // One who was let in before is served.
    (await fixture.lease('a')).release('answered');
    expect(await fixture.host.list()).toHaveLength(1);
    await fixture.host.stop((await fixture.host.list())[0]!.id, { graceMs: 1_000 });
    await fixture.time.advanceAsync(30_000);
    expect(await fixture.host.list()).toHaveLength(0);
    isRefused = false;
    await fixture.time.advanceAsync(5_000);
    expect(await fixture.host.list()).toHaveLength(1);
  });

  it('idle elsewhere makes room when the host is full', async () => {
    const fixture = await started({ instancesMax: 1 });
    fixture.plan('a');
    fixture.plan('b');
    (await fixture.lease('a')).release('answered');
    await fixture.time.advanceAsync(2_000);
    const lease = await fixture.lease('b', READY_MS + 10);
    expect(lease.isLoadingRequest).toBe(true);
    expect(fixture.pool('a').instances).toHaveLength(0);
  });

  it('of which nothing is heard is given up', async () => {
    const fixture = await started();
    fixture.plan('a', {}, { readyMsMax: 5_000 });
    fixture.host.readyMs = 1e9;
    const request = fixture.request('a');
    await fixture.time.advanceAsync(17_000);
    expect(request.outcome).toMatchObject({ code: expect.stringMatching(/ROUTE_PENDING_TIMEOUT|INSTANCE_NEVER_LISTENED/) });
    expect(await fixture.host.list()).toHaveLength(0);
  });
});

describe('warming', () => {
  it('starts one instance, which the first request then finds ready', async () => {
    const fixture = await started();
    fixture.plan('a');
    const warmed = fixture.scheduler.warm('a');
    await fixture.time.advanceAsync(READY_MS);
    await warmed;
    expect(await fixture.lease('a', 0)).toMatchObject({ pendingMs: 0, isLoadingRequest: true });
    expect(fixture.host.started).toHaveLength(1);
    await fixture.scheduler.warm('a');
    expect(fixture.host.started).toHaveLength(1);
  });

  it('waits for a plan that is on its way, and no longer than five seconds', async () => {
    const fixture = await started();
    const warmed = fixture.scheduler.warm('a');
    const lost = fixture.scheduler.warm('lost');
    const lostFailed = expect(lost).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' });
    await fixture.time.advanceAsync(3_000);
    fixture.plan('a');
    await fixture.time.advanceAsync(3_000);
    await warmed;
    await lostFailed;
  });

  it('says why the start failed, with the last lines of stderr, and tries again when asked again', async () => {
    const fixture = await started();
    fixture.plan('a');
    fixture.host.failNextStart({ errorCode: 'INSTANCE_NEVER_LISTENED', reason: 'not within 30 s', stderrTail: 'no such module' });
    const warmed = fixture.scheduler.warm('a');
    const failed = expect(warmed).rejects.toMatchObject({ code: 'INSTANCE_NEVER_LISTENED', details: { stderrTail: 'no such module' } });
    await fixture.time.advanceAsync(READY_MS);
    await failed;
    const again = fixture.scheduler.warm('a');
    await fixture.time.advanceAsync(READY_MS);
    await again;
  });

  it('fails at once when the host is full and nothing can make room', async () => {
    const fixture = await started({ instancesMax: 1 });
    fixture.plan('a');
    fixture.plan('b');
    await fixture.lease('a');
    const failed = expect(fixture.scheduler.warm('b')).rejects.toMatchObject({ code: 'INSTANCE_LIMIT' });
    await fixture.time.advanceAsync(0);
    await failed;
  });

  it('ends with an error when nothing ever becomes ready', async () => {
    const fixture = await started();
    fixture.plan('a', {}, { readyMsMax: 5_000 });
    fixture.host.readyMs = 1e9;
    const failed = expect(fixture.scheduler.warm('a')).rejects.toMatchObject({ code: expect.any(String) });
    await fixture.time.advanceAsync(20_000);
    await failed;
  });

  it('sends a warm-up request first to an app that takes one, unless somebody waits', async () => {
    const warmedUp: string[] = [];
    let answer = (): void => undefined;
    const lifecycle = ({ path, instanceId }: { readonly path: string; readonly instanceId: string }): Promise<number> => {
      warmedUp.push(`${path} ${instanceId}`);
      return new Promise((resolve) => (answer = () => resolve(500)));
    };
    const fixture = await started({ lifecycle });
    fixture.plan('a', {}, { warmup: true });
    fixture.plan('b', {}, { warmup: true });
    let isWarm = false;
    void fixture.scheduler.warm('a').then(() => (isWarm = true));
    await fixture.time.advanceAsync(READY_MS);
    expect(warmedUp).toEqual(['/_ah/warmup 000000000001']);
    expect(isWarm).toBe(false);
    expect(fixture.pool('a').instances[0]?.state).toBe('warming');
    answer();
    await fixture.time.advanceAsync(0);
    expect(isWarm).toBe(true);
    await fixture.lease('b');
    expect(warmedUp).toHaveLength(1);
  });

  it('takes an instance whose warm-up request is never answered after ten seconds', async () => {
    const fixture = await started({ lifecycle: () => new Promise(() => undefined) });
    fixture.plan('a', {}, { warmup: true });
    const warmed = fixture.scheduler.warm('a');
    await fixture.time.advanceAsync(READY_MS + 10_000);
    await warmed;
    expect(fixture.pool('a').instances[0]?.state).toBe('ready');
  });
});

describe('retiring', () => {
  it('stops idle instances now and busy ones after their last request', async () => {
    const fixture = await started();
    fixture.plan('a', { minInstances: 2 });
    fixture.scheduler.setServing(new Set(['a']));
    await fixture.time.advanceAsync(READY_MS);
    const lease = await fixture.lease('a', 0);
    let isRetired = false;
    fixture.scheduler.setServing(new Set());
    void fixture.scheduler.retire('a').then(() => (isRetired = true));
    await fixture.time.advanceAsync(10);
    expect((await fixture.host.list()).map(({ id }) => id)).toEqual([lease.instanceId]);
    expect(isRetired).toBe(false);
    lease.release('answered');
    await fixture.time.advanceAsync(10);
    expect(isRetired).toBe(true);
    expect(await fixture.host.list()).toHaveLength(0);
  });

  it.each<['retired' | 'stopped', string, AutomaticScaling | BasicScaling | ManualScaling, number]>([
    ['retired', '10 minutes', AUTOMATIC, 600_000],
    ['stopped', '10 minutes', AUTOMATIC, 600_000],
    ['retired', '24 hours', { kind: 'basic', maxInstances: 1, idleTimeoutMs: 60_000 }, 86_400_000],
    ['stopped', '24 hours', { kind: 'manual', instances: 1 }, 86_400_000],
  ])('stops busy ones too when their requests never end: %s, after %s (%#)', async (end, _, scaling, requestMs) => {
    const fixture = await started();
    fixture.planOther('a', scaling);
    void fixture.scheduler.warm('a');
    await fixture.time.advanceAsync(READY_MS);
    const { instanceId } = await fixture.lease('a', 0);
    if (end === 'retired') void fixture.scheduler.retire('a');
    else fixture.scheduler.stopInstance(instanceId);
    await fixture.time.advanceAsync(requestMs - 2_000);
    expect((await fixture.host.list()).map(({ id, state }) => [id, state])).toEqual([[instanceId, 'ready']]);
    await fixture.time.advanceAsync(4_000);
    expect(await fixture.host.list()).toHaveLength(0);
  });

  it('serves those who were held before it', async () => {
    const fixture = await started();
    fixture.plan('a');
    const held = fixture.request('a');
    void fixture.scheduler.retire('a');
    await fixture.time.advanceAsync(READY_MS);
    leaseOf(held).release('answered');
    await fixture.time.advanceAsync(10);
    expect(await fixture.host.list()).toHaveLength(0);
  });

  it('starts anew for those who were held when the last instance dies', async () => {
    const fixture = await started();
    fixture.plan('a', { maxInstances: 1, maxConcurrentRequests: 1 });
    (await fixture.lease('a')).release('answered');
    const busy = await fixture.lease('a', 0);
    const held = fixture.request('a');
    void fixture.scheduler.retire('a');
    await fixture.time.advanceAsync(10);
    fixture.host.kill(busy.instanceId);
    await fixture.time.advanceAsync(READY_MS);
    expect(leaseOf(held).instanceId).not.toBe(busy.instanceId);
  });

  it('ends when the version is asked for again, and refuses when it is deleted', async () => {
    const fixture = await started();
    fixture.plan('a');
    const lease = await fixture.lease('a');
    const retired = fixture.scheduler.retire('a');
    fixture.plans.delete('a');
    const refused = fixture.request('a');
    await fixture.time.advanceAsync(0);
    expect(refused.outcome).toMatchObject({ code: 'ROUTE_NOTHING_SERVING' });
    fixture.plan('a');
    const again = await fixture.lease('a', 0);
    await retired;
    expect(again.instanceId).toBe(lease.instanceId);
    expect(fixture.pool('a').isDraining).toBe(false);
  });
});

describe('after a restart of the router', () => {
  it('adopts what the host runs instead of starting more', async () => {
    const fixture = await started();
    fixture.plan('a');
    const lease = await fixture.lease('a');
    lease.release('answered');
    await fixture.scheduler.close();
    const second = fixture.newScheduler();
    second.start();
    const granted = second.acquire(target('a'), { signal: new AbortController().signal });
    await fixture.time.advanceAsync(0);
    expect(await granted).toMatchObject({ instanceId: lease.instanceId, isLoadingRequest: false });
    expect(fixture.host.started).toHaveLength(1);
  });

  it("leaves the platform's own instances to who started them", async () => {
    const fixture = await started();
    await fixture.host.start({ ...specOf('image-worker', 1_000), appId: '~images' });
    await fixture.time.advanceAsync(READY_MS);
    const second = fixture.newScheduler();
    second.start();
    await fixture.time.advanceAsync(LIMITS.instanceKeepAliveMs + 60_000);
    expect(second.view().pools).toEqual([]);
    expect((await fixture.host.list()).map(({ appId, state }) => [appId, state])).toEqual([['~images', 'ready']]);
  });

  it('holds requests until the host has said what it runs', async () => {
    const fixture = new Fixture();
    fixture.plan('a');
    let answer: (views: readonly InstanceView[]) => void = () => undefined;
    fixture.host.list = () => new Promise((resolve) => (answer = resolve));
    fixture.scheduler.start();
    const request = fixture.request('a');
    await fixture.time.advanceAsync(500);
    expect(fixture.host.started).toHaveLength(0);
    answer([]);
    await fixture.time.advanceAsync(READY_MS);
    leaseOf(request);
  });

  it('asks a host that does not answer until it does', async () => {
    const fixture = new Fixture();
    fixture.plan('a');
    const list = fixture.host.list.bind(fixture.host);
    let refusals = 3;
    fixture.host.list = () => (refusals-- > 0 ? Promise.reject(new PlatformError('RPC_UNAVAILABLE')) : list());
    fixture.scheduler.start();
    const request = fixture.request('a');
    await fixture.time.advanceAsync(3_000 + READY_MS);
    leaseOf(request);
  });

  it('forgets what the host no longer lists after a lost connection', async () => {
    const fixture = await started();
    fixture.plan('a');
    const lease = await fixture.lease('a');
    fixture.host.list = () => Promise.resolve([]);
    fixture.host.resetWatchers();
    await fixture.time.advanceAsync(0);
    expect(fixture.pool('a').instances).toHaveLength(0);
    lease.release('failed');
    expect(fixture.pool('a').inFlight).toBe(0);
  });
});

describe('the view', () => {
  it('shows a version at work and one that backs off, and fits its schema', async () => {
    const fixture = await started();
    fixture.plan('a');
    fixture.plan('b');
    await fixture.lease('a');
    fixture.host.failNextStart({ reason: 'exited with code 3' });
    fixture.request('b');
    await fixture.time.advanceAsync(READY_MS);
    const view = fixture.scheduler.view();
    expect(schedulerViewSchema.parse(view)).toEqual(view);
    expect(view.hostRoom).toBe(199);
    expect(fixture.pool('a')).toMatchObject({ inFlight: 1, queued: 0, startFailures: 0, instances: [{ state: 'ready', inFlight: 1 }] });
    expect(fixture.pool('b')).toMatchObject({ startFailures: 1, startError: 'The app exited while it started: exited with code 3' });
    expect(fixture.pool('b').nextTryMs).toBeGreaterThan(900);
  });
});

describe('closing', () => {
  it('refuses those who wait and lets the instances run', async () => {
    const fixture = await started();
    fixture.plan('a');
    await fixture.lease('a');
    fixture.plan('b');
    const held = fixture.request('b');
    await fixture.scheduler.close();
    await fixture.scheduler.close();
    await fixture.time.advanceAsync(0);
    expect(held.outcome).toMatchObject({ code: 'ROUTE_STARTING' });
    expect((await fixture.host.list()).length).toBeGreaterThan(0);
    await expect(fixture.scheduler.acquire(target('a'), { signal: new AbortController().signal })).rejects.toMatchObject({
      code: 'ROUTE_STARTING',
    });
  });
});

/** Answers the platform's own requests as told, and remembers them. */
class LifecycleApp {
  readonly asked: string[] = [];
  readonly #status: Partial<Record<string, number | 'never' | 'broken'>>;

  constructor(status: Partial<Record<string, number | 'never' | 'broken'>> = {}) {
    this.#status = status;
  }

  /** What the next requests are answered with. */
  say(path: string, status: number | 'never' | 'broken'): void {
    this.#status[path] = status;
  }

  readonly lifecycle = ({ path, instanceId }: { readonly path: string; readonly instanceId: string }): Promise<number> => {
    this.asked.push(`${path} ${Number.parseInt(instanceId, 16)}`);
    const status = this.#status[path] ?? 200;
    if (status === 'never') return new Promise(() => undefined);
    return status === 'broken' ? Promise.reject(new Error('socket hang up')) : Promise.resolve(status);
  };
}

describe('basic scaling', () => {
  const BASIC: BasicScaling = { kind: 'basic', maxInstances: 2, idleTimeoutMs: 60_000 };

  it('asks /_ah/start before the first request, and stops an instance with /_ah/stop when it was idle for its time', async () => {
    const app = new LifecycleApp({ '/_ah/start': 404 });
    const fixture = await started({ lifecycle: app.lifecycle });
    fixture.planOther('a', BASIC);
    const lease = await fixture.lease('a');
    expect(app.asked).toEqual(['/_ah/start 1']);
    // The start was its first request.
    expect(lease.isLoadingRequest).toBe(false);
    lease.release('answered');
    await fixture.time.advanceAsync(59_000);
    expect(fixture.pool('a').instances).toHaveLength(1);
    await fixture.time.advanceAsync(2_000);
    expect(app.asked).toEqual(['/_ah/start 1', '/_ah/stop 1']);
    expect(await fixture.host.list()).toEqual([]);
  });

  it('gives one instance ten requests at once, then starts the next, up to its bound', async () => {
    const fixture = await started();
    fixture.planOther('a', BASIC);
    for (let index = 0; index < 30; index++) fixture.request('a');
    await fixture.time.advanceAsync(READY_MS);
    expect(fixture.host.started).toHaveLength(2);
    expect(fixture.pool('a')).toMatchObject({ inFlight: 20, queued: 10, scaling: 'basic' });
  });

  it('sends SIGTERM once /_ah/stop was answered or half a minute is over, and no request meanwhile', async () => {
    const app = new LifecycleApp({ '/_ah/stop': 'never' });
    const fixture = await started({ lifecycle: app.lifecycle });
    fixture.planOther('a', { ...BASIC, idleTimeoutMs: 1_000 });
    (await fixture.lease('a')).release('answered');
    await fixture.time.advanceAsync(2_500);
    expect(fixture.pool('a').instances[0]?.state).toBe('stopping');
    expect((await fixture.host.list())[0]?.state).toBe('ready');
    expect((await fixture.lease('a')).instanceId).toBe('000000000002');
    await fixture.time.advanceAsync(30_000);
    expect((await fixture.host.list()).map(({ id }) => id)).toEqual(['000000000002']);
  });
});

describe('a start that the app does not accept', () => {
  it.each([
    [500, '/_ah/start was answered with status 500'],
    [302, '/_ah/start was answered with status 302'],
    ['broken', '/_ah/start was not answered'],
  ] as const)('%s ends the instance, is told to who waits, and backs off', async (status, reason) => {
    const app = new LifecycleApp({ '/_ah/start': status });
    const fixture = await started({ lifecycle: app.lifecycle });
    fixture.planOther('a', { kind: 'basic', maxInstances: 5, idleTimeoutMs: 60_000 });
    const request = fixture.request('a');
    await fixture.time.advanceAsync(READY_MS + 10);
    expect(request.outcome).toMatchObject({ code: 'INSTANCE_START_REFUSED', message: expect.stringContaining(reason) });
    expect(await fixture.host.list()).toEqual([]);
    const again = fixture.request('a');
    app.say('/_ah/start', 204);
    await fixture.time.advanceAsync(800);
    expect(fixture.host.started).toHaveLength(1);
    await fixture.time.advanceAsync(400 + READY_MS);
    leaseOf(again);
  });
});

describe('manual scaling', () => {
  const MANUAL: ManualScaling = { kind: 'manual', instances: 2 };

  it('runs its instances from the end of the deploy on, without traffic, each started by /_ah/start', async () => {
    const app = new LifecycleApp();
    const fixture = await started({ lifecycle: app.lifecycle });
    fixture.planOther('a', MANUAL);
    void fixture.scheduler.warm('a');
    await fixture.time.advanceAsync(5_000);
    expect(fixture.host.started).toHaveLength(1);
    fixture.deploy('a');
    await fixture.time.advanceAsync(READY_MS);
    expect(app.asked).toEqual(['/_ah/start 1', '/_ah/start 2']);
    await fixture.time.advanceAsync(3_600_000);
    expect(fixture.pool('a').instances.map(({ state }) => state)).toEqual(['ready', 'ready']);
  });

  it('spreads requests over them', async () => {
    const fixture = await started();
    fixture.planOther('a', MANUAL);
    fixture.deploy('a');
    await fixture.time.advanceAsync(READY_MS);
    for (let index = 0; index < 4; index++) await fixture.lease('a', 0);
    expect(fixture.pool('a').instances.map(({ inFlight }) => inFlight)).toEqual([2, 2]);
  });

  it('replaces one that dies or is told to go, at once', async () => {
    const fixture = await started();
    fixture.planOther('a', MANUAL);
    fixture.deploy('a');
    await fixture.time.advanceAsync(20_000);
    fixture.host.kill('000000000001');
    await fixture.time.advanceAsync(READY_MS);
    const lease = await fixture.lease('a', 0);
    fixture.scheduler.stopInstance(lease.instanceId);
    await fixture.time.advanceAsync(READY_MS);
    const ready = fixture.pool('a').instances.filter(({ state, inFlight }) => state === 'ready' && inFlight === 0);
    expect(ready).toHaveLength(2);
  });

  it('takes another number while it runs, up and down', async () => {
    const fixture = await started();
    fixture.planOther('a', MANUAL);
    fixture.deploy('a', { instances: 4 });
    await fixture.time.advanceAsync(1_000);
    expect(fixture.pool('a').instances).toHaveLength(4);
    const lease = await fixture.lease('a', 0);
    fixture.deploy('a', { instances: 1 });
    await fixture.time.advanceAsync(100);
    expect(fixture.pool('a').instances.map(({ id }) => id)).toHaveLength(1);
    lease.release('answered');
    fixture.deploy('a');
    await fixture.time.advanceAsync(1_000);
    expect(fixture.pool('a').instances).toHaveLength(2);
  });

  it('has no instance and refuses requests while it is stopped, and runs again when it is started', async () => {
    const app = new LifecycleApp();
    const fixture = await started({ lifecycle: app.lifecycle });
    fixture.planOther('a', MANUAL);
    fixture.deploy('a');
    await fixture.time.advanceAsync(READY_MS);
    const lease = await fixture.lease('a', 0);
    fixture.deploy('a', { isStopped: true });
    await fixture.time.advanceAsync(10);
    // Also the busy one hears of it, and may end what it does.
    expect(app.asked.slice(2)).toEqual(['/_ah/stop 1', '/_ah/stop 2']);
    expect(fixture.pool('a').instances).toHaveLength(1);
    const refused = fixture.request('a');
    await fixture.time.advanceAsync(0);
    expect(refused.outcome).toMatchObject({ code: 'ROUTE_NOTHING_SERVING' });
    lease.release('answered');
    await fixture.time.advanceAsync(200_000);
    expect(await fixture.host.list()).toEqual([]);
    fixture.deploy('a');
    await fixture.time.advanceAsync(READY_MS);
    expect(await fixture.host.list()).toHaveLength(2);
  });

  it('backs off, and counts, when its instances crash again and again before they have answered anything', async () => {
    const fixture = await started();
    fixture.planOther('a', MANUAL);
    fixture.deploy('a');
    for (let round = 0; round < 600; round++) {
      await fixture.time.advanceAsync(100);
      for (const { id, state } of await fixture.host.list()) if (state === 'ready') fixture.host.kill(id);
    }
    // A minute: tries after 1, 2, 4, 8, 16 and 32 seconds, two instances each.
    expect(fixture.host.started.length).toBeLessThan(16);
    expect(fixture.pool('a')).toMatchObject({ startError: expect.stringContaining('SIGKILL'), nextTryMs: expect.any(Number) });
    const told = fixture.log.lines.filter(({ message }) => message.startsWith('An instance crashed 5 times in a row, next try in'));
    expect(told).toHaveLength(1);
  });

  it('forgets failures once an instance has stayed for a while', async () => {
    const fixture = await started();
    fixture.planOther('a', MANUAL);
    fixture.host.failNextStart();
    fixture.deploy('a');
    await fixture.time.advanceAsync(2_000);
    expect(fixture.pool('a').startFailures).toBe(1);
    await fixture.time.advanceAsync(12_000);
    expect(fixture.pool('a')).toMatchObject({ startFailures: 0 });
  });

  it('adopts its instances after a restart of the router, and stops none before the control plane was heard', async () => {
    const app = new LifecycleApp();
    const fixture = await started({ lifecycle: app.lifecycle });
    fixture.planOther('a', MANUAL);
    fixture.deploy('a', { instances: 3 });
    await fixture.time.advanceAsync(1_000);
    await fixture.scheduler.close();
    const next = fixture.newScheduler({ lifecycle: app.lifecycle });
    next.start();
    await fixture.time.advanceAsync(30_000);
    expect(next.view().pools[0]?.instances).toHaveLength(3);
    next.setDeployed(new Map([['a', { isStopped: false, instances: 3 }]]));
    await fixture.time.advanceAsync(30_000);
    expect(next.view().pools[0]?.instances).toHaveLength(3);
    // Who was there before has been asked before.
    expect(app.asked).toEqual(['/_ah/start 1', '/_ah/start 2', '/_ah/start 3']);
  });
});

describe('the CPU rule', () => {
  it('starts one more for instances above their target, gives it the next requests, and keeps it while it is needed', async () => {
    const fixture = await started({ cores: 4 });
    fixture.plan('a', { maxConcurrentRequests: 10, targetThroughputUtilization: 0.6 });
    const lease = await fixture.lease('a');
    let cpuMicros = 500_000;
    // F1: a quarter of a core; it uses the half of one.
    for (let second = 0; second < 20; second++) {
      cpuMicros += 500_000;
      fixture.host.setUsage(lease.instanceId, { cpuMicros });
      await fixture.time.advanceAsync(1_000);
    }
    expect(fixture.host.started.length).toBeGreaterThan(1);
    expect(fixture.log.lines.some(({ fields }) => fields.reason === 'cpu')).toBe(true);
    expect((await fixture.lease('a', 0)).instanceId).not.toBe(lease.instanceId);
  });

  it('leaves an app alone that keeps to its share', async () => {
    const fixture = await started({ cores: 4 });
    fixture.plan('a', { maxConcurrentRequests: 10, targetThroughputUtilization: 0.6 });
    const lease = await fixture.lease('a');
    let cpuMicros = 500_000;
    for (let second = 0; second < 20; second++) {
      cpuMicros += 140_000;
      fixture.host.setUsage(lease.instanceId, { cpuMicros });
      await fixture.time.advanceAsync(1_000);
    }
    expect(fixture.host.started).toHaveLength(1);
  });
});

describe('the keep-alive time', () => {
  it('is learnt from the pauses of the version', async () => {
    const fixture = await started();
    fixture.plan('a');
    fixture.scheduler.setServing(new Set(['a']));
    for (let round = 0; round < 12; round++) {
      (await fixture.lease('a')).release('answered');
      await fixture.time.advanceAsync(150_000);
    }
    (await fixture.lease('a')).release('answered');
    await fixture.time.advanceAsync(170_000);
    expect(fixture.pool('a').instances).toHaveLength(1);
    await fixture.time.advanceAsync(12_000);
    expect(fixture.pool('a').instances).toHaveLength(0);
  });
});

describe('the memory of the machine', () => {
  // Every instance here has a limit of one byte: of a budget of 1.2 bytes a second one would need more than is free.
  const tight = { memoryBudgetBytes: 1.2 };

  it('is made room in by the instance of another version that was idle longest', async () => {
    const fixture = await started({}, tight);
    fixture.plan('a');
    fixture.plan('b');
    (await fixture.lease('a')).release('answered');
    await fixture.time.advanceAsync(5_000);
    const lease = await fixture.lease('b', 1_000);
    expect(lease.instanceId).toBe('000000000002');
    expect(fixture.pool('a').instances).toEqual([]);
    expect(fixture.pool('b').shortage).toBeUndefined();
  });

  it('lets those wait for whom there is none, and says so when their time is over', async () => {
    const fixture = await started({}, tight);
    fixture.plan('a');
    fixture.plan('b');
    const busy = await fixture.lease('a');
    const request = fixture.request('b');
    await fixture.time.advanceAsync(5_000);
    expect(fixture.pool('b')).toMatchObject({ queued: 1, shortage: expect.stringContaining('no memory left'), startFailures: 0 });
    await fixture.time.advanceAsync(6_000);
    expect(request.outcome).toMatchObject({ code: 'INSTANCE_MEMORY' });
    const second = fixture.request('b');
    await fixture.time.advanceAsync(1_000);
    busy.release('answered');
    await fixture.time.advanceAsync(3_000);
    expect(leaseOf(second).instanceId).toBe('000000000002');
  });

  it('never takes an instance of manual scaling for another version', async () => {
    const fixture = await started({}, tight);
    fixture.planOther('a', { kind: 'manual', instances: 1 });
    fixture.deploy('a');
    fixture.plan('b');
    await fixture.time.advanceAsync(5_000);
    const request = fixture.request('b');
    await fixture.time.advanceAsync(11_000);
    expect(request.outcome).toMatchObject({ code: 'INSTANCE_MEMORY' });
    expect(fixture.pool('a').instances).toHaveLength(1);
  });

  it('fails a deploy at once that finds no room', async () => {
    const fixture = await started({}, tight);
    fixture.plan('a');
    fixture.plan('b');
    await fixture.lease('a');
    const failed = expect(fixture.scheduler.warm('b')).rejects.toMatchObject({ code: 'INSTANCE_MEMORY' });
    await fixture.time.advanceAsync(10);
    await failed;
  });

  it('is given back by idle instances when it is nearly used up, one after the other', async () => {
    const fixture = await started({}, { memoryBudgetBytes: 10 });
    for (const id of ['a', 'b', 'c']) {
      fixture.plan(id);
      (await fixture.lease(id)).release('answered');
    }
    const busy = await fixture.lease('c', 0);
    await fixture.time.advanceAsync(2_000);
    fixture.host.setUsage(busy.instanceId, { memoryBytes: 9.5 });
    await fixture.time.advanceAsync(500);
    expect((await fixture.host.list()).map(({ deploymentId }) => deploymentId)).toEqual(['b', 'c']);
    fixture.host.setUsage(busy.instanceId, { memoryBytes: 9.5 });
    fixture.host.setUsage(busy.instanceId, { memoryBytes: 9.5 });
    await fixture.time.advanceAsync(500);
    expect((await fixture.host.list()).map(({ deploymentId }) => deploymentId)).toEqual(['c']);
  });
});
