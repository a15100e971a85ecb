import { type InstanceLease, type InstanceTarget, type LeaseOutcome } from '../../router/ports.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Clock, type Random, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type InstanceExit, type InstanceHost, type InstanceView } from '../host/instance.ts';
import { CpuMeter } from './cpu-meter.ts';
import { decideScale } from './decide-scale.ts';
import { type DeploymentState } from './deployment-state.ts';
import { Fleet, type KnownInstance } from './fleet.ts';
import { HoldQueue } from './hold-queue.ts';
import { type LaunchPlanSource } from './launch-plan.ts';
import { KeepAlive } from './keep-alive.ts';
import { LoadMeter } from './load-meter.ts';
import { PlaceLease } from './place-lease.ts';
import { type PoolOptions, type PoolOwner } from './pool-owner.ts';
import { type PoolInstance, type PoolInstanceState } from './pool-instance.ts';
import { type IdleInstance, type PoolState, SCALE_RULES, type ScaleDecision } from './scale-decision.ts';
import { type PoolView } from './scheduler-view.ts';
import { StartBackoff } from './start-backoff.ts';
import { failureOfDenial, failureOfExit, failureOfRefusal, type StartFailure } from './start-failure.ts';
import { StartPace } from './start-pace.ts';
import { concurrentMaxOf, concurrentTargetOf, requestsPerInstance } from './version-bounds.ts';
import { VersionTerms } from './version-terms.ts';
import { WakeTimer } from './wake-timer.ts';
import { WarmWaiters } from './warm-waiters.ts';

/** The host bounds a boot by readyMsMax; its word of that may come this much later. */
const BOOT_SLACK_MS = 1_000;

/**
 * One version: its hold queue, its instances, and what is done about them. Every event (arrival, release, ready, exit) is
 * answered at once; `tick` does what only time brings. Nothing here awaits between reading and changing its state.
 *
 * States: open → draining (`drain`) → open (asked for again); any → closed. Draining starts nothing and stops what is idle.
 */
export class VersionPool {
  readonly target: InstanceTarget;
  readonly #owner: PoolOwner;
  readonly #terms: VersionTerms;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: PoolOptions;
  readonly #fleet: Fleet;
  readonly #queue: HoldQueue<InstanceLease>;
  readonly #meter: LoadMeter;
  readonly #cpu = new CpuMeter(SCALE_RULES.demandWindowMs);
  readonly #keepAlive = new KeepAlive();
  readonly #pace = new StartPace();
  readonly #backoff: StartBackoff;
  readonly #warmers: WarmWaiters;
  readonly #timer: WakeTimer;
  #inFlight = 0;
  #needDecided = 0;
  /** Why the host has no room; undefined since it had some. */
  #shortage: PlatformError | undefined;
  #drainSinceMs: number | undefined;
  #drained: (() => void)[] = [];
  #isClosed = false;

