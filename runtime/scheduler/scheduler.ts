import { type InstanceLease, type InstanceSource, type InstanceTarget } from '../../router/ports.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Cancel, type Clock, type Random, sleep, type Timers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type InstanceHost, type InstanceView, isPlatformApp } from '../host/instance.ts';
import { type DeploymentState, UNKNOWN_DEPLOYMENT } from './deployment-state.ts';
import { type KnownInstance } from './fleet.ts';
import { type LaunchPlan, type LaunchPlanSource } from './launch-plan.ts';
import { type PoolOptions, type PoolOwner, type VersionLifecycleCaller } from './pool-owner.ts';
import { type SchedulerView } from './scheduler-view.ts';
import { isResident } from './version-bounds.ts';
import { VersionPool } from './version-pool.ts';

export interface SchedulerOptions {
  /** How long the last instance of automatic scaling stays without a request; by default each version learns it. */
  readonly keepAliveMs?: (deploymentId: string) => number;
  /** Whether requests of an app are refused at present, for a quota; by default never. */
  readonly isRefused?: (appId: string) => boolean;
  readonly instancesMax?: number;
  readonly pendingMsMax?: number;
  readonly holdQueueEntriesMax?: number;
  readonly stopGraceMs?: number;
  /** Sends `/_ah/warmup`, `/_ah/start` and `/_ah/stop`; absent, none is sent. */
  readonly lifecycle?: VersionLifecycleCaller;
  /** Cores of the machine: more instances than they can run are not started for the CPU's sake. */
  readonly cores?: number;
}

/** What may have changed about a deployed version: see DeploymentState. */
export type DeployedVersion = Pick<DeploymentState, 'isStopped' | 'instances'>;

/** Scale-down and what else only time brings; events are answered at once, so this may be slow. */
const TICK_MS = 1_000;
/** From a failed connection to asking the host: its own word of a death, which is sooner, mostly spares the question. */
const DOUBT_MS = 50;
/** An instance idle for less is not taken from its version to make room: it may be needed again at once. */
const EVICT_IDLE_MS_MIN = 1_000;
const PLAN_POLL_MS = 25;
const SERVING_POLL_MS = 2;

/**
 * All versions' pools over one host. Instances that the host runs already are adopted, so that a router may die and come
 * back. Same events and same seed give the same decisions: there is no time or chance but what the constructor takes.
 */
export class Scheduler implements InstanceSource {
  readonly #host: InstanceHost;
  readonly #plans: LaunchPlanSource;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #log: Log;
  readonly #instancesMax: number;
  readonly #poolOptions: PoolOptions;
  readonly #owner: PoolOwner;
  readonly #pools = new Map<string, VersionPool>();
  readonly #closing = new CloseStack();
  #serving: ReadonlySet<string> = new Set();
  #deployed: ReadonlyMap<string, DeployedVersion> = new Map();
  #isAdopted = false;
  #isAsking = false;
  /** Something happened that only the host's next whole answer settles. */
  #mustAsk = true;
  #cancelDoubt: Cancel | undefined;
  #isClosed = false;

