import { type ManualScaling } from '../../sdk/contract/app-manifest/manifest.ts';
import { pacedStarts } from './paced-starts.ts';
import { NOTHING, type PoolState, type ScaleDecision, type ScaleSpec } from './scale-decision.ts';

/**
 * manual_scaling: so many instances run whatever the load is. Fewer than before: the surplus goes at once, idle ones
 * first; the pool drains those that are busy. Versions without traffic run them too: App Engine stops them only when asked.
 */
export function decideManual(spec: ScaleSpec<ManualScaling>, pool: PoolState, nowMs: number): ScaleDecision {
  const { scaling } = spec;
  const have = pool.ready + pool.booting;
  if (have < scaling.instances) return pacedStarts({ instances: scaling.instances, reason: 'manual' }, scaling, pool, nowMs);
  if (pool.ready <= scaling.instances) return NOTHING;
  const surplus = pool.ready - scaling.instances;
  const idleFirst = pool.idle.toSorted((a, b) => a.idleSinceMs - b.idleSinceMs).map(({ id }) => id);
  return { ...NOTHING, stop: idleFirst.slice(0, surplus) };
}