  constructor(
    target: InstanceTarget,
    owner: PoolOwner,
    host: InstanceHost,
    plans: LaunchPlanSource,
    clock: Clock,
    timers: Timers,
    random: Random,
    log: Log,
    options: PoolOptions,
  ) {
    const { appId, service, version, deploymentId } = target;
    this.target = { appId, service, version, deploymentId };
    this.#owner = owner;
    this.#terms = new VersionTerms(plans, deploymentId);
    this.#clock = clock;
    this.#log = log.child({ ...this.target });
    this.#options = options;
    this.#meter = new LoadMeter(clock.monotonicMs());
    this.#backoff = new StartBackoff(random);
    this.#warmers = new WarmWaiters(timers);
    this.#timer = new WakeTimer(clock, timers, () => {
      this.evaluate();
    });
    this.#queue = new HoldQueue(options.holdQueueEntriesMax, () => {
      this.#measure(clock.monotonicMs());
    });
    const listener = {
      firstRequest: () => this.#firstRequest(),
      wantsStopRequest: () => this.#terms.hasStartAndStop,
      onListening: (bootMs: number | undefined) => {
        if (bootMs !== undefined) this.#meter.booted(bootMs);
      },
      onReady: () => {
        this.#onReady();
      },
      onGone: (instance: PoolInstance, was: PoolInstanceState, exit: InstanceExit) => {
        this.#onGone(instance, was, exit);
      },
      onStarted: () => {
        this.#onStarted();
      },
      onStartRefused: (error: PlatformError) => {
        this.#onStartRefused(error);
      },
    };
    const { lifecycle, stopGraceMs } = options;
    this.#fleet = new Fleet(host, clock, timers, this.#log, listener, {
      stopGraceMs,
      lifecycle: lifecycle && ((request, callOptions) => lifecycle({ ...request, target: this.target }, callOptions)),
    });
  }

  // --- What others ask ------------------------------------------------------------------------------------------------

  /**
   * A place on the fullest instance with room, or a wait in the hold queue. Throws ROUTE_QUEUE_FULL,
   * ROUTE_PENDING_TIMEOUT, ROUTE_NOTHING_SERVING, what the failed start says, or the signal's reason.
   */
  acquire(signal: AbortSignal): Promise<InstanceLease> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    const nowMs = this.#clock.monotonicMs();
    const refusal = this.#refusal(nowMs);
    if (refusal) return Promise.reject(refusal);
    // A version that is asked for again is no longer drained: under its own URL, or after a rollback.
    this.#endDrain();
    this.#endPause(nowMs);
    const scaling = this.#terms.scaling;
    const instance = this.#fleet.choose(concurrentTargetOf(scaling), concurrentMaxOf(scaling));
    if (instance) {
      const lease = this.#place(instance, 0, nowMs);
      this.#measure(nowMs);
      // Only an arrival that raises the need can start anything, and the plain one stays cheap.
      if (this.#need() > this.#needDecided) this.evaluate();
      return Promise.resolve(lease);
    }
    const held = this.#queue.hold(nowMs, signal);
    this.#measure(nowMs);
    this.evaluate();
    return held;
  }

  /**
   * Resolves once an instance is ready, starting one when there is none, whatever the back-off says. Throws why the
   * start failed, with the newest lines of stderr in the details, or DEADLINE_EXCEEDED.
   */
  warm(): Promise<void> {
    this.#endDrain();
    this.#meter.touch(this.#clock.monotonicMs());
    if (this.#fleet.ready > 0) return Promise.resolve();
    const warmed = this.#warmers.wait(this.#terms.readyMsMax + this.#terms.greetingMsMax + BOOT_SLACK_MS);
    this.evaluate();
    return warmed;
  }

  /**
   * No more starts; idle instances stop now, busy ones after their last request or its deadline. Resolves when all have
   * gone, or when the version was asked for again.
   */
  drain(): Promise<void> {
    this.#beginDrain();
    this.evaluate();
    if (this.isEmpty) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  /** What has changed about the deployment. A version that is stopped drains; started again it serves as before. */
  setState(state: DeploymentState): void {
    const wasStopped = this.#terms.state.isStopped;
    this.#terms.state = state;
    if (state.isStopped && !wasStopped) {
      this.#log.info('The version was stopped');
      this.#queue.refuseAll(stoppedError());
      this.#warmers.refuseAll(stoppedError());
      this.#beginDrain();
    } else if (!state.isStopped && wasStopped) this.#endDrain();
    this.evaluate();
  }

  /** Does what only time brings. */
  tick(): void {
    this.#noteStable();
    const { readyMsMax, requestMsMax } = this.#terms;
    this.#fleet.tick(readyMsMax, requestMsMax);
    const isDrainOver = this.#drainSinceMs !== undefined && this.#clock.monotonicMs() - this.#drainSinceMs > requestMsMax;
    if (isDrainOver) for (const instance of this.#fleet.all()) this.#fleet.stop(instance);
    this.evaluate();
  }

  /** Refuses those who wait. The instances run on: the next scheduler adopts them. */
  close(): void {
    this.#isClosed = true;
    this.#timer.cancel();
    this.#queue.refuseAll(new PlatformError('ROUTE_STARTING'));
    this.#warmers.refuseAll(new PlatformError('RPC_UNAVAILABLE', 'the router stops'));
    this.#resolveDrained();
  }

  // --- What the scheduler tells and asks ------------------------------------------------------------------------------

  onChange(view: InstanceView): void {
    this.#fleet.onChange(view);
  }

  /** What the host has read of an instance's use of the machine. */
  onUsage({ id, cpuMicros }: InstanceView): void {
    const instance = this.#fleet.get(id);
    const { scaling, coresPerInstance } = this.#terms;
    if (instance?.state !== 'ready' || cpuMicros === undefined || scaling.kind !== 'automatic') return;
    instance.isHot = this.#cpu.read(id, cpuMicros, coresPerInstance, this.#clock.monotonicMs()) > scaling.targetCpuUtilization;
  }

  /** Whether what its instances use may change a decision: while it has requests, and until the mean has settled after. */
  get wantsUsage(): boolean {
    return this.#fleet.ready > 0 && this.#clock.monotonicMs() - this.#meter.activeAtMs < SCALE_RULES.stableMs;
  }

  /** An instance has gone, of this version or another. */
  onRoom(): void {
    this.#backoff.endPause();
    this.evaluate();
  }

  known(): readonly KnownInstance[] {
    return this.#fleet.known();
  }

  /** The host's whole truth of those in `known`, which were noted before it was asked. */
  reconcile(known: readonly KnownInstance[], listed: ReadonlySet<string>): void {
    this.#fleet.reconcile(known, listed);
    this.#serve();
    this.evaluate();
  }

  /** Instances that take room on the host. */
  get size(): number {
    return this.#fleet.size;
  }

  get leaving(): number {
    return this.#fleet.leaving;
  }

  get isEmpty(): boolean {
    return this.#fleet.size === 0 && this.#queue.length === 0 && this.#warmers.count === 0;
  }

  /** Whether nothing would be lost by forgetting this version. */
  isForgettable(): boolean {
    const nowMs = this.#clock.monotonicMs();
    return (
      this.isEmpty && !this.#terms.isHeld && nowMs > this.#backoff.untilMs && nowMs - this.#meter.activeAtMs > SCALE_RULES.demandWindowMs
    );
  }

  /** Idle instances that may go when another version needs their room: all but those that run without requests. */
  evictable(): readonly IdleInstance[] {
    const spare = this.#fleet.ready - this.#terms.residents;
    const idle = this.#fleet.idle().toSorted((a, b) => a.idleSinceMs - b.idleSinceMs);
    return idle.slice(0, Math.max(0, spare));
  }

  /** How long requests of the instance were in flight so far, all together; undefined when it is not of this pool. */
  busyMs(id: string): number | undefined {
    return this.#fleet.get(id)?.busyMs(this.#clock.monotonicMs());
  }

  /** Drains one instance, then stops it; false when this version has none of that id. */
  stopInstance(id: string): boolean {
    const instance = this.#fleet.get(id);
    if (!instance) return false;
    this.#log.info('An instance is to go, as it was asked for', { instanceId: id, inFlight: instance.inFlight });
    this.#fleet.drain(instance);
    // Others may have to take its place: for those who wait, or for min_instances.
    this.evaluate();
    return true;
  }

  evict(id: string): void {
    const instance = this.#fleet.get(id);
    if (!instance?.isIdle) return;
    this.#log.info('An idle instance makes room for others', { instanceId: id });
    this.#fleet.stop(instance);
  }

  view(): PoolView {
    const nowMs = this.#clock.monotonicMs();
    const { failures, failure, untilMs } = this.#backoff;
    return {
      ...this.target,
      scaling: this.#terms.scaling.kind,
      isServing: this.#terms.state.isServing,
      isStopped: this.#terms.state.isStopped,
      isDraining: this.#drainSinceMs !== undefined,
      inFlight: this.#inFlight,
      queued: this.#queue.length,
      headWaitMs: this.#queue.headWaitMs(nowMs),
      requested: this.#fleet.startsPending,
      instances: [...this.#fleet.all()].map((instance) => instance.view(nowMs)),
      startFailures: failures,
      ...(failure ? { startError: failure.forOwners.message } : {}),
      ...(this.#shortage ? { shortage: this.#shortage.message } : {}),
      ...(untilMs > nowMs ? { nextTryMs: untilMs - nowMs } : {}),
    };
  }

  // --- Deciding -------------------------------------------------------------------------------------------------------

  /** Decides from the present state, and does it. */
  evaluate(): void {
    if (this.#isClosed) return;
    const nowMs = this.#clock.monotonicMs();
    this.#expire(nowMs);
    // Those who were held when the drain began are served by what is left; without any, the drain must wait for them.
    if (this.#queue.length > 0 && this.#fleet.size === this.#fleet.leaving) this.#endDrain();
    if (this.#owner.mayStart) {
      this.#needDecided = this.#need();
      const load = { ...this.#meter.load(this.#queue.headWaitMs(nowMs), nowMs), cpu: this.#cpu.sum, cpuPeak: this.#cpu.peak(nowMs) };
      const keepAliveMs = this.#options.keepAliveMs?.(this.target.deploymentId) ?? this.#keepAlive.ms;
      const spec = this.#terms.scaleSpec(keepAliveMs, this.#owner.cores);
      this.#apply(decideScale(load, spec, this.#poolState(nowMs), nowMs), nowMs);
    }
    this.#timer.within(this.#headBoundMs(nowMs));
  }

  #poolState(nowMs: number): PoolState {
    return {
      ready: this.#fleet.ready,
      booting: this.#fleet.booting,
      leaving: this.#fleet.leaving,
      idle: this.#fleet.idle(),
      ...this.#pace.view(nowMs),
      noStartBeforeMs: this.#backoff.untilMs,
      hostRoom: this.#owner.hostRoom(),
      isDraining: this.#drainSinceMs !== undefined,
      isWarming: this.#warmers.count > 0,
    };
  }

  #apply(decision: ScaleDecision, nowMs: number): void {
    for (const id of decision.stop) {
      const instance = this.#fleet.get(id);
      if (instance) this.#fleet.stop(instance);
      this.#pace.stopped(nowMs);
    }
    for (const instance of this.#fleet.emptiest(decision.drain)) this.#fleet.drain(instance);
    if (decision.start > 0 && this.#mayStart()) this.#start(decision, nowMs);
    if (decision.short > 0 && !this.#owner.makeRoom(decision.short, this.target.deploymentId)) {
      this.#shortage = new PlatformError('INSTANCE_LIMIT', 'and no idle one can make room');
      this.#warmers.refuseAll(this.#shortage);
    }
    this.#timer.within(decision.recheckMs ?? Infinity);
  }

  /** Those who wait were let in: only for them is an app started whose requests are refused. */
  #mayStart(): boolean {
    return this.#queue.length > 0 || this.#warmers.count > 0 || !this.#options.isRefused(this.target.appId);
  }

  #start(decision: ScaleDecision, nowMs: number): void {
    const plan = this.#terms.plan;
    if (!plan) {
      this.#refuseHopeless(new PlatformError('ROUTE_NOTHING_SERVING'));
      return;
    }
    const { start: count, reason } = decision;
    this.#log.info('Starting instances', { count, reason, inFlight: this.#inFlight, queued: this.#queue.length, instances: this.size });
    for (let started = 0; started < count; started++) {
      this.#pace.started(nowMs);
      this.#fleet.start(plan.spec);
    }
  }

  // --- Requests -------------------------------------------------------------------------------------------------------

  #serve(): void {
    const nowMs = this.#clock.monotonicMs();
    const scaling = this.#terms.scaling;
    while (this.#queue.length > 0) {
      const instance = this.#fleet.choose(concurrentTargetOf(scaling), concurrentMaxOf(scaling));
      if (!instance) break;
      this.#queue.grantHead(nowMs, (waitedMs) => this.#place(instance, waitedMs, nowMs));
    }
    this.#measure(nowMs);
  }

  #place(instance: PoolInstance, pendingMs: number, nowMs: number): InstanceLease {
    this.#inFlight++;
    return new PlaceLease(instance, pendingMs, nowMs, (outcome) => {
      this.#onRelease(instance, nowMs, outcome);
    });
  }

  #onRelease(instance: PoolInstance, sinceMs: number, outcome: LeaseOutcome): void {
    // What a dead one carried was taken off when it died.
    if (instance.state === 'exited') return;
    const nowMs = this.#clock.monotonicMs();
    instance.giveBack(nowMs);
    this.#inFlight--;
    if (instance.drainSinceMs !== undefined && instance.isIdle) this.#fleet.stop(instance);
    if (outcome === 'answered') {
      instance.hasAnswered = true;
      this.#meter.served(nowMs - sinceMs);
      if (this.#backoff.failures > 0) this.#backoff.succeed();
    }
    if (outcome === 'failed' && instance.state === 'ready') {
      instance.suspect();
      this.#owner.onDoubt();
    }
    this.#serve();
    if (this.#queue.length > 0 || this.#drainSinceMs !== undefined) this.evaluate();
  }

  /** How much longer the head may wait; Infinity when nobody waits. */
  #headBoundMs(nowMs: number): number {
    if (this.#queue.length === 0) return Infinity;
    const waitedMs = this.#queue.headWaitMs(nowMs);
    const { pendingMsMax } = this.#options;
    if (waitedMs < pendingMsMax) return pendingMsMax - waitedMs;
    // Who waits for a boot waits for its end, good or bad: a slow start must not fail its loading request.
    return this.#fleet.booting > 0 ? Math.max(pendingMsMax, this.#terms.readyMsMax + BOOT_SLACK_MS) - waitedMs : 0;
  }

  #expire(nowMs: number): void {
    while (this.#headBoundMs(nowMs) <= 0) {
      const failure = this.#fleet.ready === 0 ? this.#backoff.failure : undefined;
      this.#queue.refuseHead(failure?.forVisitors ?? this.#shortage ?? new PlatformError('ROUTE_PENDING_TIMEOUT'));
    }
    this.#measure(nowMs);
  }

  /** Why a request is not even held: nothing can start for it before its time is over. */
  #refusal(nowMs: number): PlatformError | undefined {
    if (this.#terms.state.isStopped) return stoppedError();
    if (this.#drainSinceMs !== undefined && !this.#terms.plan) return new PlatformError('ROUTE_NOTHING_SERVING');
    const { failure, untilMs } = this.#backoff;
    if (!failure || untilMs - nowMs < this.#options.pendingMsMax) return undefined;
    return this.#fleet.booting + this.#fleet.ready > 0 ? undefined : failure.forVisitors;
  }

  /** Fails those who wait, unless some instance may still serve them. */
  #refuseHopeless(error: PlatformError): void {
    if (this.#fleet.booting + this.#fleet.ready > 0) return;
    this.#queue.refuseAll(error);
    this.#measure(this.#clock.monotonicMs());
  }

  // --- Instances ------------------------------------------------------------------------------------------------------

  #onReady(): void {
    if (this.#warmers.count > 0) this.#meter.touch(this.#clock.monotonicMs());
    this.#warmers.resolveAll();
    this.#serve();
    this.evaluate();
  }

  #onStarted(): void {
    this.#shortage = undefined;
    // It may have come and failed before the call was answered.
    if (this.#backoff.failure) this.#refuseHopeless(this.#backoff.failure.forVisitors);
    this.evaluate();
  }

  #onStartRefused(error: PlatformError): void {
    if (!error.retryable && error.code !== 'RPC_CONNECTION_LOST') {
      this.#onStartFailed(failureOfRefusal(error));
      return;
    }
    // The host is full or away, which is no fault of the app: those who wait wait on, the longest for an idle neighbour to go.
    if (this.#shortage?.code !== error.code) this.#log.warn('The host cannot start an instance now', { error });
    const isFull = error.code === 'INSTANCE_LIMIT' || error.code === 'INSTANCE_MEMORY';
    this.#shortage = isFull ? error : undefined;
    this.#backoff.pause(SCALE_RULES.roomRetryMs, this.#clock.monotonicMs());
    if (!isFull || !this.#owner.makeRoom(1, this.target.deploymentId)) this.#warmers.refuseAll(error);
    this.evaluate();
  }

  #onStartFailed(failure: StartFailure): void {
    this.#log.warn('An instance failed to start', { error: failure.forOwners });
    this.#fail(failure);
    this.#warmers.refuseAll(failure.forOwners);
    this.#refuseHopeless(failure.forVisitors);
    this.evaluate();
  }

  #onGone(instance: PoolInstance, was: PoolInstanceState, exit: InstanceExit): void {
    this.#inFlight -= instance.inFlight;
    this.#cpu.forget(instance.id);
    this.#measure(this.#clock.monotonicMs());
    if (was === 'ready') this.#onDeath(instance, exit);
    if (was === 'starting' || was === 'warming') {
      const { id, denial } = instance;
      this.#onStartFailed(denial === undefined ? failureOfExit(id, exit) : failureOfDenial(id, denial, exit));
    }
    if (this.isEmpty) this.#resolveDrained();
    this.#owner.onRoom();
  }

  /**
   * A ready instance died unasked. When it had neither answered nor been there for a while, and no other has, starting the
   * next at once would be a crash loop at the rate of what kills it: it counts as a failed start. Those who wait keep
   * waiting for the next.
   */
  #onDeath(instance: PoolInstance, exit: InstanceExit): void {
    this.#log.warn('An instance died', { instanceId: instance.id, reason: exit.reason, inFlight: instance.inFlight });
    const nowMs = this.#clock.monotonicMs();
    if (isProven(instance, nowMs)) return;
    for (const other of this.#fleet.all()) if (other.state === 'ready' && isProven(other, nowMs)) return;
    this.#fail(failureOfExit(instance.id, exit));
  }

  #fail(failure: StartFailure): void {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#backoff.failures;
    this.#backoff.fail(failure, nowMs);
    const { failures, untilMs } = this.#backoff;
    if (failures < 2 || failures === before) return;
    this.#log.warn(`An instance crashed ${failures} times in a row, next try in ${((untilMs - nowMs) / 1_000).toFixed(1)} s`, {
      reason: failure.forOwners.message,
    });
  }

  /** One that runs for a while without a request, as of manual scaling, has started well. */
  #noteStable(): void {
    if (this.#backoff.failures === 0) return;
    const nowMs = this.#clock.monotonicMs();
    for (const instance of this.#fleet.all()) if (instance.state === 'ready' && isProven(instance, nowMs)) this.#backoff.succeed();
  }

  /**
   * Busy instances of manual and basic scaling hear of it at once, so that a request that runs for hours can end itself.
   * What still boots of a deleted version is of use to nobody.
   */
  #beginDrain(): void {
    this.#drainSinceMs ??= this.#clock.monotonicMs();
    if (this.#queue.length > 0) return;
    const [isTold, isDeleted] = [this.#terms.hasStartAndStop, this.#terms.plan === undefined];
    for (const instance of [...this.#fleet.all()]) {
      if (instance.state === 'ready' ? isTold : isDeleted && instance.isBooting) this.#fleet.drain(instance);
    }
  }

  #endDrain(): void {
    if (this.#drainSinceMs === undefined) return;
    this.#drainSinceMs = undefined;
    this.#resolveDrained();
  }

  #resolveDrained(): void {
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  // --- Numbers --------------------------------------------------------------------------------------------------------

  /** Somebody asks: a version that had nothing to do until now learns how long that was. */
  #endPause(nowMs: number): void {
    if (this.#inFlight === 0 && this.#queue.length === 0 && this.#meter.hasServed) this.#keepAlive.paused(nowMs - this.#meter.activeAtMs);
  }

  #measure(nowMs: number): void {
    this.#meter.change(this.#inFlight, this.#queue.length, nowMs);
  }

  #need(): number {
    return Math.ceil((this.#inFlight + this.#queue.length) / requestsPerInstance(this.#terms.scaling));
  }

  #firstRequest(): '/_ah/warmup' | '/_ah/start' | undefined {
    if (this.#terms.hasStartAndStop) return '/_ah/start';
    // Somebody who waits is served at once: theirs is the loading request, as on App Engine.
    return this.#queue.length === 0 && this.#terms.plan?.warmup === true ? '/_ah/warmup' : undefined;
  }
}

/** Whether the app is known to run: the instance has answered, or has been there for a while. */
function isProven(instance: PoolInstance, nowMs: number): boolean {
  return instance.hasAnswered || (instance.readySinceMs !== undefined && nowMs - instance.readySinceMs >= SCALE_RULES.stableMs);
}

function stoppedError(): PlatformError {
  return new PlatformError('ROUTE_NOTHING_SERVING', 'the version is stopped');
}
