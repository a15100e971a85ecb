// The public Cloud Datastore v1 API on a socket of each instance's own, for Google's clients: whoever reaches it is the app, and whatever
// project they name is the app's. The instance's languages lead $DATASTORE_EMULATOR_HOST there.
// Read next: ../../datastore/api/v1/transport/server.ts; instance-gateway.ts for who opens it; ../host/instance-environment.ts.
import { type Authenticate, checkProjectId } from '../../datastore/api/v1/transport/identity.ts';
import { type V1Service } from '../../datastore/api/v1/port.ts';
import { DatastoreV1Server } from '../../datastore/api/v1/transport/server.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Clock, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type InstanceView } from '../host/instance.ts';
import { type InstanceListener, SOCKET_MODE } from './instance-gateway.ts';

/** An app must not hold more of the datastore's memory by this socket than it may by the other one. */
const INSTANCE_LIMITS = {
  connectionsMax: LIMITS.v1InstanceConnectionsMax,
  heldBytesMax: LIMITS.v1InstanceHeldBytesMax,
  unreadBytesMax: LIMITS.v1InstanceUnreadBytesMax,
};

/** Listens at `path`; until somebody connects it costs a socket. */
export function datastoreV1Listener(
  path: string,
  { appId }: Pick<InstanceView, 'appId'>,
  service: V1Service,
  clock: Clock,
  timers: Timers,
  log: Log,
): InstanceListener {
  const server = new DatastoreV1Server(service, clock, timers, log, { authenticate: always(appId), limits: INSTANCE_LIMITS });
  return {
    start: async () => {
      await server.start({ path, mode: SOCKET_MODE });
    },
    close: () => server.close(),
  };
}

/** Tokens are not looked at: clients may send those of an emulator. */
function always(appId: string): Authenticate {
  const identity = {
    appOf: (projectId: string) => {
      checkProjectId(projectId);
      return appId;
    },
    isProven: true,
  };
  return () => identity;
}
