// Every rule of scaling, as one pure function of plain data. Numbers that are ours stand in SCALE_RULES with their reason.
import { type AutomaticScaling } from '../../sdk/contract/app-manifest/manifest.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';

export const SCALE_RULES = Object.freeze({
  /** `min_pending_latency: automatic` is the time of a boot, at most this: App Engine's default for free apps. */
  minPendingMsAutomaticMax: 500,
  /** `max_pending_latency: automatic`: App Engine's 10 s. */
  maxPendingMsAutomatic: 10_000,
  /** In this time a version may double, so that a burst of short requests does not start an instance each. */
  growthWindowMs: 250,
  /** Starts in one growth window that are allowed however small the version is: twice one instance. */
  growthStartsMin: 2,
  /** Demand of this past time keeps its instances: the window of App Engine's development server. */
  peakWindowMs: 60_000,
  /** Between two scale-downs of one version, so that each shows its effect before the next. */
  stopSpacingMs: 15_000,
  /** How soon a present load above the target is looked at again, while its mean is still below. */
  throughputRecheckMs: 100,
  /** When the host is full, room may come at any time. */
  roomRetryMs: 250,
});

/** What one version is asked to carry. All times monotonic milliseconds. */
export interface Load {
  readonly inFlight: number;
  readonly queued: number;
  /** How long the head of the hold queue has waited; 0 when the queue is empty. */
  readonly headWaitMs: number;
  /** Requests in flight, averaged over about a quarter of a second. */
  readonly inFlightMean: number;
  /** Most requests in flight and queued at once within `peakWindowMs`. */
  readonly peak: number;
  /** Mean service time of late; undefined until a request was answered. */
  readonly serviceMs?: number | undefined;
  /** Mean time from start to ready of late; undefined until an instance was started. */
  readonly bootMs?: number | undefined;
  /** When a request last came or went, or the version was warmed. */
  readonly activeAtMs: number;
}

export interface ScaleSpec {
  readonly scaling: AutomaticScaling;
  /** Whether the version has a share of the traffic. */
  readonly isServing: boolean;
  /** How long the last instance stays without a request. Plain data, so that a policy may adapt it. */
  readonly keepAliveMs: number;
}

export interface IdleInstance {
  readonly id: string;
  readonly idleSinceMs: number;
}

/** What one version has. */
export interface PoolState {
  readonly ready: number;
  readonly booting: number;
  /** Asked to stop and not gone yet: they count against max_instances. */
  readonly leaving: number;
  /** The ready ones without a request. */
  readonly idle: readonly IdleInstance[];
  /** Starts within the last `growthWindowMs`. */
  readonly startsRecent: number;
  readonly startedAtMs?: number | undefined;
  readonly stoppedAtMs?: number | undefined;
  /** No start before this time: back-off after a failed start. */
  readonly noStartBeforeMs: number;
  /** Instances that the host still has room for. */
  readonly hostRoom: number;
  readonly isDraining: boolean;
  /** Somebody waits for a first ready instance without a request: a deploy that warms its version. */
  readonly isWarming: boolean;
}

export type StartReason = 'pending' | 'max-pending' | 'throughput' | 'min-idle' | 'min-instances' | 'warm';

export interface ScaleDecision {
  readonly start: number;
  /** Why; absent when nothing starts. */
  readonly reason?: StartReason;
  /** Instances to stop; all are idle, so none loses a request. */
  readonly stop: readonly string[];
  /** Starts that only the host's limit forbids: the scheduler may stop idle instances of other versions for them. */
  readonly short: number;
  /** When to decide again though nothing happens; undefined when only an event or the slow tick can change the outcome. */
  readonly recheckMs?: number;
}

interface Target {
  readonly instances: number;
  readonly reason: StartReason;
}

const NOTHING: ScaleDecision = Object.freeze({ start: 0, stop: Object.freeze([]), short: 0 });

