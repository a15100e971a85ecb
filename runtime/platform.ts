// The composition root: the one place that knows which adapter stands behind which port, and which part runs in which
// role. Each function builds one role from its links to the others; main.ts decides whether a role is a process.
// Read next: role-links.ts, then main.ts.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConsoleServer } from '../admin-console/server.ts';
import { PublicDatastoreServer } from '../datastore/api/public-server.ts';
import { datastoreAdminService, datastoreService } from '../datastore/api/wire-service.ts';
import { Datastore } from '../datastore/datastore.ts';
import { LevelStore } from '../datastore/storage/level-store.ts';
import { MemoryStore } from '../datastore/storage/memory-store.ts';
import { RouterServer } from '../router/server.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Clock, type Random, type Timers } from '../sdk/support/clock.ts';
import { CloseStack } from '../sdk/support/close-stack.ts';
import { type Log } from '../sdk/support/log.ts';
import { appIdentityService } from './api/app-identity.ts';
import { InstanceGateway } from './api/instance-gateway.ts';
import { AppRegistry } from './control/app-registry.ts';
import { AppUrls } from './control/app-urls.ts';
import { BlobStore } from './control/blob-store.ts';
import { BuildCache } from './control/build-cache.ts';
import { BundleStore } from './control/bundle-store.ts';
import { ControlPlane } from './control/control-plane.ts';
import { DatastoreControlStore } from './control/datastore-control-store.ts';
import { DeployRunner } from './control/deploy-run.ts';
import { Deployer } from './control/deployer.ts';
import { DatastoreIndexBuilder } from './control/index-builder.ts';
import { OpenDeployments } from './control/open-deployments.ts';
import { Retirement } from './control/retirement.ts';
import { RouteFeed } from './control/route-feed.ts';
import { RpcRouteFeed } from './control/rpc-route-feed.ts';
import { type DataPaths } from './host/data-directory.ts';
import { hostService, RpcInstanceHost } from './host/host-rpc.ts';
import { LocalInstanceHost } from './host/instance-host.ts';
import { API_SOCKET, DATASTORE_SOCKET } from './host/instance.ts';
import { platformMounts } from './host/platform-mounts.ts';
import { findLanguage } from './languages/language-table.ts';
import { LogReader } from './observability/log-store-reader.ts';
import { InstanceLogStore, LogWriter, RequestLogStore } from './observability/log-store-writer.ts';
import { type RoleLinks } from './role-links.ts';
import { BubblewrapSandbox } from './sandbox/bubblewrap-sandbox.ts';
import { type Sandbox } from './sandbox/port.ts';
import { ProcessSandbox } from './sandbox/process-sandbox.ts';
import { startResourceControl } from './sandbox/resource-control-choice.ts';
import { type WarmUp } from './scheduler/fleet.ts';
import { RpcSchedulerClient, schedulerService } from './scheduler/scheduler-rpc.ts';
import { Scheduler } from './scheduler/scheduler.ts';

/** What every role is told; plain data, so that it crosses a process border. */
export interface PlatformSettings {
  readonly release: string;
  readonly paths: DataPaths;
  readonly runDirectory: string;
  readonly bind: string;
  readonly domain: string;
  readonly ephemeral: boolean;
  readonly ports: { readonly router: number; readonly console: number; readonly datastore: number };
  /** What the host found out about this machine, for the status. */
  readonly sandbox: 'bubblewrap' | 'process';
  readonly warnings: readonly string[];
}

/** The world of one process. */
export interface PlatformWorld {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
}

export interface RunningRole {
  close(): Promise<void>;
}

/** Directory of package.json, whether this runs from the sources or from dist/. */
export function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json')) && dirname(directory) !== directory) directory = dirname(directory);
  return directory;
}

