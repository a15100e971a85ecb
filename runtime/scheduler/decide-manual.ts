import { type ManualScaling } from '../../sdk/contract/app-manifest/manifest.ts';
import { pacedStarts } from './paced-starts.ts';
import { NOTHING, type PoolState, type ScaleDecision, type ScaleSpec } from './scale-decision.ts';

/**
 * manual_scaling: so many instances run whatever the load is, from the end of the deploy on, with traffic or without (App
 * Engine stops them only when it is asked to). One that is on its way out is replaced at once. When the number is lowered
 * the surplus goes: idle ones first, then busy ones after their last request.
 */
export function decideManual(spec: ScaleSpec<ManualScaling>, pool: PoolState, nowMs: number): ScaleDecision {
  const have = pool.ready + pool.booting;
  const isRunning = spec.isDeployed || spec.isServing;
  const instances = isRunning ? spec.scaling.instances : pool.isWarming ? 1 : 0;
  if (have < instances) return pacedStarts({ instances, reason: isRunning ? 'manual' : 'warm' }, instances + pool.leaving, pool, nowMs);
  // Before the control plane was heard nobody knows that they are too many.
  if (!isRunning || pool.ready <= instances) return NOTHING;
  const surplus = pool.ready - instances;
  const stop = pool.idle.toSorted((a, b) => a.idleSinceMs - b.idleSinceMs).slice(0, surplus);
  return { ...NOTHING, stop: stop.map(({ id }) => id), drain: surplus - stop.length };
}
