// What a version's way of scaling bounds, whatever its load: requests on one instance, instances at all.
import { type Scaling } from '../../sdk/contract/app-manifest/manifest.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';

/** Requests that one instance gets at the same time. */
export function concurrentMaxOf(scaling: Scaling): number {
  return scaling.kind === 'automatic' ? scaling.maxConcurrentRequests : LIMITS.residentConcurrentRequestsMax;
}

/** How long a request may take. App Engine, second generation: a day on instances that are there to stay. */
export function requestMsMaxOf(scaling: Scaling['kind']): number {
  return scaling === 'automatic' ? LIMITS.requestDeadlineMs : LIMITS.requestDeadlineLongMs;
}

/** Requests that one instance is expected to carry: at least one, so that a bound of one does not ask for two at once. */
export function requestsPerInstance(scaling: Scaling): number {
  if (scaling.kind !== 'automatic') return LIMITS.residentConcurrentRequestsMax;
  return Math.max(1, scaling.maxConcurrentRequests * scaling.targetThroughputUtilization);
}

/** Requests up to which one instance is filled before the next gets any: all the same where every instance runs anyway. */
export function concurrentTargetOf(scaling: Scaling): number {
  return scaling.kind === 'manual' ? 0 : requestsPerInstance(scaling);
}

export function instancesMaxOf(scaling: Scaling): number {
  switch (scaling.kind) {
    case 'automatic':
      return scaling.maxInstances > 0 ? scaling.maxInstances : LIMITS.instancesPerHostMax;
    case 'basic':
      return scaling.maxInstances;
    case 'manual':
      return scaling.instances;
  }
}

/** Instances that run without any request, and that nobody may take for another version. */
export function residentsOf(scaling: Scaling, isServing: boolean): number {
  switch (scaling.kind) {
    case 'automatic':
      return isServing ? scaling.minInstances : 0;
    case 'basic':
      return 0;
    case 'manual':
      return scaling.instances;
  }
}

/** Whether instances may run before any request comes. */
export function isResident(scaling: Scaling): boolean {
  return scaling.kind === 'automatic' ? scaling.minInstances + scaling.minIdleInstances > 0 : scaling.kind === 'manual';
}
