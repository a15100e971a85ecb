// Messages: what the frames of a connection say. Both sides may call; ids are the caller's own.
//
//   call     := [0, id, service, method, payload, deadlineMs]   deadlineMs counts from receipt; 0 for none
//   result   := [1, id, payload]                                ends the call
//   failure  := [2, id, code, message, details]                 ends the call
//   cancel   := [3, id]                                         the caller no longer waits; a failure or result may cross it
//   event    := [4, id, payload]                                any number, before result or failure
//   id       := unsigned, below 2^32, unique among the caller's open calls
import { PlatformError, type ErrorDetails } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { encodeFrame } from './frame.ts';

export type Message =
  | {
      readonly kind: 'call';
      readonly id: number;
      readonly service: string;
      readonly method: string;
      readonly payload: unknown;
      readonly deadlineMs: number;
    }
  | { readonly kind: 'result'; readonly id: number; readonly payload: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly code: string; readonly message: string; readonly details: ErrorDetails }
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'event'; readonly id: number; readonly payload: unknown };

export function messageToWire(message: Message): readonly unknown[] {
  switch (message.kind) {
    case 'call':
      return [0, message.id, message.service, message.method, message.payload, message.deadlineMs];
    case 'result':
      return [1, message.id, message.payload];
    case 'failure':
      return [2, message.id, message.code, message.message, message.details];
    case 'cancel':
      return [3, message.id];
    case 'event':
      return [4, message.id, message.payload];
  }
}

/**
 * A message as a frame. Throws INVALID_ARGUMENT for a call whose payload holds what cannot be sent and INTERNAL for such an
 * answer, both naming its place; RPC_FRAME_TOO_LARGE; RPC_FRAME_MALFORMED for too many items or too deep nesting.
 */
export function encodeMessage(message: Message): Buffer {
  try {
    return encodeFrame(messageToWire(message));
  } catch (error) {
    const place = 'payload' in message ? unsendableIn(message.payload, [], LIMITS.wireDepthMax) : undefined;
    if (!place) throw error;
    throw new PlatformError(message.kind === 'call' ? 'INVALID_ARGUMENT' : 'INTERNAL', place, { cause: error });
  }
}

/** Where in `value` something stands that is neither data nor bytes, in words. */
function unsendableIn(value: unknown, path: readonly string[], depth: number): string | undefined {
  const refused = (what: string): string => `${path.length === 0 ? '' : `"${path.join('.')}": `}${what} cannot be sent`;
  switch (typeof value) {
    case 'undefined':
      return refused('undefined');
    case 'function':
    case 'symbol':
      return refused(`a ${typeof value}`);
    case 'bigint':
      return BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value ? undefined : refused('an integer beyond 64 bits');
    case 'object':
      break;
    default:
      return undefined;
  }
  if (value === null || value instanceof Uint8Array || depth === 0) return undefined;
  if (value instanceof Date) return refused('a date');
  for (const [name, item] of Object.entries(value)) {
    const found = unsendableIn(item, [...path, name], depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Throws RPC_FRAME_MALFORMED on anything but the grammar above. Payloads stay unchecked: methods check their own. */
export function messageFromWire(value: unknown): Message {
  if (!Array.isArray(value)) throw malformed('not a list');
  const [kind, id, third, fourth, payload, deadlineMs] = value as readonly unknown[];
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= 2 ** 32) throw malformed('bad id');
  switch (kind) {
    case 0:
      if (typeof third !== 'string' || typeof fourth !== 'string') throw malformed('a call names a service and a method');
      if (typeof deadlineMs !== 'number' || !(deadlineMs >= 0)) throw malformed('bad deadline');
      return { kind: 'call', id, service: third, method: fourth, payload, deadlineMs };
    case 1:
      return { kind: 'result', id, payload: third };
    case 2:
      if (typeof third !== 'string' || typeof fourth !== 'string') throw malformed('a failure has a code and a message');
      return { kind: 'failure', id, code: third, message: fourth, details: asDetails(payload) };
    case 3:
      return { kind: 'cancel', id };
    case 4:
      return { kind: 'event', id, payload: third };
    default:
      throw malformed('unknown kind of message');
  }
}

function asDetails(value: unknown): ErrorDetails {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as ErrorDetails) : {};
}

function malformed(reason: string): PlatformError {
  return new PlatformError('RPC_FRAME_MALFORMED', reason);
}
