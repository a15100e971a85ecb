import { type InstanceLease } from '../../../router/ports.ts';
import { type Cancel, type Clock, type Timers } from '../../../sdk/support/clock.ts';
import { type SimulatedPlan, type SourceFactory, type SourceParts } from '../serving-source.ts';
import { KNATIVE_DEFAULTS, KnativeAutoscaler } from './knative-autoscaler.ts';
import { KnativeWindow } from './knative-window.ts';
import { perApp, type PeerService } from './per-app.ts';
import { type Pod, PodSet } from './pod-set.ts';

const TICK_MS = 2_000;
/** Activator and pods report what they carry this often. */
const REPORT_MS = 1_000;
const PANIC_WINDOW_MS = KNATIVE_DEFAULTS.stableWindowMs / 10;
const SCALE_TO_ZERO_GRACE_MS = 30_000;
/** The activator's `breakerQueueDepth`. */
const ACTIVATOR_QUEUE_MAX = 10_000;
/** At most this many at once, and pods are filled in their order; above, requests go round (`pickLBPolicy`). */
const FIRST_AVAILABLE_CONCURRENCY_MAX = 3;

interface Waiting {
  readonly sinceMs: number;
  readonly grant: (lease: InstanceLease) => void;
}

/**
 * One revision under Knative's published rules: the activator in front, which buffers and goes round the pods that have
 * room; reports each second; a decision every 2 s, and at once for the first request to a revision without pods.
 *
 * To its favour: a pod takes exactly as long to start as ours, nothing is lost on the way between its parts, and a pod
 * that is to go does so with its last request, without the 30 s that queue-proxy stays for.
 */
export class KnativeRevision implements PeerService {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #podsMax: number;
  readonly #concurrencyMax: number;
  readonly #autoscaler: KnativeAutoscaler;
  readonly #stable = new KnativeWindow(KNATIVE_DEFAULTS.stableWindowMs);
  readonly #panic = new KnativeWindow(PANIC_WINDOW_MS);
  readonly #pods: PodSet;
  #waiting: Waiting[] = [];
  #inFlight = 0;
  #nextPod = 0;
  /** Requests × milliseconds since the last report. */
  #openMs = 0;
  #openCountedAtMs: number;
  #reportedAtMs: number;
  /** The first request to a revision without pods is reported at once, and taken off the next report. */
  #reportedEarly = 0;
  /** Since when the revision is active, and otherwise since when it is not. */
  #isActive = false;
  #activityChangedAtMs: number;
  /** Since when the activator is in the path. */
  #proxyingSinceMs: number | undefined;
  #cancels: Cancel[] = [];

