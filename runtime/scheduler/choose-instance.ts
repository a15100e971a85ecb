export interface Candidate {
  /** Whether it may be given requests now. */
  readonly isOpen: boolean;
  /** Whether it is above its target share of the CPU. */
  readonly isHot: boolean;
  readonly inFlight: number;
  readonly startedAtMs: number;
}

/**
 * Of the open instances with room (fewer than `concurrentMax` requests): the fullest that is below `concurrentTarget` and
 * not hot, for packing lets the others fall idle, so that they can go: the rule of App Engine's development server, which
 * spreads only over those that it needs (devappserver2, AutoScalingModule). When all are above their targets the one with
 * the fewest requests, those that are not hot first: above the target there is nothing to gain by packing. Ties go to the
 * oldest. Undefined when none has room.
 */
export function chooseInstance<T extends Candidate>(
  candidates: Iterable<T>,
  concurrentTarget: number,
  concurrentMax: number,
): T | undefined {
  let packed: T | undefined;
  let spread: T | undefined;
  for (const candidate of candidates) {
    const { inFlight } = candidate;
    if (!candidate.isOpen || inFlight >= concurrentMax) continue;
    if (inFlight < concurrentTarget && !candidate.isHot) {
      if (!packed || inFlight > packed.inFlight || (inFlight === packed.inFlight && candidate.startedAtMs < packed.startedAtMs)) {
        packed = candidate;
      }
    } else if (!packed && (!spread || isCalmer(candidate, spread))) spread = candidate;
  }
  return packed ?? spread;
}

function isCalmer(a: Candidate, b: Candidate): boolean {
  if (a.isHot !== b.isHot) return b.isHot;
  return a.inFlight === b.inFlight ? a.startedAtMs < b.startedAtMs : a.inFlight < b.inFlight;
}