/** Variables that builds need to reach the packages that this machine reaches. A value with credentials is left out. */
export function buildEnvironment(variables: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const names = /^(npm_config_registry|https?_proxy|no_proxy|node_extra_ca_certs|ssl_cert_file|ssl_cert_dir)$/i;
  const withCredentials = /:\/\/[^/]*@/;
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) =>
      value && names.test(name) && !withCredentials.test(value) ? [[name, value]] : [],
    ),
  );
}

export interface HostSettings {
  readonly paths: DataPaths;
  readonly runDirectory: string;
  /** `auto`: bubblewrap where it works, else processes with a warning. */
  readonly sandbox: 'auto' | 'bubblewrap' | 'process';
  readonly variables: Readonly<Record<string, string | undefined>>;
}

export interface RunningHost extends RunningRole {
  readonly sandbox: 'bubblewrap' | 'process';
  /** For people, to be said at every start. */
  readonly warnings: readonly string[];
}

/** The host: every instance and every build. Throws INSTANCE_SPAWN_FAILED when the sandbox asked for does not work. */
export async function startHost(settings: HostSettings, links: RoleLinks, world: PlatformWorld): Promise<RunningHost> {
  const { clock, timers, random, log } = world;
  const closing = new CloseStack();
  const warnings: string[] = [];
  try {
    const sandbox = await startSandbox(settings, warnings);
    const resources = await startResourceControl(settings.paths.root, timers, log);
    closing.defer(() => resources.close());
    warnings.push(...sandbox.warnings);
    if (resources.missing.length > 0)
      warnings.push(`Apps run without limits on ${resources.missing.join(', ')}: this machine's control groups cannot be used.`);
    const logs = new LogWriter(settings.paths.logs, 'app', clock, timers, log);
    closing.defer(() => logs.close());
    const root = packageRoot();
    const host = new LocalInstanceHost(sandbox, resources, new InstanceLogStore(logs), clock, timers, random, {
      runDirectory: settings.runDirectory,
      readOnlyMounts: platformMounts({
        sdkDirectory: join(root, 'dist', 'app-sdk'),
        languagesDirectory: join(root, 'dist', 'runtime', 'languages'),
      }),
      buildEnvironment: buildEnvironment(settings.variables),
    });
    host.open();
    closing.defer(() => host.close());
    closing.defer(await links.offer('host', [hostService(host)]));
    return { sandbox: sandbox.kind, warnings, close: () => closing.close() };
  } catch (error) {
    await closing.close();
    throw error;
  }
}

async function startSandbox(settings: HostSettings, warnings: string[]): Promise<Sandbox> {
  if (settings.sandbox !== 'process') {
    const sandbox = new BubblewrapSandbox({ scratchDirectory: settings.runDirectory });
    try {
      await sandbox.start();
      return sandbox;
    } catch (error) {
      if (settings.sandbox === 'bubblewrap') throw error;
      warnings.push(error instanceof Error ? error.message : String(error));
    }
  }
  const sandbox = new ProcessSandbox();
  await sandbox.start();
  return sandbox;
}

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

