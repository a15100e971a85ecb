import { PublicDatastoreServer } from '../../datastore/api/public-server.ts';
import { datastoreAdminService, datastoreService } from '../../datastore/api/wire-service.ts';
import { Datastore } from '../../datastore/datastore.ts';
import { LevelStore } from '../../datastore/storage/level-store.ts';
import { MemoryStore } from '../../datastore/storage/memory-store.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { InstanceGateway } from '../api/instance-gateway.ts';
import { RpcInstanceHost } from '../host/host-rpc.ts';
import { DATASTORE_SOCKET } from '../host/instance.ts';
import { type RoleLinks } from '../role-links.ts';
import { type PlatformSettings, type PlatformWorld, type RunningRole } from './settings.ts';

/** The datastore: storage, its instances' sockets, and the public port. */
export async function startDatastore(
  settings: PlatformSettings,
  links: RoleLinks,
  world: PlatformWorld,
  onFailed: () => void,
): Promise<RunningRole> {
  const { clock, timers, random, log } = world;
  const closing = new CloseStack();
  try {
    const store = settings.ephemeral ? new MemoryStore() : new LevelStore(settings.paths.store);
    const datastore = new Datastore(store, clock, timers, random, log, {
      onStoreFailed: (error) => {
        log.error('The store takes no more writes; this role starts anew', { error });
        onFailed();
      },
    });
    await datastore.start();
    closing.defer(() => datastore.close());
    const publicServer = new PublicDatastoreServer();
    await publicServer.start({ host: settings.bind, port: settings.ports.datastore });
    closing.defer(() => publicServer.close());
    const gateway = new InstanceGateway(new RpcInstanceHost(links.connect('host'), timers), timers, log, {
      socketName: DATASTORE_SOCKET,
      servicesOf: ({ appId }) => [datastoreService(datastore, { appId })],
    });
    gateway.start();
    closing.defer(() => gateway.close());
    closing.defer(await links.offer('datastore', [datastoreAdminService(datastore)]));
    return { close: () => closing.close() };
  } catch (error) {
    await closing.close();
    throw error;
  }
}
