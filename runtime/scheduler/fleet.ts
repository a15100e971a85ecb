import { type PlatformError, toPlatformError } from '../../sdk/contract/errors.ts';
import { type Clock, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type InstanceExit, type InstanceHost, type InstanceSpec, type InstanceView } from '../host/instance.ts';
import { chooseInstance } from './choose-instance.ts';
import { type LifecycleCaller, type LifecyclePath, LifecycleRequests } from './lifecycle-request.ts';
import { PoolInstance, type PoolInstanceState } from './pool-instance.ts';

/** Who hears of a fleet. Called when the fleet's own state is settled, so that it may be changed again. */
export interface FleetListener {
  /** What an instance that listens is asked before it takes requests; undefined: nothing. */
  firstRequest(): Exclude<LifecyclePath, '/_ah/stop'> | undefined;
  /** Whether an instance is told by a request that it is to go. */
  wantsStopRequest(): boolean;
  /** Listens, after `bootMs` for one that was started here. */
  onListening(bootMs: number | undefined): void;
  onReady(): void;
  /** Exited, from the state `was` and carrying `instance.inFlight` requests. */
  onGone(instance: PoolInstance, was: PoolInstanceState, exit: InstanceExit): void;
  /** A start call was answered; its instance may be there, or have come and gone. */
  onStarted(): void;
  onStartRefused(error: PlatformError): void;
}

export interface FleetOptions {
  readonly stopGraceMs: number;
  /** Makes the lifecycle requests; absent, none is made. */
  readonly lifecycle?: LifecycleCaller | undefined;
}

/** What the host may be asked about later: an instance, and whether it is under suspicion now. */
export interface KnownInstance {
  readonly id: string;
  readonly isSuspect: boolean;
}

/** A boot of which nothing is heard for this long after its bound was lost on the way. */
const BOOT_LOST_MS = 10_000;

/** One version's instances: what the host was asked for, and what it says. Starts and stops as told, decides nothing. */
export class Fleet {
  readonly #host: InstanceHost;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listener: FleetListener;
  readonly #options: FleetOptions;
  readonly #lifecycle: LifecycleRequests | undefined;
  readonly #instances = new Map<string, PoolInstance>();
  /** Start calls without an answer, and those instances of them that the watch showed before the answer came. */
  #startCalls = 0;
  readonly #startsSeen = new Set<string>();

  constructor(host: InstanceHost, clock: Clock, timers: Timers, log: Log, listener: FleetListener, options: FleetOptions) {
    this.#host = host;
    this.#clock = clock;
    this.#log = log;
    this.#listener = listener;
    this.#options = options;
    this.#lifecycle = options.lifecycle && new LifecycleRequests(options.lifecycle, timers, log);
  }

  /** Instances that take room on the host, those asked for included. */
  get size(): number {
    return this.#instances.size + this.startsPending;
  }

