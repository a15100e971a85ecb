// Who waits for whom, walked from one wait: finds out whether it waits, in the end, for its own owner.
//
// A wait for a lock waits for the holders that do not allow it, and for its turn behind those ahead of it in the queue. The
// queue is followed up to the next writer, and the holders of a lock once, so that a walk costs no more than the waits and
// holders that it meets, however many wait for the same lock.
import { type KeyWait, type LockOwner, type Wait } from './lock.ts';

interface Step {
  readonly wait: Wait;
  /** The step that led here, and whose wait this is; none for the first. */
  readonly from: Step | undefined;
}

/** The owners on a circle of waits through `start`, its own owner first; undefined when there is none. */
export function findCircle(start: Wait): readonly LockOwner[] | undefined {
  const seen = new Set<unknown>([start]);
  const steps: Step[] = [{ wait: start, from: undefined }];
  for (let step = steps.pop(); step; step = steps.pop()) {
    if (step.wait.kind === 'key') {
      const { lock, mode, owner } = step.wait;
      for (const ahead of turnsAhead(step.wait)) {
        if (isInTheWay(ahead, step.wait)) {
          if (follow(ahead.owner, step, steps, seen, start)) return circle(step);
        } else if (!seen.has(ahead)) {
          // Not in the way itself: only what that one waits for.
          seen.add(ahead);
          steps.push({ wait: ahead, from: step });
        }
      }
      if ((mode === 'shared' && lock.mode === 'shared') || seen.has(lock)) continue;
      seen.add(lock);
      for (const holder of lock.holders) {
        if (holder !== owner && follow(holder, step, steps, seen, start)) return circle(step);
      }
    } else {
      for (const blocker of step.wait.blockers) if (follow(blocker, step, steps, seen, start)) return circle(step);
    }
  }
  return undefined;
}

/** Goes on with the waits of `owner`; true when it is the one to be found. */
function follow(owner: LockOwner, from: Step, steps: Step[], seen: Set<unknown>, start: Wait): boolean {
  if (owner === start.owner) return true;
  if (seen.has(owner)) return false;
  seen.add(owner);
  for (const wait of owner.waits) {
    if (seen.has(wait)) continue;
    seen.add(wait);
    steps.push({ wait, from });
  }
  return false;
}

/** Those ahead in the queue up to the first that wants the lock alone, which itself waits for all before it. */
function* turnsAhead({ mode, before }: KeyWait): Generator<KeyWait> {
  for (let ahead = before; ahead; ahead = ahead.before) {
    yield ahead;
    // A reader's turn comes with that of the reader before it.
    if (mode === 'shared' || ahead.mode === 'exclusive') return;
  }
}

function isInTheWay(ahead: KeyWait, wait: KeyWait): boolean {
  return ahead.owner !== wait.owner && (ahead.mode === 'exclusive' || wait.mode === 'exclusive');
}

function circle(last: Step): readonly LockOwner[] {
  const owners: LockOwner[] = [];
  for (let step: Step | undefined = last; step; step = step.from) if (!owners.includes(step.wait.owner)) owners.unshift(step.wait.owner);
  return owners;
}
