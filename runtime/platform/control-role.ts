import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConsoleAccess } from '../../admin-console/console-access.ts';
import { consolePages } from '../../admin-console/console-pages.ts';
import { ConsoleServer } from '../../admin-console/server.ts';
import { Datastore } from '../../sdk/client/datastore.ts';
import { ROLES } from '../../sdk/contract/admin/health.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { datastoreRpcOf } from '../api/datastore-rpc.ts';
import { BillingDesk } from '../billing/billing-desk.ts';
import { DatastoreUsageStore } from '../billing/datastore-usage-store.ts';
import { OverQuotaStop } from '../billing/over-quota-stop.ts';
import { POLICY_DEFAULT } from '../billing/quota-policy.ts';
import { AppRegistry } from '../control/app-registry.ts';
import { AppUrls } from '../control/app-urls.ts';
import { BlobStore } from '../control/blob-store.ts';
import { DiskSecretFile } from '../backends/secret-file-disk.ts';
import { BuildCache } from '../control/build-cache.ts';
import { BundleStore } from '../control/bundle-store.ts';
import { resumeCompression } from '../control/compression-resume.ts';
import { ControlPlane } from '../control/control-plane.ts';
import { DatastoreAccountStore } from '../backends/account-store-datastore.ts';
import { Argon2PasswordHash } from '../backends/password-hash-argon2.ts';
import { DatastoreControlStore, SYSTEM_APP_ID } from '../control/datastore-control-store.ts';
import { DeployRunner } from '../control/deploy-run.ts';
import { Deployer } from '../control/deployer.ts';
import { DataTransfer } from '../control/data-transfer.ts';
import { DatastoreSettingsReader } from '../control/datastore-settings-reader.ts';
import { DatastoreTokenDesk } from '../control/datastore-token-desk.ts';
import { DatastoreViewer } from '../control/datastore-viewer.ts';
import { IndexReader } from '../control/index-reader.ts';
import { TabletReader } from '../control/tablet-reader.ts';
import { IntegrityReader } from '../control/integrity-reader.ts';
import { DatastoreIndexBuilder } from '../control/index-builder.ts';
import { OpenDeployments } from '../control/open-deployments.ts';
import { Retirement } from '../control/retirement.ts';
import { allVersions, appIn } from '../control/registry-state.ts';
import { RouteFeed } from '../control/route-feed.ts';
import { RuntimeInstaller } from '../control/runtime-installer.ts';
import { StaticCompressor } from '../control/static-compressor.ts';
import { StaticEncodings } from '../control/static-encodings.ts';
import { SettingsDesk } from '../control/settings-desk.ts';
import { signInLinkService } from '../control/sign-in-links.ts';
import { TrafficDesk } from '../control/traffic-desk.ts';
import { TrafficMigrations } from '../control/traffic-migrations.ts';
import { TtlReader } from '../control/ttl-reader.ts';
import { RpcVersionCounts } from '../control/version-counts.ts';
import { RpcInstanceHost } from '../host/host-rpc.ts';
import { RuntimeDirectory } from '../host/runtime-directory.ts';
import { findLanguage, RUNTIME_TABLE } from '../languages/language-table.ts';
import { LogReader } from '../observability/log-store-reader.ts';
import { CallMetrics } from '../observability/metrics/call-metrics.ts';
import { QueueMetrics } from '../observability/metrics/queue-metrics.ts';
import { PlatformObserver } from '../observability/platform-observer.ts';
import { metricsService, RoleProbe } from '../observability/role-report.ts';
import { type RoleLinks } from '../role-links.ts';
import { RpcSchedulerClient } from '../scheduler/scheduler-rpc.ts';
import { MemcacheViewer } from '../services/memcache-viewer.ts';
import { Accounts } from '../services/accounts.ts';
import { accountsService } from '../services/accounts-wire.ts';
import { type TaskQueues } from '../services/task-queue/task-queues.ts';
import { MailViewer } from '../services/mail/mail-viewer.ts';
import { startApiServices } from './api-services.ts';
import { startMetering } from './metering.ts';
import { startProcessMetrics } from './process-metrics.ts';
import { packageRoot, type PlatformSettings, type PlatformWorld, type RunningRole } from './settings.ts';

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
    const encodings = new StaticEncodings(join(paths.cache, 'encodings'), blobs, random);
    const compressor = new StaticCompressor(encodings, blobs);
    const buildCache = new BuildCache(join(paths.cache, 'builds'), clock, random);
    const runtimes = new RuntimeInstaller(new RuntimeDirectory(paths.runtimes, RUNTIME_TABLE), host, random, log);
    const open = new OpenDeployments(join(paths.cache, 'deployments'), clock, random);
    for (const part of [blobs, encodings, bundles, buildCache, runtimes, open]) await part.start();
    const registry = new AppRegistry(new DatastoreControlStore(datastore), clock, timers, log);
    await registry.start();
    closing.defer(() => registry.close());

    const systemData = new Datastore(datastoreRpcOf(datastore, SYSTEM_APP_ID), timers, random);
    const accounts = new Accounts(new DatastoreAccountStore(systemData), new Argon2PasswordHash(), clock, random);
    await accounts.start();

    const urls = new AppUrls(() => `${settings.tls ? 'https' : 'http'}://{id}.${settings.domain}:${settings.ports.router}/`);
    const retirement = new Retirement(host, bundles, clock, timers, log);
    const scheduler = new RpcSchedulerClient(links.connect('router'));
    const indexBuilder = new DatastoreIndexBuilder(datastore);
    const runner = new DeployRunner({
      ...{ registry, blobs, bundles, buildCache, runtimes, retirement, urls, clock, timers, log, findLanguage },
      ...{ indexBuilder, compressor },
      buildHost: host,
      warmer: scheduler,
    });
    const deployer = new Deployer(registry, blobs, encodings, bundles, open, runner, retirement, log);
    await deployer.start();
    void runtimes.restore(allVersions(registry.state).flatMap(({ launch }) => launch.runtime ?? []));

    const usage = new DatastoreUsageStore(systemData);
    const checkApp = (appId: string): void => void appIn(registry.state, appId);
    const billing = new BillingDesk(settings.quotas ?? POLICY_DEFAULT, usage, checkApp, clock, timers, random, log);
    await billing.start();
    closing.defer(() => billing.close());
    const overQuota = new OverQuotaStop(billing.keeper, host, clock, timers, log);
    overQuota.start();
    closing.defer(() => {
      overQuota.close();
    });
    const migrations = new TrafficMigrations(registry, new RpcVersionCounts(links.connect('router')), clock, timers, log);
    migrations.start();
    closing.defer(() => {
      migrations.close();
    });
    const routes = new RouteFeed(registry, blobs, encodings, bundles, log);
    const compressing = new AbortController();
    closing.defer(compressor.watch((deploymentId) => routes.refresh(deploymentId)));
    closing.defer(() => {
      compressing.abort(new PlatformError('CANCELLED'));
    });
    void resumeCompression(registry, blobs, compressor, log, compressing);
    const access = new ConsoleAccess(
      {
        codes: new DiskSecretFile(join(paths.credentials, 'sign-in-codes')),
        sessions: new DiskSecretFile(join(paths.credentials, 'console-sessions')),
      },
      clock,
      random,
    );
    await access.start();
    const calls = new CallMetrics(clock);
    let queues: Pick<TaskQueues, 'depths'> | undefined = undefined as Pick<TaskQueues, 'depths'> | undefined;
    const observed = metricsService({
      release: settings.release,
      process: startProcessMetrics(world, closing),
      sources: [calls, new QueueMetrics(() => queues?.depths() ?? [])],
    });
    closing.defer(
      await links.offer('control', [routes.service(), billing.service(), signInLinkService(access), accountsService(accounts), observed]),
    );
    closing.defer(() => {
      routes.close();
    });
    // This role is a source and an enforcer like any other, by direct calls.
    const own = new InProcessRpc([billing.service()], timers);
    const { meter, quotas } = startMetering('control', own, world, closing);
    const services = await startApiServices(settings, { host, datastore, registry, accounts, meter, quotas, calls }, world);
    queues = services.queues;
    closing.defer(() => services.close());

    const traffic = new TrafficDesk(registry, scheduler, timers);
    const apps = new ControlPlane(registry, retirement, host, scheduler, traffic, urls, () => ({
      release: settings.release,
      appUrlTemplate: urls.template,
      sandbox: settings.sandbox,
      warnings: settings.warnings,
    }));
    const token = (await readFile(join(paths.credentials, 'owner-token'), 'utf8')).trim();
    const apis = {
      settings: new SettingsDesk(registry, indexBuilder),
      ...{ apps, versions: apps, deploys: deployer, logs: new LogReader(paths.logs, clock, timers) },
      usage: billing,
      datastore: new DatastoreViewer(datastore),
      indexes: new IndexReader(datastore),
      datastoreSettings: new DatastoreSettingsReader(datastore),
      datastoreTokens: new DatastoreTokenDesk(registry, datastore, clock, random),
      tablets: new TabletReader(datastore),
      integrity: new IntegrityReader(datastore, clock, timers),
      transfer: new DataTransfer(datastore, timers),
      ttl: new TtlReader(datastore),
      memcache: new MemcacheViewer(services.cache, clock),
      mail: new MailViewer(services.outbox),
      accounts,
      tasks: services.tasks,
      observation: new PlatformObserver(
        ROLES.map((role) => new RoleProbe(role, role === 'control' ? new InProcessRpc([observed], timers) : links.connect(role))),
      ),
    };
    const server = new ConsoleServer(apis, timers, log, {
      ownerToken: token,
      hostNames: settings.consoleHosts,
      isMetricsOpen: settings.metricsOpen,
      access,
      pages: consolePages(join(packageRoot(), 'dist', 'console'), random),
    });
    await server.start({ host: settings.bind, port: settings.ports.console });
    closing.defer(() => server.close());
    return { close: () => closing.close() };
  } catch (error) {
    await closing.close();
    throw error;
  }
}
