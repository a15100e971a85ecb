// What the supervisor and its role processes say to each other over the IPC channel. Both ends are ours; what is not one
// of these is ignored, because Node modules may use the channel too.
import { type ErrorBody } from '../../sdk/contract/errors.ts';

export type FromRole =
  | { readonly kind: 'ready'; readonly payload: unknown }
  /** It cannot start and trying again would not help, for example because a port is taken. */
  | { readonly kind: 'failed'; readonly error: ErrorBody };

export interface ToRole {
  readonly kind: 'stop';
}

export function isFromRole(message: unknown): message is FromRole {
  const kind = kindOf(message);
  return kind === 'ready' || kind === 'failed';
}

export function isToRole(message: unknown): message is ToRole {
  return kindOf(message) === 'stop';
}

function kindOf(message: unknown): unknown {
  return typeof message === 'object' && message !== null && 'kind' in message ? message.kind : undefined;
}
