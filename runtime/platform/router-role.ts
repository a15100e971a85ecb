import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { CertificateFiles } from '../../router/certificate-files.ts';
import { DevAccounts } from '../../router/dev-accounts.ts';
import { LifecycleCalls } from '../../router/lifecycle-calls.ts';
import { capsWithin, openFilesOf } from '../../router/load-caps.ts';
import { RouterServer } from '../../router/server.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { MeteredRequestLog } from '../billing/request-usage.ts';
import { BlobStore } from '../control/blob-store.ts';
import { RpcRouteFeed } from '../control/rpc-route-feed.ts';
import { CountedRequestLog } from '../control/version-counts.ts';
import { rpcInstanceCpu } from '../host/instance-cpu.ts';
import { RpcInstanceHost } from '../host/host-rpc.ts';
import { FrontMetrics } from '../observability/metrics/front-metrics.ts';
import { LogMetrics } from '../observability/metrics/log-metrics.ts';
import { RequestMetrics } from '../observability/metrics/request-metrics.ts';
import { SchedulerMetrics } from '../observability/metrics/scheduler-metrics.ts';
import { metricsService } from '../observability/role-report.ts';
import { RequestCpu } from '../observability/request-cpu.ts';
import { RequestLogStore } from '../observability/log-sinks.ts';
import { LogWriter } from '../observability/log-store-writer.ts';
import { type RoleLinks } from '../role-links.ts';
import { RpcAccounts } from '../services/rpc-accounts.ts';
import { schedulerService } from '../scheduler/scheduler-rpc.ts';
import { Scheduler } from '../scheduler/scheduler.ts';
import { startMetering } from './metering.ts';
import { openFilesMax } from './open-files.ts';
import { startProcessMetrics } from './process-metrics.ts';
import { PLATFORM_SOCKET, type PlatformSettings, type PlatformWorld, type RunningRole } from './settings.ts';

const CONNECTIONS_FEW = 1_000;

/** The router with its scheduler. */
export async function startRouter(settings: PlatformSettings, links: RoleLinks, world: PlatformWorld): Promise<RunningRole> {
  const { clock, timers, random, log } = world;
  const closing = new CloseStack();
  try {
    // The scheduler reads the feed and the feed tells the scheduler: one of them is known later.
    let scheduler: Scheduler | undefined = undefined as Scheduler | undefined;
    const feed = new RpcRouteFeed(links.connect('control'), timers, log, {
      onDeployed: (deployed) => scheduler?.setDeployed(deployed),
      onServing: (deploymentIds) => scheduler?.setServing(deploymentIds),
      onGone: (deploymentId) => void scheduler?.retire(deploymentId),
    });
    const control = links.connect('control');
    const { meter, quotas } = startMetering('router', control, world, closing);
    const logs = new LogWriter(settings.paths.logs, 'request', clock, timers, log, settings.logLimits);
    logs.start();
    closing.defer(() => logs.close());
    const readCpu = rpcInstanceCpu(links.connect('host'));
    const requestCpu = new RequestCpu(new RequestLogStore(logs), readCpu, (id) => scheduler?.busyMs(id), clock, timers);
    closing.defer(() => {
      requestCpu.close();
    });
    const requestMetrics = new RequestMetrics(new MeteredRequestLog(requestCpu, meter), clock, (name) => feed.hasVersion(name));
    const requestLog = new CountedRequestLog(requestMetrics, clock);
    // Visitors' requests alone are counted.
    const lifecycle = new LifecycleCalls(requestMetrics.lifecycle, clock, random, settings.domain);
    const host = new RpcInstanceHost(links.connect('host'), timers);
    scheduler = new Scheduler(host, feed, clock, timers, random, log, {
      lifecycle: (call, options) => lifecycle.send(call, options),
      isRefused: (appId) => quotas.isRefused(appId),
      cores: availableParallelism(),
    });
    const running = scheduler;
    running.start();
    closing.defer(() => running.close());
    const people = new RpcAccounts(links.connect('control'), timers, log);
    people.start();
    closing.defer(() => {
      people.close();
    });
    feed.start();
    closing.defer(() => {
      feed.close();
    });
    let server: RouterServer | undefined = undefined as RouterServer | undefined;
    const observed = metricsService({
      release: settings.release,
      process: startProcessMetrics(world, closing),
      sources: [
        requestMetrics,
        new SchedulerMetrics(() => running.view()),
        new FrontMetrics(() => server),
        new LogMetrics('request', () => logs.counts),
      ],
      reasons: () => [
        ...(feed.hasTable ? [] : ['it has no routes yet: control has not told it any']),
        ...(server ? [] : ['it does not listen yet']),
      ],
    });
    closing.defer(await links.offer('router', [schedulerService(running), requestLog.service(), observed]));
    const blobs = new BlobStore(settings.paths.blobs, clock, random);
    const accounts = settings.devLogin ? new DevAccounts() : people;
    const sessionKey = Buffer.from((await readFile(join(settings.paths.credentials, 'session-key'), 'utf8')).trim(), 'base64url');
    const openFiles = openFilesMax();
    const caps = capsWithin(openFiles);
    const wanted = openFilesOf(capsWithin(undefined));
    if (openFiles !== undefined && openFiles < wanted) {
      // Thousands are plenty on the machines that have such limits; who must know of fewer is told at every start.
      const level = caps.connections < CONNECTIONS_FEW ? 'warn' : 'info';
      log[level]('The limit of open files makes the router serve fewer connections at once', { openFiles, wanted, ...caps });
    }
    const { tls, ports } = settings;
    server = new RouterServer({ routes: feed, instances: running, requestLog, blobs, accounts, quotas }, clock, timers, random, log, {
      domain: settings.domain,
      trustedProxies: settings.trustedProxies,
      platformSocket: join(settings.runDirectory, PLATFORM_SOCKET),
      sessionKey,
      caps,
      showsStartReports: settings.devLogin,
      ...(tls ? { certificates: new CertificateFiles(tls, clock, timers, log) } : {}),
    });
    await server.start({ host: settings.bind, port: ports.router, ...(ports.http === undefined ? {} : { httpPort: ports.http }) });
    const front = server;
    closing.defer(() => front.close());
    return { close: () => closing.close() };
  } catch (error) {
    await closing.close();
    throw error;
  }
}
