// automatic_scaling: every rule, as one pure function of plain data.
import { type AutomaticScaling } from '../../sdk/contract/app-manifest/manifest.ts';
import { pacedStarts } from './paced-starts.ts';
import { type Load, NOTHING, type PoolState, SCALE_RULES, type ScaleDecision, type ScaleSpec, type ScaleTarget } from './scale-decision.ts';
import { instancesMaxOf, requestsPerInstance } from './version-bounds.ts';

type AutomaticSpec = ScaleSpec<AutomaticScaling>;

/**
 * What to start and stop now. With N ready, B booting, I in flight, q queued, c = max_concurrent_requests,
 * u = target_throughput_utilization:
 *
 * - `need = ceil((I + q) / (c·u))`. One instance is expected to carry at least one request, so that c = 1 does not start
 *   two instances for the first one.
 * - pending: `need > N + B`, and somebody in the queue would wait longer than min_pending_latency (App Engine, app.yaml
 *   reference). Automatic: longer than a boot takes, since only then is a new instance the faster way.
 *   Until the version has answered something, for no more than four instances.
 * - max-pending: the head has waited for max_pending_latency: one more whatever the need, once in that time, and never
 *   more booting than requests waiting.
 * - throughput: the mean of I over 10 s needs more than N + B: App Engine's target_throughput_utilization. Or the mean of
 *   I + q over half a second is more than N + B can hold, which a steep rise reaches first. Only while min_pending_latency
 *   is automatic, for an app that sets it asks to let requests wait instead.
 * - cpu: the instances use more than target_cpu_utilization of their class's share: one more, each five seconds, and never
 *   more for this reason alone than the machine has CPU for.
 * - min-instances, min-idle (on top of need): only for versions with traffic (App Engine, app.yaml reference).
 * - At most ×2 in 250 ms, max_instances (0: no limit of its own), the host's room, and nothing during back-off, save for
 *   a deploy that waits for its first instance.
 * - Down: half of the surplus in 15 s, idle instances only, the longest idle first, to what would have held 19 of 20 requests
 *   of the last 60 s at
 *   once, and no less than the throughput and CPU rules would start; plus min-idle, or to max_idle_instances where set. None within
 *   60 s of a start, so that no instance comes and goes at the border of a rule. The choice of the fullest instance is what
 *   drains those that go.
 * - To zero: the last one goes when the version was idle for the keep-alive time.
 */
export function decideAutomatic(load: Load, spec: AutomaticSpec, pool: PoolState, nowMs: number): ScaleDecision {
  const wish = wishOf(load, spec, pool, nowMs);
  const have = pool.ready + pool.booting;
  if (wish.target && wish.target.instances > have) return pacedStarts(wish.target, instancesMaxOf(spec.scaling), pool, nowMs);
  const stop = stopsOf(load, spec, pool, nowMs);
  return { ...NOTHING, stop, ...(wish.recheckMs === undefined ? {} : { recheckMs: wish.recheckMs }) };
}

/** The largest number of instances that any rule asks for, and when a rule that does not hold yet may. */
function wishOf(
  load: Load,
  spec: AutomaticSpec,
  pool: PoolState,
  nowMs: number,
): { readonly target?: ScaleTarget; readonly recheckMs?: number } {
  const { scaling } = spec;
  const have = pool.ready + pool.booting;
  const need = Math.ceil((load.inFlight + load.queued) / requestsPerInstance(scaling));
  const targets: ScaleTarget[] = [];
  let recheckMs: number | undefined;

  if (load.queued > 0 && need > have) {
    const spareMs = minPendingMs(scaling, load) - longestWaitMs(load, scaling, pool);
    const most = load.serviceMs === undefined ? SCALE_RULES.instancesUnprovenMax : Infinity;
    if (spareMs <= 0) targets.push({ instances: Math.min(need, most), reason: 'pending' });
    else recheckMs = Math.max(1, spareMs);
  }
  if (load.queued > pool.booting) {
    const maxPendingMs = scaling.maxPendingLatencyMs ?? SCALE_RULES.maxPendingMsAutomatic;
    const waitedMs = Math.min(load.headWaitMs, nowMs - (pool.startedAtMs ?? -Infinity));
    if (waitedMs >= maxPendingMs) targets.push({ instances: have + 1, reason: 'max-pending' });
    else recheckMs = Math.min(recheckMs ?? Infinity, Math.max(1, maxPendingMs - waitedMs));
  }
  if (scaling.minPendingLatencyMs === undefined) {
    targets.push({ instances: throughputNeed(load, scaling), reason: 'throughput' });
    if (isOverfull(load, scaling, pool, nowMs))
      targets.push({ instances: Math.ceil(load.demandMean / requestsPerInstance(scaling)), reason: 'throughput' });
    if (load.inFlight + load.queued > scaling.maxConcurrentRequests * have)
      recheckMs = Math.min(recheckMs ?? Infinity, SCALE_RULES.throughputRecheckMs);
  }
  if (isCpuShort(load, spec, pool, nowMs)) targets.push({ instances: have + 1, reason: 'cpu' });
  if (spec.isServing) {
    if (scaling.minIdleInstances > 0) targets.push({ instances: need + scaling.minIdleInstances, reason: 'min-idle' });
    targets.push({ instances: scaling.minInstances, reason: 'min-instances' });
  }
  if (pool.isWarming) targets.push({ instances: 1, reason: 'warm' });

  let target: ScaleTarget | undefined;
  for (const each of targets) if (!target || each.instances > target.instances) target = each;
  return { ...(target ? { target } : {}), ...(recheckMs === undefined ? {} : { recheckMs }) };
}

