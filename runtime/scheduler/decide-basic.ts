import { type BasicScaling } from '../../sdk/contract/app-manifest/manifest.ts';
import { pacedStarts } from './paced-starts.ts';
import { type Load, NOTHING, type PoolState, type ScaleDecision, type ScaleSpec } from './scale-decision.ts';
import { requestsPerInstance } from './version-bounds.ts';

/**
 * basic_scaling: an instance is started when a request finds no place and those that boot will not have one either, up to
 * max_instances; each is stopped when it was idle for idle_timeout (App Engine, app.yaml reference).
 */
export function decideBasic(load: Load, spec: ScaleSpec<BasicScaling>, pool: PoolState, nowMs: number): ScaleDecision {
  const { scaling } = spec;
  const have = pool.ready + pool.booting;
  const need = load.queued > 0 ? Math.ceil((load.inFlight + load.queued) / requestsPerInstance(scaling)) : 0;
  if (need > have) return pacedStarts({ instances: need, reason: 'pending' }, scaling.maxInstances, pool, nowMs);
  if (pool.isWarming && have === 0) return pacedStarts({ instances: 1, reason: 'warm' }, scaling.maxInstances, pool, nowMs);
  // Who waits is given a place before anything goes.
  if (load.queued > 0 || pool.isWarming) return NOTHING;
  return { ...NOTHING, stop: pool.idle.filter(({ idleSinceMs }) => nowMs - idleSinceMs >= scaling.idleTimeoutMs).map(({ id }) => id) };
}
