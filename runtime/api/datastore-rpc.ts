// The datastore as services of the platform reach it: any app's data, through the private service `datastore-admin`.
import { DATASTORE_SERVICE } from '../../sdk/contract/datastore-wire.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { DATASTORE_ADMIN_SERVICE } from '../control/datastore-control-store.ts';

/**
 * Calls of the service `datastore` made on behalf of one app: `new Datastore(datastoreRpcOf(rpc, SYSTEM_APP_ID), …)`
 * gives services of the platform the client that apps have.
 */
export function datastoreRpcOf(rpc: Rpc, appId: string): Rpc {
  return {
    call: (service, method, payload, options) =>
      service === DATASTORE_SERVICE
        ? rpc.call(DATASTORE_ADMIN_SERVICE, method, { appId, ...(payload as object) }, options)
        : rpc.call(service, method, payload, options),
  };
}