  constructor(
    host: InstanceHost,
    plans: LaunchPlanSource,
    clock: Clock,
    timers: Timers,
    random: Random,
    log: Log,
    options: SchedulerOptions = {},
  ) {
    this.#host = host;
    this.#plans = plans;
    this.#clock = clock;
    this.#timers = timers;
    this.#random = random;
    this.#log = log;
    this.#instancesMax = options.instancesMax ?? LIMITS.instancesPerHostMax;
    this.#poolOptions = {
      keepAliveMs: options.keepAliveMs,
      isRefused: options.isRefused ?? (() => false),
      pendingMsMax: options.pendingMsMax ?? LIMITS.pendingMsMax,
      holdQueueEntriesMax: options.holdQueueEntriesMax ?? LIMITS.holdQueueEntriesMax,
      stopGraceMs: options.stopGraceMs ?? LIMITS.instanceStopGraceMs,
      lifecycle: options.lifecycle,
    };
    this.#owner = this.#ownerOfPools(options.cores ?? Infinity);
  }

  /** Begins to watch the host. Requests that come before the host has answered once are held. */
  start(): void {
    this.#closing.defer(this.#timers.every(TICK_MS, () => this.#tick()));
    this.#closing.defer(
      this.#host.watch({
        onReset: () => {
          this.#ask();
        },
        onChange: (view) => {
          this.#onChange(view);
        },
        onPressure: () => {
          this.#makeRoom(1, undefined);
        },
      }),
    );
  }

  /** Refuses those who wait; the instances run on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelDoubt?.();
    await this.#closing.close();
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
  }

  acquire(target: InstanceTarget, options: { readonly signal: AbortSignal }): Promise<InstanceLease> {
    if (this.#isClosed) return Promise.reject(new PlatformError('ROUTE_STARTING'));
    const pool = this.#pools.get(target.deploymentId);
    if (pool) return pool.acquire(options.signal);
    // Before the host has answered, its instances of a version without a plan are not known to be none.
    if (this.#isAdopted && !this.#plans.planOf(target.deploymentId)) return Promise.reject(new PlatformError('ROUTE_NOTHING_SERVING'));
    return this.#poolOf(target).acquire(options.signal);
  }

  /**
   * Resolves once the deployment has a ready instance, which `acquire` then uses. Waits for the launch plan, which may be
   * on its way, up to `launchPlanWaitMs`. Throws VERSION_NOT_FOUND, or INSTANCE_* with `stderrTail` in the details.
   */
  async warm(deploymentId: string): Promise<void> {
    const plan = await this.#awaitPlan(deploymentId);
    await this.#poolOf(plan.spec).warm();
  }

  /** Resolves once `setServing` has named the deployment. Throws DEADLINE_EXCEEDED after `launchPlanWaitMs`. */
  async awaitServing(deploymentId: string): Promise<void> {
    const endMs = this.#clock.monotonicMs() + LIMITS.launchPlanWaitMs;
    while (!this.#serving.has(deploymentId)) {
      if (this.#isClosed || this.#clock.monotonicMs() >= endMs) {
        throw new PlatformError('DEADLINE_EXCEEDED', 'the router has not heard that it serves', { details: { deploymentId } });
      }
      await sleep(this.#timers, SERVING_POLL_MS);
    }
  }

  /** Lets one instance finish what it has, then stops it; returns at once. Throws INSTANCE_NOT_FOUND. */
  stopInstance(instanceId: string): void {
    for (const pool of this.#pools.values()) if (pool.stopInstance(instanceId)) return;
    throw new PlatformError('INSTANCE_NOT_FOUND', instanceId);
  }

  /** How long requests of the instance were in flight so far, all together; undefined for an unknown one. */
  busyMs(instanceId: string): number | undefined {
    for (const pool of this.#pools.values()) {
      const busyMs = pool.busyMs(instanceId);
      if (busyMs !== undefined) return busyMs;
    }
    return undefined;
  }

  /** Drains the deployment's instances and stops them; resolves when they are gone. */
  async retire(deploymentId: string): Promise<void> {
    await this.#pools.get(deploymentId)?.drain();
  }

  /** Names the deployments that have a share of the traffic: only they get min_instances and min_idle_instances. */
  setServing(deploymentIds: ReadonlySet<string>): void {
    this.#serving = new Set(deploymentIds);
    this.#tellStates();
  }

  /** Names the deployments whose deploy is done, and what was changed about them since. */
  setDeployed(deployed: ReadonlyMap<string, DeployedVersion>): void {
    this.#deployed = new Map(deployed);
    this.#tellStates();
  }

  view(): SchedulerView {
    return { hostRoom: this.#hostRoom(), pools: [...this.#pools.values()].map((pool) => pool.view()) };
  }

  #ownerOfPools(cores: number): PoolOwner {
    const isAdopted = (): boolean => this.#isAdopted;
    return {
      get mayStart() {
        return isAdopted();
      },
      cores,
      hostRoom: () => this.#hostRoom(),
      makeRoom: (count, deploymentId) => this.#makeRoom(count, deploymentId),
      onRoom: () => {
        for (const pool of this.#pools.values()) pool.onRoom();
      },
      onDoubt: () => {
        this.#cancelDoubt ??= this.#timers.after(DOUBT_MS, () => {
          this.#cancelDoubt = undefined;
          this.#ask();
        });
      },
    };
  }

  #onChange(view: InstanceView): void {
    if (isPlatformApp(view.appId)) return;
    const pool = this.#pools.get(view.deploymentId);
    if (pool) pool.onChange(view);
    else if (view.state !== 'exited') this.#poolOf(view).onChange(view);
  }

  #tick(): void {
    const pools = [...this.#pools.values()];
    if (this.#mustAsk || pools.some((pool) => pool.wantsUsage)) this.#ask();
    for (const pool of this.#pools.values()) pool.tick();
    for (const [deploymentId, pool] of this.#pools) {
      if (!pool.isForgettable()) continue;
      pool.close();
      this.#pools.delete(deploymentId);
    }
    this.#openResident();
  }

  #tellStates(): void {
    for (const [deploymentId, pool] of this.#pools) pool.setState(this.#stateOf(deploymentId));
    this.#openResident();
  }

  #stateOf(deploymentId: string): DeploymentState {
    const deployed = this.#deployed.get(deploymentId);
    const isServing = this.#serving.has(deploymentId);
    return { ...UNKNOWN_DEPLOYMENT, ...deployed, isServing, isDeployed: deployed !== undefined };
  }

  /** Makes the pools of versions that are to have instances before any request comes. */
  #openResident(): void {
    for (const deploymentId of new Set([...this.#serving, ...this.#deployed.keys()])) {
      if (this.#pools.has(deploymentId) || this.#deployed.get(deploymentId)?.isStopped) continue;
      const plan = this.#plans.planOf(deploymentId);
      if (!plan || !isResident(plan.scaling)) continue;
      if (this.#serving.has(deploymentId) || plan.scaling.kind === 'manual') this.#poolOf(plan.spec).evaluate();
    }
  }

  #poolOf(target: InstanceTarget): VersionPool {
    let pool = this.#pools.get(target.deploymentId);
    if (pool) return pool;
    pool = new VersionPool(
      target,
      this.#owner,
      this.#host,
      this.#plans,
      this.#clock,
      this.#timers,
      this.#random,
      this.#log,
      this.#poolOptions,
    );
    this.#pools.set(target.deploymentId, pool);
    pool.setState(this.#stateOf(target.deploymentId));
    return pool;
  }

  /** Asks the host which instances it runs, and tells each pool. What happens while it answers needs another question. */
  #ask(): void {
    this.#mustAsk = true;
    if (!this.#isAsking) void this.#askUntilSure();
  }

  async #askUntilSure(): Promise<void> {
    this.#isAsking = true;
    while (this.#mustAsk && !this.#isClosed) {
      this.#mustAsk = false;
      const known = new Map([...this.#pools.values()].map((pool) => [pool, pool.known()]));
      const views = await this.#host.list().catch((error: unknown) => {
        this.#log.warn('The host does not say which instances it runs', { error });
        return undefined;
      });
      if (views) this.#reconcile(known, views);
      else {
        // The tick asks again.
        this.#mustAsk = true;
        break;
      }
    }
    this.#isAsking = false;
  }

  #reconcile(known: ReadonlyMap<VersionPool, readonly KnownInstance[]>, views: readonly InstanceView[]): void {
    if (this.#isClosed) return;
    if (!this.#isAdopted) {
      for (const view of views) this.#onChange(view);
      this.#isAdopted = true;
      this.#log.info('Adopted the instances of the host', { instances: views.length });
    }
    const listed = new Set(views.map((view) => view.id));
    for (const pool of this.#pools.values()) pool.reconcile(known.get(pool) ?? [], listed);
    for (const view of views) this.#pools.get(view.deploymentId)?.onUsage(view);
  }

  #hostRoom(): number {
    let room = this.#instancesMax;
    for (const pool of this.#pools.values()) room -= pool.size;
    return Math.max(0, room);
  }

  /** Stops the instances of other versions that have been idle longest. Those on their way out count as room to come. */
  #makeRoom(count: number, deploymentId: string | undefined): boolean {
    const nowMs = this.#clock.monotonicMs();
    const others = [...this.#pools.values()].filter((pool) => pool.target.deploymentId !== deploymentId);
    const leaving = [...this.#pools.values()].reduce((sum, pool) => sum + pool.leaving, 0);
    const idle = others
      .flatMap((pool) => pool.evictable().map((instance) => ({ pool, instance })))
      .filter(({ instance }) => nowMs - instance.idleSinceMs >= EVICT_IDLE_MS_MIN)
      .toSorted((a, b) => a.instance.idleSinceMs - b.instance.idleSinceMs)
      .slice(0, Math.max(0, count - leaving));
    for (const { pool, instance } of idle) pool.evict(instance.id);
    return leaving + idle.length > 0;
  }

  async #awaitPlan(deploymentId: string): Promise<LaunchPlan> {
    const endMs = this.#clock.monotonicMs() + LIMITS.launchPlanWaitMs;
    for (;;) {
      const plan = this.#plans.planOf(deploymentId);
      if (plan) return plan;
      if (this.#isClosed || this.#clock.monotonicMs() >= endMs) {
        throw new PlatformError('VERSION_NOT_FOUND', 'the router has not heard of it', { details: { deploymentId } });
      }
      await sleep(this.#timers, PLAN_POLL_MS);
    }
  }
}