/**
 * What to start and stop now. With N ready, B booting, I in flight, q queued, c = max_concurrent_requests,
 * u = target_throughput_utilization:
 *
 * - `need = ceil((I + q) / (c·u))`. One instance is expected to carry at least one request, so that c = 1 does not start
 *   two instances for the first one.
 * - pending: `need > N + B`, and somebody in the queue would wait longer than min_pending_latency (App Engine, app.yaml
 *   reference). Automatic: longer than a boot takes, since only then is a new instance the faster way.
 * - max-pending: the head has waited for max_pending_latency: one more whatever the need, once in that time, and never
 *   more booting than requests waiting.
 * - throughput: the mean of I needs more than N + B: App Engine's target_throughput_utilization. Only while
 *   min_pending_latency is automatic, for an app that sets it asks to let requests wait instead.
 * - min-instances, min-idle (on top of need): only for versions with traffic (App Engine, app.yaml reference).
 * - At most ×2 in 250 ms, max_instances (0: no limit of its own), the host's room, and nothing during back-off, save for
 *   a deploy that waits for its first instance.
 * - Down: one idle instance in 15 s, the longest idle first, to what the peak of the last 60 s needs plus min-idle, or to
 *   max_idle_instances where set. The choice of the fullest instance is what drains those that go.
 * - To zero: the last one goes when the version was idle for the keep-alive time.
 */
export function decideScale(load: Load, spec: ScaleSpec, pool: PoolState, nowMs: number): ScaleDecision {
  if (pool.isDraining) return { ...NOTHING, stop: load.queued > 0 ? [] : pool.idle.map((instance) => instance.id) };
  const wish = wishOf(load, spec, pool, nowMs);
  const have = pool.ready + pool.booting;
  if (wish.target && wish.target.instances > have) return startsOf(wish.target, spec, pool, nowMs);
  const stop = stopsOf(load, spec, pool, nowMs);
  return { ...NOTHING, stop, ...(wish.recheckMs === undefined ? {} : { recheckMs: wish.recheckMs }) };
}

/** Requests that one instance is expected to carry. */
export function requestsPerInstance(scaling: AutomaticScaling): number {
  return Math.max(1, scaling.maxConcurrentRequests * scaling.targetThroughputUtilization);
}

function instancesMaxOf(scaling: AutomaticScaling): number {
  return scaling.maxInstances > 0 ? scaling.maxInstances : LIMITS.instancesPerHostMax;
}

/** The largest number of instances that any rule asks for, and when a rule that does not hold yet may. */
function wishOf(load: Load, spec: ScaleSpec, pool: PoolState, nowMs: number): { readonly target?: Target; readonly recheckMs?: number } {
  const { scaling } = spec;
  const have = pool.ready + pool.booting;
  const need = Math.ceil((load.inFlight + load.queued) / requestsPerInstance(scaling));
  const targets: Target[] = [];
  let recheckMs: number | undefined;

  if (load.queued > 0 && need > have) {
    const spareMs = minPendingMs(scaling, load) - longestWaitMs(load);
    if (spareMs <= 0) targets.push({ instances: need, reason: 'pending' });
    else recheckMs = Math.max(1, spareMs);
  }
  if (load.queued > pool.booting) {
    const maxPendingMs = scaling.maxPendingLatencyMs ?? SCALE_RULES.maxPendingMsAutomatic;
    const waitedMs = Math.min(load.headWaitMs, nowMs - (pool.startedAtMs ?? -Infinity));
    if (waitedMs >= maxPendingMs) targets.push({ instances: have + 1, reason: 'max-pending' });
    else recheckMs = Math.min(recheckMs ?? Infinity, Math.max(1, maxPendingMs - waitedMs));
  }
  if (scaling.minPendingLatencyMs === undefined) {
    targets.push({ instances: Math.ceil(load.inFlightMean / requestsPerInstance(scaling)), reason: 'throughput' });
    if (load.inFlight > requestsPerInstance(scaling) * have) recheckMs = Math.min(recheckMs ?? Infinity, SCALE_RULES.throughputRecheckMs);
  }
  if (spec.isServing) {
    if (scaling.minIdleInstances > 0) targets.push({ instances: need + scaling.minIdleInstances, reason: 'min-idle' });
    targets.push({ instances: scaling.minInstances, reason: 'min-instances' });
  }
  if (pool.isWarming) targets.push({ instances: 1, reason: 'warm' });

  let target: Target | undefined;
  for (const each of targets) if (!target || each.instances > target.instances) target = each;
  return { ...(target ? { target } : {}), ...(recheckMs === undefined ? {} : { recheckMs }) };
}

