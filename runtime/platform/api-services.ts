import { join } from 'node:path';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { type Clock, type Timers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { type CallObserver, CallPassage } from '../api/call-passage.ts';
import { InstanceGateway, wireListener } from '../api/instance-gateway.ts';
import { type ApiService, ServiceTable } from '../api/service-table.ts';
import { type QuotaGate, type UsageMeter } from '../api/usage-meter.ts';
import { LruCache } from '../backends/cache-lru.ts';
import { SandboxImageWorker } from '../backends/image-worker-sandbox.ts';
import { type AppRegistry } from '../control/app-registry.ts';
import { API_SOCKET, EGRESS_SOCKET, type InstanceHost } from '../host/instance.ts';
import { type Accounts } from '../services/accounts.ts';
import { appIdentityApi } from '../services/app-identity.ts';
import { type Cache } from '../services/cache.ts';
import { type ImageWorker } from '../services/images/image-worker.ts';
import { imagesApi } from '../services/images/images-service.ts';
import { mailApi, type MailParts } from '../services/mail/mail.ts';
import { type Outbox } from '../services/mail/outbox.ts';
import { memcacheApi } from '../services/memcache.ts';
import { taskQueueApi } from '../services/task-queue/task-queue-api.ts';
import { type TaskDesk } from '../services/task-queue/task-desk.ts';
import { type TaskQueues } from '../services/task-queue/task-queues.ts';
import { type FetchBroker } from '../services/url-fetch/broker.ts';
import { EgressServer } from '../services/url-fetch/egress-server.ts';
import { urlFetchApi } from '../services/url-fetch/fetch-service.ts';
import { usersApi } from '../services/users.ts';
import { fetchBroker } from './fetch-broker.ts';
import { startOutbox } from './mail-outbox.ts';
import { packageRoot, type PlatformSettings, type PlatformWorld, type RunningRole } from './settings.ts';
import { startTaskService } from './task-service.ts';

/** What the services stand on, built by the role that runs them. */
export interface ApiParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly cache: Cache;
  readonly fetchBroker: FetchBroker;
  readonly imageWorker: ImageWorker;
  readonly mail: MailParts;
  readonly queues: TaskQueues;
}

/** Every service on an instance's API socket: the table of what apps may call, the datastore aside. */
export function apiServices(settings: PlatformSettings, parts: ApiParts): readonly ApiService[] {
  const { clock, timers, cache, fetchBroker, imageWorker, mail, queues } = parts;
  return [
    appIdentityApi(settings.domain),
    memcacheApi(cache, clock),
    mailApi(mail),
    imagesApi(imageWorker),
    urlFetchApi(fetchBroker, timers),
    taskQueueApi(queues, clock),
    usersApi({ domain: settings.domain, port: settings.ports.router }),
  ];
}

/** What of the control role the services need. */
interface ApiServicePorts {
  readonly host: InstanceHost;
  readonly datastore: Rpc;
  readonly registry: AppRegistry;
  readonly accounts: Accounts;
  readonly meter: UsageMeter;
  readonly quotas: QuotaGate;
  readonly calls: CallObserver;
}

/** The services with what the console shows of them. */
interface RunningApiServices extends RunningRole {
  readonly cache: Cache;
  readonly outbox: Outbox;
  readonly tasks: TaskDesk;
  readonly queues: TaskQueues;
}

/** Builds the services and opens each instance's API and egress sockets. */
export async function startApiServices(
  settings: PlatformSettings,
  { host, datastore, registry, accounts, meter, quotas, calls }: ApiServicePorts,
  world: PlatformWorld,
): Promise<RunningApiServices> {
  const { clock, timers, random, log } = world;
  const closing = new CloseStack();
  try {
    const broker = fetchBroker(settings, meter, timers);
    closing.defer(() => broker.close());
    const tasks = startTaskService(settings, datastore, registry, world);
    closing.defer(() => tasks.close());
    const cache = new LruCache(clock, { appBytesMax: LIMITS.cacheAppBytesMax, bytesMax: LIMITS.cacheBytesMax });
    const outbox = await startOutbox(settings, world, closing);
    const senders = { domain: settings.mail.domain, senders: settings.mail.senders, administrators: accounts };
    const mail = { outbox, senders, meter, gate: quotas, clock, random };
    const imageWorker = new SandboxImageWorker(host, timers, log, { codeDirectory: join(packageRoot(), 'dist', 'image-worker', 'code') });
    imageWorker.start();
    closing.defer(() => imageWorker.close());

    const parts = { clock, timers, cache, fetchBroker: broker, imageWorker, mail, queues: tasks.queues };
    const table = new ServiceTable(apiServices(settings, parts), new CallPassage(quotas, meter, calls), timers);
    const gateway = new InstanceGateway(host, log, {
      socketName: API_SOCKET,
      listenerOf: (instance, path) => wireListener(path, instance, table.servicesOf(instance), timers, log),
    });
    const egress = new InstanceGateway(host, log, {
      socketName: EGRESS_SOCKET,
      listenerOf: (instance, path) => new EgressServer(path, instance, broker, quotas, meter),
    });
    for (const sockets of [gateway, egress]) {
      sockets.start();
      closing.defer(() => sockets.close());
    }
    return { cache, outbox, tasks: tasks.desk, queues: tasks.queues, close: () => closing.close() };
  } catch (error) {
    await closing.close();
    throw error;
  }
}
