import { NOTHING, type PoolState, SCALE_RULES, type ScaleDecision, type ScaleTarget } from './scale-decision.ts';

/**
 * As many of the wanted instances as may start now: at most twice as many in 250 ms, the version's and the host's bounds,
 * and nothing during back-off, save for a deploy that waits for its first instance.
 */
export function pacedStarts(target: ScaleTarget, instancesMax: number, pool: PoolState, nowMs: number): ScaleDecision {
  const have = pool.ready + pool.booting;
  const backOffMs = pool.noStartBeforeMs - nowMs;
  if (backOffMs > 0 && !pool.isWarming) return { ...NOTHING, recheckMs: backOffMs };
  const wanted = Math.min(target.instances - have, instancesMax - have - pool.leaving);
  if (wanted <= 0) return NOTHING;
  const windowStart = Math.max(0, have - pool.startsRecent);
  const paced = Math.min(wanted, Math.max(SCALE_RULES.growthStartsMin, 2 * windowStart) - have);
  const start = Math.max(0, Math.min(paced, pool.hostRoom));
  const short = Math.max(0, paced - start);
  return {
    start,
    ...(start > 0 ? { reason: target.reason } : {}),
    stop: [],
    drain: 0,
    short,
    ...(short > 0 ? { recheckMs: SCALE_RULES.roomRetryMs } : start < wanted ? { recheckMs: SCALE_RULES.growthWindowMs } : {}),
  };
}
