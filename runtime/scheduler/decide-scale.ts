// Every rule of scaling, as pure functions of plain data: one file for each way of scaling.
// Read next: decide-automatic.ts, then scale-decision.ts.
import { decideAutomatic } from './decide-automatic.ts';
import { decideBasic } from './decide-basic.ts';
import { decideManual } from './decide-manual.ts';
import { type Load, NOTHING, type PoolState, type ScaleDecision, type ScaleSpec } from './scale-decision.ts';

/** What to start and stop now. */
export function decideScale(load: Load, spec: ScaleSpec, pool: PoolState, nowMs: number): ScaleDecision {
  if (pool.isDraining) return { ...NOTHING, stop: load.queued > 0 ? [] : pool.idle.map((instance) => instance.id) };
  const { scaling } = spec;
  switch (scaling.kind) {
    case 'automatic':
      return decideAutomatic(load, { ...spec, scaling }, pool, nowMs);
    case 'basic':
      return decideBasic(load, { ...spec, scaling }, pool, nowMs);
    case 'manual':
      return decideManual({ ...spec, scaling }, pool, nowMs);
  }
}