/** What the mean load asks for; one instance may be idle, so it asks for none unless it asks for more than one. */
function throughputNeed(load: Load, scaling: AutomaticScaling): number {
  const need = load.inFlightMean / requestsPerInstance(scaling);
  return need > 1 ? Math.ceil(need) : 0;
}

/** The instances use more than their target share, one more would get CPU, and the last start has shown its effect. */
function isCpuShort(load: Load, { scaling, cpuInstancesMax }: AutomaticSpec, pool: PoolState, nowMs: number): boolean {
  if (load.cpu === undefined || pool.booting > 0 || pool.ready === 0 || pool.ready >= cpuInstancesMax) return false;
  return load.cpu / pool.ready > scaling.targetCpuUtilization && nowMs - (pool.startedAtMs ?? -Infinity) >= SCALE_RULES.cpuSettleMs;
}

function minPendingMs(scaling: AutomaticScaling, load: Load): number {
  const automaticMs = Math.min(load.bootMs ?? Infinity, SCALE_RULES.minPendingMsAutomaticMax);
  return Math.min(scaling.minPendingLatencyMs ?? automaticMs, scaling.maxPendingLatencyMs ?? Infinity);
}

/**
 * The longest that anybody in the queue is expected to wait for the instances that there are: with I requests in flight
 * of mean service time s, and c places on each of B that boot, a place comes free every s / (I + c·B). The newest waits
 * for q of them. What is left of the boots is not counted, for another instance would take as long.
 *
 * While nothing boots the head waits for the first place on top of what it has waited. It does so too under a
 * min_pending_latency of the app's own, which says how long a request may wait for whatever reason.
 */
function longestWaitMs(load: Load, scaling: AutomaticScaling, { booting }: PoolState): number {
  const places = load.inFlight + booting * scaling.maxConcurrentRequests;
  if (places === 0) return Infinity;
  const placeMs = (load.serviceMs ?? SCALE_RULES.serviceMsUnknown) / places;
  const isHeadCounted = booting === 0 || scaling.minPendingLatencyMs !== undefined;
  return Math.max(isHeadCounted ? load.headWaitMs + placeMs : 0, load.queued * placeMs);
}

/** More than all can hold, for half a second, and not because they were booting until a moment ago. */
function isOverfull(load: Load, scaling: AutomaticScaling, pool: PoolState, nowMs: number): boolean {
  if (pool.booting > 0 || pool.ready === 0) return false;
  const isSettled = nowMs - (pool.startedAtMs ?? -Infinity) >= (load.bootMs ?? 0) + SCALE_RULES.demandSettleMs;
  return isSettled && load.demandMean > scaling.maxConcurrentRequests * pool.ready;
}

function stopsOf(load: Load, spec: AutomaticSpec, pool: PoolState, nowMs: number): readonly string[] {
  if (nowMs - (pool.stoppedAtMs ?? -Infinity) < SCALE_RULES.stopSpacingMs) return [];
  const { scaling, isServing } = spec;
  const { minInstances, maxIdleInstances } = scaling;
  const minIdle = isServing ? scaling.minIdleInstances : 0;
  const have = pool.ready + pool.booting;
  const floor = Math.max(isServing ? minInstances : 0, nowMs - load.activeAtMs < spec.keepAliveMs ? 1 : 0, pool.isWarming ? 1 : 0);
  const held = Math.ceil(Math.max(load.inFlight + load.queued, load.demandUsual) / scaling.maxConcurrentRequests);
  const forCpu = Math.min(spec.cpuInstancesMax, Math.ceil((load.cpuPeak ?? 0) / scaling.targetCpuUtilization));
  const keep = Math.max(floor, Math.max(held, throughputNeed(load, scaling), forCpu) + minIdle);
  const isNewlyStarted = nowMs - (pool.startedAtMs ?? -Infinity) < SCALE_RULES.demandWindowMs;
  const surplus = isNewlyStarted ? 0 : have - keep;
  const idleSurplus = maxIdleInstances === undefined ? 0 : Math.min(pool.idle.length - Math.max(maxIdleInstances, minIdle), have - floor);
  const count = Math.ceil(Math.max(0, surplus, idleSurplus) / 2);
  return pool.idle
    .toSorted((a, b) => a.idleSinceMs - b.idleSinceMs)
    .slice(0, count)
    .map(({ id }) => id);
}