  constructor({ spec, scaling }: SimulatedPlan, { host, clock, timers }: SourceParts) {
    this.#clock = clock;
    this.#timers = timers;
    this.#podsMax = scaling.maxInstances;
    this.#concurrencyMax = scaling.maxConcurrentRequests;
    this.#autoscaler = new KnativeAutoscaler({ ...KNATIVE_DEFAULTS, containerConcurrency: scaling.maxConcurrentRequests });
    const nowMs = clock.monotonicMs();
    this.#openCountedAtMs = nowMs;
    this.#reportedAtMs = nowMs;
    this.#activityChangedAtMs = nowMs;
    this.#proxyingSinceMs = nowMs;
    this.#pods = new PodSet(host, spec, () => {
      this.#onReady();
    });
  }

  get open(): number {
    return this.#inFlight + this.#waiting.length;
  }

  start(): void {
    this.#cancels = [this.#timers.every(REPORT_MS, () => this.#report()), this.#timers.every(TICK_MS, () => this.#tick())];
  }

  close(): void {
    for (const cancel of this.#cancels) cancel();
  }

  acquire(): Promise<InstanceLease> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#waiting.length >= ACTIVATOR_QUEUE_MAX) return Promise.reject(new Error('activator: pending request queue full'));
    this.#countOpen(nowMs);
    const isFirst = this.open === 0 && this.#pods.staying().length === 0;
    return new Promise((grant) => {
      this.#waiting.push({ sinceMs: nowMs, grant });
      this.#serve();
      if (isFirst) this.#poke(nowMs);
    });
  }

  // --- The activator --------------------------------------------------------------------------------------------------

  #serve(): void {
    const nowMs = this.#clock.monotonicMs();
    for (let head = this.#waiting[0]; head; head = this.#waiting[0]) {
      const pod = this.#choosePod();
      if (!pod) return;
      this.#waiting.shift();
      this.#inFlight++;
      const lease = this.#pods.place(pod, nowMs - head.sinceMs, () => {
        this.#countOpen(this.#clock.monotonicMs());
        this.#inFlight--;
        this.#serve();
      });
      head.grant(lease);
    }
  }

  #choosePod(): Pod | undefined {
    const pods = this.#pods.ready();
    const first = this.#concurrencyMax <= FIRST_AVAILABLE_CONCURRENCY_MAX || this.#nextPod >= pods.length ? 0 : this.#nextPod;
    for (let step = 0; step < pods.length; step++) {
      const index = (first + step) % pods.length;
      const pod = pods[index];
      if (!pod || pod.inFlight >= this.#concurrencyMax) continue;
      this.#nextPod = index + 1;
      return pod;
    }
    return undefined;
  }

  #onReady(): void {
    if (!this.#isActive) this.#setActive(true);
    this.#serve();
  }

  // --- Reports and decisions ------------------------------------------------------------------------------------------

  #countOpen(nowMs: number): void {
    this.#openMs += this.open * (nowMs - this.#openCountedAtMs);
    this.#openCountedAtMs = nowMs;
  }

  #poke(nowMs: number): void {
    this.#reportedEarly = 1;
    this.#record(1, nowMs);
    this.#tick();
  }

  #report(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#countOpen(nowMs);
    const mean = this.#openMs / (nowMs - this.#reportedAtMs);
    this.#openMs = 0;
    this.#reportedAtMs = nowMs;
    // Without pods and requests nobody reports.
    if (mean > 0 || this.#pods.ready().length > 0) this.#record(Math.max(0, mean - this.#reportedEarly), nowMs);
    this.#reportedEarly = 0;
  }

  #record(value: number, nowMs: number): void {
    this.#stable.record(value, nowMs);
    this.#panic.record(value, nowMs);
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#stable.isEmpty(nowMs)) return;
    const observed = {
      podsReady: this.#pods.ready().length,
      stableConcurrency: this.#stable.average(nowMs),
      panicConcurrency: this.#panic.average(nowMs),
    };
    const { podsDesired, excessBurstCapacity } = this.#autoscaler.scale(observed, nowMs);
    const isProxying = excessBurstCapacity < 0 || !this.#isActive;
    this.#proxyingSinceMs = isProxying ? (this.#proxyingSinceMs ?? nowMs) : undefined;
    this.#apply(this.#boundByZero(Math.min(podsDesired, this.#podsMax), nowMs));
  }

  /** The last pod goes only after a stable window of activity, and once the activator has been in the path for the grace time. */
  #boundByZero(podsDesired: number, nowMs: number): number {
    if (podsDesired > 0) {
      if (!this.#isActive && this.#pods.ready().length > 0) this.#setActive(true);
      return podsDesired;
    }
    if (this.#isActive) {
      if (nowMs - this.#activityChangedAtMs < KNATIVE_DEFAULTS.stableWindowMs) return 1;
      this.#setActive(false);
      this.#proxyingSinceMs ??= nowMs;
    }
    const isGraceOver =
      nowMs - this.#activityChangedAtMs >= SCALE_TO_ZERO_GRACE_MS || nowMs - (this.#proxyingSinceMs ?? nowMs) >= SCALE_TO_ZERO_GRACE_MS;
    return isGraceOver ? 0 : Math.min(1, this.#pods.staying().length);
  }

  #setActive(isActive: boolean): void {
    this.#isActive = isActive;
    this.#activityChangedAtMs = this.#clock.monotonicMs();
  }

  #apply(podsDesired: number): void {
    const staying = this.#pods.staying();
    // Those that finish their last requests count against the bound too, as with ours.
    const starts = Math.min(podsDesired - staying.length, this.#podsMax - this.#pods.all().length);
    for (let started = 0; started < starts; started++) void this.#pods.start();
    // A ReplicaSet takes pods that are not ready first, then the youngest.
    const victims = [...staying].reverse().sort((a, b) => Number(a.state === 'ready') - Number(b.state === 'ready'));
    for (const pod of victims.slice(0, Math.max(0, staying.length - podsDesired))) this.#pods.retire(pod);
  }
}

export const knative: SourceFactory = perApp((plan, parts) => new KnativeRevision(plan, parts));
