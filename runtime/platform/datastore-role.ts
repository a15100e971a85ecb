import { type V1Surface } from '../../datastore/api/v1/transport/http-front.ts';
import { DatastoreV1Service } from '../../datastore/api/v1/v1-service.ts';
import { datastoreAdminService, datastoreService } from '../../datastore/api/wire-service.ts';
import { Datastore, type DatastoreOptions } from '../../datastore/datastore.ts';
import { LevelStore } from '../../datastore/storage/level-store.ts';
import { MemoryStore } from '../../datastore/storage/memory-store.ts';
import { type Store } from '../../datastore/storage/port.ts';
import { DATASTORE_SERVICE } from '../../sdk/contract/datastore-wire.ts';
import { type Log } from '../../sdk/support/log.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { CallPassage } from '../api/call-passage.ts';
import { datastoreV1Listener } from '../api/instance-datastore.ts';
import { InstanceGateway, wireListener } from '../api/instance-gateway.ts';
import { type ApiService, ServiceTable } from '../api/service-table.ts';
import { TokenAccess } from '../api/token-access.ts';
import { type QuotaGate, type UsageMeter } from '../api/usage-meter.ts';
import { V1CallGuard } from '../api/v1-call-guard.ts';
import { chargeWrites, DATASTORE_CALL_MEGACYCLES, meteredDatastore } from '../billing/datastore-costs.ts';
import { StoredDataMeter } from '../billing/stored-data-meter.ts';
import { RpcInstanceHost } from '../host/host-rpc.ts';
import { shutDownBy } from '../host/shutdown.ts';
import { SYSTEM_APP_ID } from '../control/datastore-control-store.ts';
import { DATASTORE_SOCKET, DATASTORE_V1_SOCKET, isPlatformApp } from '../host/instance.ts';
import { CallMetrics } from '../observability/metrics/call-metrics.ts';
import { metricsService } from '../observability/role-report.ts';
import { type RoleLinks } from '../role-links.ts';
import { type DevIndexes } from '../config.ts';
import { startDatastorePort } from './datastore-port.ts';
import { DevIndexFile } from './dev-index-file.ts';
import { startMetering } from './metering.ts';
import { startProcessMetrics } from './process-metrics.ts';
import { type PlatformSettings, type PlatformWorld, type RunningRole } from './settings.ts';

/** The datastore bounds each of its calls by itself. */
function datastoreApi(datastore: Datastore, gate: QuotaGate, meter: UsageMeter): ApiService {
  return {
    name: DATASTORE_SERVICE,
    resource: 'datastoreCalls',
    megacyclesPerCall: DATASTORE_CALL_MEGACYCLES,
    deadlineMs: 0,
    serviceOf: ({ appId }) => meteredDatastore(datastoreService(datastore, { appId }), appId, gate, meter),
  };
}

/** The adapter that the settings name; the driver of a database server is loaded where it is used alone. */
async function openStore({ store, ephemeral, paths }: PlatformSettings, { clock, timers, random }: PlatformWorld): Promise<Store> {
  if (ephemeral) return new MemoryStore();
  if (store === undefined) return new LevelStore(paths.store);
  const { PostgresStore } = await import('../../datastore/storage/postgres-store.ts');
  return new PostgresStore(clock, timers, random, store);
}

function recorder({ appId, path }: DevIndexes, log: Log): NonNullable<DatastoreOptions['recordIndexes']> {
  const file = new DevIndexFile(path, log);
  return (ofApp, definitions) => (ofApp === appId ? file.record(definitions) : Promise.resolve(false));
}

/** What whoever reaches the port may do besides calls, in development: apps lose their data, and stay. */
function surface(datastore: Datastore, links: RoleLinks, log: Log): V1Surface {
  const host = links.connect('host');
  return {
    reset: () => datastore.reset(isPlatformApp, { sparesDefinitions: true }),
    shutdown: () => {
      shutDownBy(host).catch((error: unknown) => {
        log.error('The platform could not be shut down', { error });
      });
    },
  };
}

/** The datastore: storage, its instances' sockets, and the public port. */
export async function startDatastore(
  settings: PlatformSettings,
  links: RoleLinks,
  world: PlatformWorld,
  onFailed: () => void,
): Promise<RunningRole> {
  const { clock, timers, random, log } = world;
  const { devIndexes } = settings;
  const closing = new CloseStack();
  try {
    const control = links.connect('control');
    const { meter, quotas } = startMetering('datastore', control, world, closing);
    const store = await openStore(settings, world);
    const charge = chargeWrites(meter);
    const datastore: Datastore = new Datastore(store, clock, timers, random, log, {
      onWrote: (appId, rows) => {
        charge(appId, rows);
        if (appId === SYSTEM_APP_ID) tokens.recordsChanged();
      },
      ...(settings.ephemeral || settings.store !== undefined ? {} : { storeDirectory: settings.paths.store }),
      // Its rows of tasks and usage change all the time, and nobody asks how they were.
      keepsHistory: (appId) => !isPlatformApp(appId),
      ...(devIndexes ? { recordIndexes: recorder(devIndexes, log) } : {}),
      onStoreFailed: (error) => {
        log.error('The store takes no more writes; this role starts anew', { error });
        onFailed();
      },
    });
    const tokens = new TokenAccess(datastore, clock, log);
    await datastore.start();
    closing.defer(() => datastore.close());
    // Its only writer is the control role: should that be killed within a transaction, its successor must not wait for locks.
    if (datastore.settings.of(SYSTEM_APP_ID).concurrency !== 'optimistic') {
      await datastore.settings.change(SYSTEM_APP_ID, (chosen) => ({ ...chosen, concurrency: 'optimistic' }));
    }
    const stored = new StoredDataMeter(() => datastore.storedBytes(), meter, clock, timers);
    stored.start();
    closing.defer(() => {
      stored.close();
    });
    const calls = new CallMetrics(clock);
    const passage = new CallPassage(quotas, meter, calls);
    const v1 = new DatastoreV1Service(() => datastore, new V1CallGuard(passage, quotas, meter));
    await startDatastorePort(settings, v1, tokens, settings.allowsReset ? surface(datastore, links, log) : {}, world, closing);
    const table = new ServiceTable([datastoreApi(datastore, quotas, meter)], passage, timers);
    const host = new RpcInstanceHost(links.connect('host'), timers);
    const gateways = [
      new InstanceGateway(host, log, {
        socketName: DATASTORE_SOCKET,
        listenerOf: (instance, path) => wireListener(path, instance, table.servicesOf(instance), timers, log),
      }),
      new InstanceGateway(host, log, {
        socketName: DATASTORE_V1_SOCKET,
        listenerOf: (instance, path) => datastoreV1Listener(path, instance, v1, clock, timers, log),
      }),
    ];
    for (const gateway of gateways) {
      gateway.start();
      closing.defer(() => gateway.close());
    }
    const observed = metricsService({ release: settings.release, process: startProcessMetrics(world, closing), sources: [calls] });
    closing.defer(await links.offer('datastore', [datastoreAdminService(datastore), observed]));
    return { close: () => closing.close() };
  } catch (error) {
    await closing.close();
    throw error;
  }
}
