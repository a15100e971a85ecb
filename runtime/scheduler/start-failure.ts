import { PlatformError } from '../../sdk/contract/errors.ts';
import { type InstanceExit } from '../host/instance.ts';

/** Why a start failed, as two errors with different readers. */
export interface StartFailure {
  /** For those who deploy: with the newest lines of stderr. */
  readonly forOwners: PlatformError;
  /** For visitors of the app, to whom its output is not shown. */
  readonly forVisitors: PlatformError;
}

/** The instance exited before it was ready. A sandbox that cannot be made is our failure and not the app's. */
export function failureOfExit(instanceId: string, exit: InstanceExit): StartFailure {
  const { errorCode, reason, stderrTail } = exit;
  const forOwners = new PlatformError(errorCode, reason, { details: { instanceId, stderrTail } });
  const publicCode = errorCode === 'INSTANCE_SPAWN_FAILED' ? 'ROUTE_START_FAILED' : errorCode;
  return { forOwners, forVisitors: new PlatformError(publicCode, reason, { details: { instanceId }, cause: forOwners }) };
}

/** The instance listened, but did not accept its start. */
export function failureOfDenial(instanceId: string, denial: string, { reason, stderrTail }: InstanceExit): StartFailure {
  const detail = `${denial}; the instance ${reason}`;
  const forOwners = new PlatformError('INSTANCE_START_REFUSED', detail, { details: { instanceId, stderrTail } });
  return { forOwners, forVisitors: new PlatformError('INSTANCE_START_REFUSED', detail, { details: { instanceId }, cause: forOwners }) };
}

/** The host refused the start itself. */
export function failureOfRefusal(error: PlatformError): StartFailure {
  return { forOwners: error, forVisitors: new PlatformError('ROUTE_START_FAILED', undefined, { cause: error }) };
}
