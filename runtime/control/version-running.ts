import { type VersionRunningView, type VersionTrouble } from '../../sdk/contract/admin/versions.ts';
import { type PoolView } from '../scheduler/scheduler-view.ts';
import { type VersionRecord } from './control-store.ts';

/** How a version runs; `pool` is what the scheduler says of it, if it says anything. */
export function runningView({ launch, isStopped = false, instances }: VersionRecord, pool: PoolView | undefined): VersionRunningView {
  const { scaling } = launch;
  const trouble = pool && troubleOf(pool);
  return {
    scaling: scaling.kind,
    isStopped,
    ...(scaling.kind === 'manual' ? { instancesWanted: instances ?? scaling.instances } : {}),
    ...(trouble ? { trouble } : {}),
  };
}

function troubleOf({ startFailures, startError, nextTryMs, shortage }: PoolView): VersionTrouble | undefined {
  if (startFailures > 0) {
    return { kind: 'failing', failures: startFailures, reason: startError ?? '', ...(nextTryMs === undefined ? {} : { nextTryMs }) };
  }
  return shortage === undefined ? undefined : { kind: 'no-room', reason: shortage };
}