function minPendingMs(scaling: AutomaticScaling, load: Load): number {
  const automaticMs = Math.min(load.bootMs ?? 0, SCALE_RULES.minPendingMsAutomaticMax);
  return Math.min(scaling.minPendingLatencyMs ?? automaticMs, scaling.maxPendingLatencyMs ?? Infinity);
}

/**
 * The longest that anybody in the queue is expected to wait for the instances that are ready: with I requests in flight
 * of mean service time s, a place comes free every s / I. The head waits for the first of them on top of what it has
 * waited; the newest for q of them, and asking for the head alone would see a flood only a boot's time later.
 */
function longestWaitMs(load: Load): number {
  if (load.inFlight === 0 || load.serviceMs === undefined) return Infinity;
  const placeMs = load.serviceMs / load.inFlight;
  return Math.max(load.headWaitMs + placeMs, load.queued * placeMs);
}

function startsOf(target: Target, spec: ScaleSpec, pool: PoolState, nowMs: number): ScaleDecision {
  const have = pool.ready + pool.booting;
  const backOffMs = pool.noStartBeforeMs - nowMs;
  if (backOffMs > 0 && !pool.isWarming) return { ...NOTHING, recheckMs: backOffMs };
  const wanted = Math.min(target.instances - have, instancesMaxOf(spec.scaling) - have - pool.leaving);
  if (wanted <= 0) return NOTHING;
  const windowStart = Math.max(0, have - pool.startsRecent);
  const paced = Math.min(wanted, Math.max(SCALE_RULES.growthStartsMin, 2 * windowStart) - have);
  const start = Math.max(0, Math.min(paced, pool.hostRoom));
  const short = Math.max(0, paced - start);
  return {
    start,
    ...(start > 0 ? { reason: target.reason } : {}),
    stop: [],
    short,
    ...(short > 0 ? { recheckMs: SCALE_RULES.roomRetryMs } : start < wanted ? { recheckMs: SCALE_RULES.growthWindowMs } : {}),
  };
}

function stopsOf(load: Load, spec: ScaleSpec, pool: PoolState, nowMs: number): readonly string[] {
  if (nowMs - (pool.stoppedAtMs ?? -Infinity) < SCALE_RULES.stopSpacingMs) return [];
  const { scaling, isServing } = spec;
  const { minInstances, maxIdleInstances } = scaling;
  const minIdle = isServing ? scaling.minIdleInstances : 0;
  const have = pool.ready + pool.booting;
  const floor = Math.max(isServing ? minInstances : 0, nowMs - load.activeAtMs < spec.keepAliveMs ? 1 : 0, pool.isWarming ? 1 : 0);
  const keep = Math.max(floor, Math.ceil(load.peak / requestsPerInstance(scaling)) + minIdle);
  const isSurplus =
    have > keep || (maxIdleInstances !== undefined && pool.idle.length > Math.max(maxIdleInstances, minIdle) && have > floor);
  if (!isSurplus) return [];
  let longest: IdleInstance | undefined;
  for (const instance of pool.idle) if (!longest || instance.idleSinceMs < longest.idleSinceMs) longest = instance;
  return longest ? [longest.id] : [];
}