  /** Asked for and not seen yet. */
  get startsPending(): number {
    return Math.max(0, this.#startCalls - this.#startsSeen.size);
  }

  /** Those that are being drained aside: they take no request. */
  get ready(): number {
    return this.#count('ready') - this.#draining();
  }

  get booting(): number {
    return this.startsPending + this.#count('starting') + this.#count('warming');
  }

  get leaving(): number {
    return this.#count('stopping') + this.#draining();
  }

  all(): Iterable<PoolInstance> {
    return this.#instances.values();
  }

  idle(): readonly PoolInstance[] {
    return [...this.#instances.values()].filter((instance) => instance.isIdle);
  }

  choose(concurrentTarget: number, concurrentMax: number): PoolInstance | undefined {
    return chooseInstance(this.#instances.values(), concurrentTarget, concurrentMax);
  }

  /** `count` of those that take requests, the emptiest first. */
  emptiest(count: number): readonly PoolInstance[] {
    if (count === 0) return [];
    const open = [...this.#instances.values()].filter((instance) => instance.isOpen);
    return open.toSorted((a, b) => a.inFlight - b.inFlight).slice(0, count);
  }

  get(id: string): PoolInstance | undefined {
    return this.#instances.get(id);
  }

  start(spec: InstanceSpec): void {
    this.#startCalls++;
    this.#host.start(spec).then(
      ({ id }) => {
        this.#onStarted(id);
      },
      (error: unknown) => {
        this.#onStartRefused(toPlatformError(error));
      },
    );
  }

  /**
   * Asks the instance to go; it takes no request from now on. One that is on its way out already is left alone. SIGTERM
   * comes after its stop request.
   */
  stop(instance: PoolInstance): void {
    const { state } = instance;
    if (state === 'stopping' || state === 'exited') return;
    if (state === 'ready') this.#sayFarewell(instance);
    instance.move('stopping', this.#clock.monotonicMs());
    this.#log.info('Stopping an instance', { instanceId: instance.id, inFlight: instance.inFlight, instances: this.size });
    if (!instance.farewell) {
      this.#sendStop(instance);
      return;
    }
    void instance.farewell.then(() => {
      if (instance.state !== 'exited') this.#sendStop(instance);
    });
  }

  /** Asks the instance to go once the requests that it has are done, which may hear of it; it takes no other from now on. */
  drain(instance: PoolInstance): void {
    if (instance.state !== 'ready' || instance.isIdle) {
      this.stop(instance);
      return;
    }
    instance.drain(this.#clock.monotonicMs());
    this.#sayFarewell(instance);
  }

  // --- What the host says ---------------------------------------------------------------------------------------------

  onChange(view: InstanceView): void {
    const instance = this.#instances.get(view.id) ?? this.#meet(view);
    if (!instance) return;
    switch (view.state) {
      case 'starting':
        return;
      case 'ready':
        if (instance.state === 'starting') this.#onListening(instance, view);
        return;
      case 'stopping':
        if (instance.state !== 'stopping' && instance.denial === undefined) instance.move('stopping', this.#clock.monotonicMs());
        return;
      case 'exited':
        this.#remove(instance, view.exit ?? exitOf('exited'));
        return;
    }
  }

  known(): readonly KnownInstance[] {
    return [...this.#instances.values()].map(({ id, isSuspect }) => ({ id, isSuspect }));
  }

  /** Of the instances in `known`, taken before the host was asked: those not listed are gone, the others live. */
  reconcile(known: readonly KnownInstance[], listed: ReadonlySet<string>): void {
    for (const { id, isSuspect } of known) {
      const instance = this.#instances.get(id);
      if (!instance) continue;
      if (!listed.has(id)) this.#remove(instance, exitOf('is gone, as the host says'));
      else if (isSuspect) instance.confirm();
    }
  }

  /** What only time shows: boots that got lost, drains that take too long, and stops that the host did not hear. */
  tick(readyMsMax: number, drainMsMax: number): void {
    const nowMs = this.#clock.monotonicMs();
    for (const instance of [...this.#instances.values()]) {
      if (instance.state === 'starting' && nowMs - instance.knownAtMs > readyMsMax + BOOT_LOST_MS) this.#giveUpBoot(instance);
      else if (instance.state === 'ready' && instance.drainSinceMs !== undefined && nowMs - instance.drainSinceMs > drainMsMax)
        this.stop(instance);
      else if (instance.isStopUnheard) this.#sendStop(instance);
    }
  }

  // --- Starting -------------------------------------------------------------------------------------------------------

  #onStarted(id: string): void {
    this.#startCalls--;
    if (!this.#startsSeen.delete(id) && !this.#instances.has(id)) this.#add(id, this.#clock.nowMs(), true);
    this.#listener.onStarted();
  }

  #onStartRefused(error: PlatformError): void {
    this.#startCalls--;
    // A call whose answer got lost may have shown its instance: no more can be unanswered than calls are open.
    for (const id of this.#startsSeen) {
      if (this.#startsSeen.size <= this.#startCalls) break;
      this.#startsSeen.delete(id);
    }
    this.#listener.onStartRefused(error);
  }

  /** An instance that the watch shows first: ours, whose start is not answered yet, or one from before our time. */
  #meet(view: InstanceView): PoolInstance | undefined {
    const isOwn = this.startsPending > 0;
    if (view.state === 'exited' && !isOwn) return undefined;
    if (isOwn) this.#startsSeen.add(view.id);
    const instance = this.#add(view.id, view.startedAtMs, isOwn);
    if (view.state === 'starting') instance.isGreeted = false;
    return instance;
  }

  #add(id: string, startedAtMs: number, isOwn: boolean): PoolInstance {
    const instance = new PoolInstance(id, startedAtMs, this.#clock.monotonicMs(), { isOwn });
    this.#instances.set(id, instance);
    return instance;
  }

  #onListening(instance: PoolInstance, view: InstanceView): void {
    instance.listen(view);
    this.#listener.onListening(instance.isOwn ? this.#clock.monotonicMs() - instance.knownAtMs : undefined);
    const path = instance.isGreeted ? undefined : this.#listener.firstRequest();
    if (this.#lifecycle && path) void this.#greet(instance, this.#lifecycle, path);
    else this.#admit(instance);
  }

  /** The instance's first request is the platform's own, and with it its start is over. */
  async #greet(instance: PoolInstance, lifecycle: LifecycleRequests, path: LifecyclePath): Promise<void> {
    instance.move('warming', this.#clock.monotonicMs());
    instance.hasServed = true;
    const { id: instanceId, socketPath, start } = instance;
    const problem = await lifecycle.send({ path, instanceId, socketPath, start });
    if (problem === undefined) {
      this.#admit(instance);
      return;
    }
    if (!instance.isBooting) return;
    // It counts as booting until the host says how it ended, which explains more: it may have died of its start.
    instance.denial = problem;
    this.#sendStop(instance);
  }

  #admit(instance: PoolInstance): void {
    if (!instance.isBooting) return;
    instance.move('ready', this.#clock.monotonicMs());
    this.#listener.onReady();
  }

  #giveUpBoot(instance: PoolInstance): void {
    this.#host.stop(instance.id, { graceMs: 0 }).catch(() => undefined);
    this.#remove(instance, { ...exitOf('nothing was heard of it'), errorCode: 'INSTANCE_NEVER_LISTENED' });
  }

  // --- Going ----------------------------------------------------------------------------------------------------------

  #sayFarewell(instance: PoolInstance): void {
    if (!this.#lifecycle || !this.#listener.wantsStopRequest()) return;
    const { id: instanceId, socketPath } = instance;
    instance.farewell ??= this.#lifecycle.send({ path: '/_ah/stop', instanceId, socketPath });
  }

  #sendStop(instance: PoolInstance): void {
    instance.isStopUnheard = false;
    this.#host.stop(instance.id, { graceMs: this.#options.stopGraceMs }).catch((error: unknown) => {
      instance.isStopUnheard = true;
      this.#log.warn('The host could not be told to stop an instance', { instanceId: instance.id, error });
    });
  }

  #remove(instance: PoolInstance, exit: InstanceExit): void {
    const was = instance.state;
    this.#instances.delete(instance.id);
    instance.move('exited', this.#clock.monotonicMs());
    this.#listener.onGone(instance, was, exit);
  }

  #draining(): number {
    let count = 0;
    for (const { state, drainSinceMs } of this.#instances.values()) if (state === 'ready' && drainSinceMs !== undefined) count++;
    return count;
  }

  #count(state: PoolInstanceState): number {
    let count = 0;
    for (const instance of this.#instances.values()) if (instance.state === state) count++;
    return count;
  }
}

function exitOf(reason: string): InstanceExit {
  return { code: null, signal: null, reason, errorCode: 'INSTANCE_EXITED', stderrTail: '' };
}
