import { type InstanceLease } from '../../../router/ports.ts';
import { type Cancel, type Clock, type Timers } from '../../../sdk/support/clock.ts';
import { type SimulatedPlan, type SourceFactory, type SourceParts } from '../serving-source.ts';
import { chooseDevAppServerInstance, PeakWindow, requiredInstances } from './dev-appserver-rule.ts';
import { perApp, type PeerService } from './per-app.ts';
import { type Pod, PodSet } from './pod-set.ts';

/** Defaults of `automatic_scaling` there; `max_pending_latency` is read and then not used. */
const MIN_PENDING_MS = 100;
const MIN_IDLE_INSTANCES = 1;
const MAX_IDLE_INSTANCES = 1_000;
/** How long a request waits again when no more instances may be added. */
const FULL_RETRY_MS = 200;
const ADJUST_MS = 1_000;
const QUIT_SPACING_MS = 60_000;

interface Waiting {
  readonly sinceMs: number;
  readonly grant: (lease: InstanceLease) => void;
  cancel: Cancel;
}

/**
 * One module under the rule of App Engine's development server (`devappserver2/module.py`, AutoScalingModule): a request
 * that finds no room waits for `min_pending_latency`, then adds an instance and is its first request. Each second one
 * more is added while fewer than `min_idle_instances` are more than the peak of the last minute requires.
 *
 * Its threads wake each other in no particular order; here they are served first come, first served.
 */
export class DevAppServerModule implements PeerService {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #instancesMax: number;
  readonly #concurrencyMax: number;
  readonly #pods: PodSet;
  readonly #peak = new PeakWindow();
  /** By instance: the request that it was added for. */
  readonly #bound = new Map<string, Waiting>();
  #waiting: Waiting[] = [];
  #outstanding = 0;
  #quitAtMs = -Infinity;
  /** The adjusting thread waits for the instance that it adds. */
  #adding: string | undefined;
  #cancelAdjust: Cancel | undefined;

  constructor({ spec, scaling }: SimulatedPlan, { host, clock, timers }: SourceParts) {
    this.#clock = clock;
    this.#timers = timers;
    this.#instancesMax = scaling.maxInstances;
    this.#concurrencyMax = scaling.maxConcurrentRequests;
    this.#pods = new PodSet(host, spec, (pod) => {
      this.#onReady(pod);
    });
  }

  get open(): number {
    return this.#outstanding;
  }

  start(): void {
    this.#cancelAdjust = this.#timers.every(ADJUST_MS, () => this.#adjust());
  }

  close(): void {
    this.#cancelAdjust?.();
  }

  acquire(): Promise<InstanceLease> {
    const nowMs = this.#clock.monotonicMs();
    this.#outstanding++;
    this.#peak.record(this.#outstanding, nowMs);
    return new Promise((grant) => {
      const waiting: Waiting = { sinceMs: nowMs, grant, cancel: () => undefined };
      const pod = this.#waiting.length === 0 ? this.#choose(nowMs) : undefined;
      if (pod) {
        this.#place(pod, waiting);
        return;
      }
      this.#waiting.push(waiting);
      this.#waitFor(waiting, MIN_PENDING_MS);
    });
  }

  #waitFor(waiting: Waiting, delayMs: number): void {
    waiting.cancel = this.#timers.after(delayMs, () => {
      this.#onPendingOver(waiting);
    });
  }

  #onPendingOver(waiting: Waiting): void {
    if (this.#pods.all().length >= this.#instancesMax) {
      this.#waitFor(waiting, FULL_RETRY_MS);
      return;
    }
    this.#waiting = this.#waiting.filter((each) => each !== waiting);
    void this.#pods.start().then((id) => {
      this.#bound.set(id, waiting);
    });
  }

  #onReady(pod: Pod): void {
    if (pod.id === this.#adding) this.#adding = undefined;
    const bound = this.#bound.get(pod.id);
    this.#bound.delete(pod.id);
    if (bound) this.#place(pod, bound);
    this.#serve();
  }

  #serve(): void {
    const nowMs = this.#clock.monotonicMs();
    for (let head = this.#waiting[0]; head; head = this.#waiting[0]) {
      const pod = this.#choose(nowMs);
      if (!pod) return;
      this.#waiting.shift();
      this.#place(pod, head);
    }
  }

  #place(pod: Pod, { sinceMs, grant, cancel }: Waiting): void {
    cancel();
    const lease = this.#pods.place(pod, this.#clock.monotonicMs() - sinceMs, () => {
      this.#outstanding--;
      this.#serve();
    });
    grant(lease);
  }

  #choose(nowMs: number): Pod | undefined {
    return chooseDevAppServerInstance(this.#pods.ready(), this.#required(nowMs), this.#concurrencyMax);
  }

  #required(nowMs: number): number {
    return requiredInstances(this.#peak.most(nowMs), this.#concurrencyMax);
  }

  #adjust(): void {
    if (this.#adding !== undefined) return;
    const nowMs = this.#clock.monotonicMs();
    const all = this.#pods.all();
    const byLoad = this.#pods.ready().toSorted((a, b) => b.inFlight - a.inFlight);
    const required = byLoad.slice(0, this.#required(nowMs));
    const notRequired = all.filter((pod) => !required.includes(pod));
    if (notRequired.length < MIN_IDLE_INSTANCES) {
      if (all.length >= this.#instancesMax) return;
      this.#adding = 'asked for';
      void this.#pods.start().then((id) => (this.#adding = id));
    } else if (notRequired.length > MAX_IDLE_INSTANCES && nowMs > this.#quitAtMs + QUIT_SPACING_MS) {
      const idle = notRequired.find(({ state, inFlight }) => state === 'ready' && inFlight === 0);
      if (!idle) return;
      this.#pods.retire(idle);
      this.#quitAtMs = nowMs;
    }
  }
}

export const devAppServer: SourceFactory = perApp((plan, parts) => new DevAppServerModule(plan, parts));
