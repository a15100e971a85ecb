// The control plane as the console and the command line see it: AppsApi over the registry and the host.
import { type AppsApi, type VersionsApi } from '../../admin-console/ports.ts';
import {
  type AdminInstanceView,
  type AppView,
  type ServiceView,
  type StatusView,
  type TrafficRequest,
  type VersionView,
} from '../../sdk/contract/admin/admin.ts';
import { type VersionChange } from '../../sdk/contract/admin/versions.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type InstanceHost, type InstanceView } from '../host/instance.ts';
import { type InstanceStopper } from '../scheduler/scheduler-rpc.ts';
import { type PoolView, type SchedulerView } from '../scheduler/scheduler-view.ts';
import { type AppRegistry } from './app-registry.ts';
import { type AppUrls } from './app-urls.ts';
import { type VersionRecord } from './control-store.ts';
import { type AppState, appIn, type RegistryState, type ServiceState, shareOf, versionIn, versionsOf } from './registry-state.ts';
import { type Retirement } from './retirement.ts';
import { type TrafficDesk } from './traffic-desk.ts';
import { migrationView } from './traffic-migration.ts';
import { runningView } from './version-running.ts';

/** The scheduler, as far as the console asks it. */
export interface RunningInstances extends InstanceStopper {
  view(): Promise<SchedulerView>;
}

export class ControlPlane implements AppsApi, VersionsApi {
  readonly #registry: AppRegistry;
  readonly #retirement: Retirement;
  readonly #host: Pick<InstanceHost, 'list'>;
  readonly #scheduler: RunningInstances;
  readonly #traffic: TrafficDesk;
  readonly #urls: AppUrls;
  readonly #status: () => StatusView;

  constructor(
    registry: AppRegistry,
    retirement: Retirement,
    host: Pick<InstanceHost, 'list'>,
    scheduler: RunningInstances,
    traffic: TrafficDesk,
    urls: AppUrls,
    status: () => StatusView,
  ) {
    this.#registry = registry;
    this.#retirement = retirement;
    this.#host = host;
    this.#scheduler = scheduler;
    this.#traffic = traffic;
    this.#urls = urls;
    this.#status = status;
  }

  status(): StatusView {
    return this.#status();
  }

  apps(): Promise<readonly AppView[]> {
    return Promise.resolve().then(() => [...this.#registry.state.values()].map((app) => this.#appView(app)));
  }

  app(appId: string): Promise<AppView> {
    return Promise.resolve().then(() => this.#appView(appIn(this.#registry.state, appId)));
  }

  async versions(appId: string): Promise<readonly VersionView[]> {
    const { state } = this.#registry;
    const versions = versionsOf(appIn(state, appId));
    const [instances, pools] = await Promise.all([this.#instancesOf(appId), this.#pools()]);
    return versions.map((record) => this.#versionView(state, record, instances, pools));
  }

  async instances(appId: string): Promise<readonly AdminInstanceView[]> {
    appIn(this.#registry.state, appId);
    const views = await this.#instancesOf(appId);
    return views.map((view) => ({
      id: view.id,
      service: view.service,
      version: view.version,
      state: view.state,
      startedAtMs: view.startedAtMs,
      ...(view.pid === undefined ? {} : { pid: view.pid }),
      ...(view.phases.readyMs === undefined ? {} : { readyMs: view.phases.readyMs }),
      ...(view.cpuMicros === undefined ? {} : { cpuMicros: view.cpuMicros }),
      ...(view.memoryBytes === undefined ? {} : { memoryBytes: view.memoryBytes }),
      ...(view.memoryBytesMax === undefined ? {} : { memoryBytesMax: view.memoryBytesMax }),
    }));
  }

  async stopInstance(appId: string, instanceId: string): Promise<void> {
    appIn(this.#registry.state, appId);
    const views = await this.#instancesOf(appId);
    if (!views.some(({ id }) => id === instanceId)) throw new PlatformError('INSTANCE_NOT_FOUND', `${instanceId} of ${appId}`);
    await this.#scheduler.stopInstance(instanceId);
  }

  async deleteVersion(appId: string, service: string, version: string): Promise<void> {
    const { deploymentId } = versionIn(this.#registry.state, appId, service, version);
    await this.#registry.deleteVersion(appId, service, version);
    this.#retirement.retire(deploymentId);
  }

  async changeVersion(appId: string, service: string, version: string, change: VersionChange): Promise<VersionView> {
    await this.#registry.changeVersion(appId, service, version, change);
    const { state } = this.#registry;
    return this.#versionView(state, versionIn(state, appId, service, version), await this.#instancesOf(appId), await this.#pools());
  }

  async setTraffic(appId: string, service: string, request: TrafficRequest): Promise<readonly VersionView[]> {
    await this.#traffic.set(appId, service, request);
    const versions = await this.versions(appId);
    return versions.filter((version) => version.service === service);
  }

  #appView({ record, services, dispatch }: AppState): AppView {
    return {
      id: record.appId,
      url: this.#urls.service(record.appId, 'default'),
      createdAtMs: record.createdAtMs,
      services: [...services.values()].map((service) => this.#serviceView(record.appId, service)),
      dispatch: (dispatch?.rules ?? []).map(({ url, service }) => ({ url, service })),
    };
  }

  #serviceView(appId: string, { service, versions, traffic }: ServiceState): ServiceView {
    return {
      service,
      url: this.#urls.service(appId, service),
      split: traffic?.split ?? {},
      shardBy: traffic?.shardBy ?? 'ip',
      ...(traffic?.migration ? { migration: migrationView(traffic.migration) } : {}),
      versions: versions.size,
    };
  }

  #versionView(
    state: RegistryState,
    record: VersionRecord,
    instances: readonly InstanceView[],
    pools: ReadonlyMap<string, PoolView>,
  ): VersionView {
    const { appId, service, version, runtime, createdAtMs, deploymentId } = record;
    return {
      appId,
      service,
      version,
      url: this.#urls.version(appId, service, version),
      runtime,
      createdAtMs,
      trafficShare: shareOf(state, record),
      shardBy: state.get(appId)?.services.get(service)?.traffic?.shardBy ?? 'ip',
      instances: instances.filter((instance) => instance.deploymentId === deploymentId).length,
      running: runningView(record, pools.get(deploymentId)),
    };
  }

  /** What the scheduler says, by deployment; nothing while the router restarts. */
  async #pools(): Promise<ReadonlyMap<string, PoolView>> {
    const view = await this.#scheduler.view().catch(() => undefined);
    return new Map(view?.pools.map((pool) => [pool.deploymentId, pool]));
  }

  async #instancesOf(appId: string): Promise<readonly InstanceView[]> {
    const views = await this.#host.list();
    return views.filter((view) => view.appId === appId);
  }
}
