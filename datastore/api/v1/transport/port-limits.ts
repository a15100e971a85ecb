// What one server of the public API takes at once, as a whole and of each client. The rows of sdk/contract/limits.ts, unless its
// maker says otherwise.
import { LIMITS } from '../../../../sdk/contract/limits.ts';

export interface V1PortLimits {
  /** Of one request message, uncompressed. */
  readonly requestBytesMax: number;
  /** The same as JSON. */
  readonly jsonBytesMax: number;
  readonly connectionsMax: number;
  readonly callsMax: number;
  readonly callsPerConnectionMax: number;
  /** Requests half received or at work, all together. */
  readonly heldBytesMax: number;
  /** Answers that clients have not read, all together. */
  readonly unreadBytesMax: number;
  readonly bodyMs: number;
  readonly idleMs: number;
  readonly drainMs: number;
}

export const V1_PORT_LIMITS: V1PortLimits = Object.freeze({
  requestBytesMax: LIMITS.v1RequestBytesMax,
  jsonBytesMax: LIMITS.v1JsonBytesMax,
  connectionsMax: LIMITS.v1ConnectionsMax,
  callsMax: LIMITS.v1CallsMax,
  callsPerConnectionMax: LIMITS.v1CallsPerConnectionMax,
  heldBytesMax: LIMITS.v1HeldBytesMax,
  unreadBytesMax: LIMITS.v1UnreadBytesMax,
  bodyMs: LIMITS.v1BodyMs,
  idleMs: LIMITS.v1IdleMs,
  drainMs: LIMITS.v1DrainMs,
});
