export interface Candidate {
  /** Whether it may be given requests now. */
  readonly isOpen: boolean;
  readonly inFlight: number;
  readonly startedAtMs: number;
}

/**
 * The fullest open instance with room, of equally full ones the oldest; undefined when none has room. Packing lets the
 * others fall idle, so that they can go: the rule of App Engine's development server, which spreads only over those
 * that it needs (devappserver2, AutoScalingModule). Full ties go to the first, so the order of `candidates` decides.
 */
export function chooseInstance<T extends Candidate>(candidates: Iterable<T>, concurrentMax: number): T | undefined {
  let best: T | undefined;
  for (const candidate of candidates) {
    if (!candidate.isOpen || candidate.inFlight >= concurrentMax) continue;
    if (!best || candidate.inFlight > best.inFlight) best = candidate;
    else if (candidate.inFlight === best.inFlight && candidate.startedAtMs < best.startedAtMs) best = candidate;
  }
  return best;
}