/** The control plane: apps, deploys, the admin API, and the API sockets of instances. */
export async function startControl(settings: PlatformSettings, links: RoleLinks, world: PlatformWorld): Promise<RunningRole> {
  const { clock, timers, random, log } = world;
  const { paths } = settings;
  const closing = new CloseStack();
  try {
    const host = new RpcInstanceHost(links.connect('host'), timers);
    const datastore = links.connect('datastore');
    const blobs = new BlobStore(paths.blobs, clock, random);
    const bundles = new BundleStore(paths.bundles, blobs);
    const buildCache = new BuildCache(join(paths.cache, 'builds'), clock, random);
    const open = new OpenDeployments(join(paths.cache, 'deployments'), clock, random);
    for (const part of [blobs, bundles, buildCache, open]) await part.start();
    const registry = new AppRegistry(new DatastoreControlStore(datastore), clock, timers, log);
    await registry.start();
    closing.defer(() => registry.close());

    const urls = new AppUrls(() => `http://{id}.${settings.domain}:${settings.ports.router}/`);
    const retirement = new Retirement(host, bundles, clock, timers, log);
    const runner = new DeployRunner({
      ...{ registry, blobs, bundles, buildCache, retirement, urls, clock, timers, log, findLanguage },
      indexBuilder: new DatastoreIndexBuilder(datastore),
      buildHost: host,
      warmer: new RpcSchedulerClient(links.connect('router')),
    });
    const deployer = new Deployer(registry, blobs, bundles, open, runner, retirement, log);
    await deployer.start();

    const routes = new RouteFeed(registry, blobs, bundles, log);
    closing.defer(await links.offer('control', [routes.service()]));
    closing.defer(() => {
      routes.close();
    });
    const gateway = new InstanceGateway(host, timers, log, {
      socketName: API_SOCKET,
      servicesOf: (instance) => [appIdentityService(instance, settings.domain)],
    });
    gateway.start();
    closing.defer(() => gateway.close());

    const apps = new ControlPlane(registry, retirement, host, urls, () => ({
      release: settings.release,
      appUrlTemplate: urls.template,
      sandbox: settings.sandbox,
      warnings: settings.warnings,
    }));
    const token = (await readFile(join(paths.credentials, 'owner-token'), 'utf8')).trim();
    const server = new ConsoleServer({ apps, deploys: deployer, logs: new LogReader(paths.logs, timers) }, timers, log, {
      ownerToken: token,
    });
    await server.start({ host: settings.bind, port: settings.ports.console });
    closing.defer(() => server.close());
    return { close: () => closing.close() };
  } catch (error) {
    await closing.close();
    throw error;
  }
}

/** The router with its scheduler. */
export async function startRouter(settings: PlatformSettings, links: RoleLinks, world: PlatformWorld): Promise<RunningRole> {
  const { clock, timers, random, log } = world;
  const closing = new CloseStack();
  try {
    // The scheduler reads the feed and the feed tells the scheduler: one of them is known later.
    let scheduler: Scheduler | undefined = undefined as Scheduler | undefined;
    const feed = new RpcRouteFeed(links.connect('control'), timers, log, {
      onServing: (deploymentIds) => scheduler?.setServing(deploymentIds),
      onGone: (deploymentId) => void scheduler?.retire(deploymentId),
    });
    const host = new RpcInstanceHost(links.connect('host'), timers);
    scheduler = new Scheduler(host, feed, clock, timers, random, log, { warmUp });
    const running = scheduler;
    running.start();
    closing.defer(() => running.close());
    feed.start();
    closing.defer(() => {
      feed.close();
    });
    const logs = new LogWriter(settings.paths.logs, 'request', clock, timers, log);
    closing.defer(() => logs.close());
    closing.defer(await links.offer('router', [schedulerService(running)]));
    const blobs = new BlobStore(settings.paths.blobs, clock, random);
    const server = new RouterServer(
      { routes: feed, instances: running, requestLog: new RequestLogStore(logs), blobs },
      clock,
      timers,
      random,
      log,
      {
        domain: settings.domain,
      },
    );
    await server.start({ host: settings.bind, port: settings.ports.router });
    closing.defer(() => server.close());
    return { close: () => closing.close() };
  } catch (error) {
    await closing.close();
    throw error;
  }
}

/** One GET of `/_ah/warmup`; any answer counts (App Engine: a 404 is harmless). */
const warmUp: WarmUp = ({ socketPath }, { signal }) =>
  new Promise((resolve, reject) => {
    const outgoing = request(
      {
        socketPath,
        path: '/_ah/warmup',
        headers: { host: 'warmup', 'x-appengine-user-ip': '0.1.0.3' },
        signal,
        timeout: LIMITS.instanceWarmupMsMax,
      },
      (response) => {
        response.resume();
        response.on('error', reject);
        response.on('end', resolve);
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.on('error', reject);
    outgoing.end();
  });
