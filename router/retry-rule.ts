// When a request may be given to another instance. A request must never happen twice unless that is harmless.
import { type ErrorCode } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';

export interface FailedAttempt {
  readonly code: ErrorCode;
  readonly method: string;
  readonly hasBody: boolean;
  /** Whether any byte of the request may have reached the instance. */
  readonly wasDelivered: boolean;
  /** Whether the client has seen any byte of the response. */
  readonly isResponseStarted: boolean;
  /** How often the request has been given to another instance already. */
  readonly retries: number;
  /** Milliseconds until the request's deadline. */
  readonly remainingMs: number;
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

export function mayRetry(failed: FailedAttempt): boolean {
  // Any other failure would only come again: a malformed answer, a deadline, a body that is too large.
  if (failed.code !== 'ROUTE_INSTANCE_FAILED') return false;
  if (failed.isResponseStarted || failed.retries >= LIMITS.routeRetriesMax || failed.remainingMs <= 0) return false;
  return !failed.wasDelivered || (SAFE_METHODS.has(failed.method) && !failed.hasBody);
}
