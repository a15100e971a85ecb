// The child's side of the supervisor: says when this process is ready, and ends it in order when asked, when the
// supervisor is gone. Without a supervisor (`--role=all`, or a role run by hand) the signals alone count.
import { errorBody, toPlatformError } from '../../sdk/contract/errors.ts';
import { type FromRole, isToRole } from './role-message.ts';

export interface RoleProcessOptions {
  /** Closes everything. Called once. */
  readonly onStop: () => Promise<void>;
}

export interface RoleProcess {
  /** Everything works; `payload` must survive JSON. */
  ready(payload: unknown): void;
  /** It cannot start, and trying again would not help. Ends the process with code 1. */
  fail(error: unknown): void;
}

export function startRoleProcess({ onStop }: RoleProcessOptions): RoleProcess {
  const supervised = process.send !== undefined;
  let stopping: Promise<void> | undefined;
  const stop = (): void => {
    stopping ??= onStop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  // Ctrl-C reaches every process of the terminal at once, and a service manager's SIGTERM every process of the service;
  // only the supervisor knows the order in which they may end, and tells.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, supervised ? () => undefined : stop);
  if (supervised) {
    process.on('message', (message) => {
      if (isToRole(message)) stop();
    });
    process.on('disconnect', stop);
  }
  const send = (message: FromRole, then: () => void): void => {
    if (process.send && process.connected) process.send(message, undefined, undefined, then);
    else then();
  };
  return {
    ready: (payload) => {
      send({ kind: 'ready', payload }, () => undefined);
    },
    fail: (error) => {
      send({ kind: 'failed', error: errorBody(toPlatformError(error)) }, () => process.exit(1));
    },
  };
}
