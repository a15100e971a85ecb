import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { DevAccounts } from '../../router/dev-accounts.ts';
import { RouterServer } from '../../router/server.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { MeteredRequestLog } from '../billing/request-usage.ts';
import { BlobStore } from '../control/blob-store.ts';
import { RpcRouteFeed } from '../control/rpc-route-feed.ts';
import { CountedRequestLog } from '../control/version-counts.ts';
import { RpcInstanceHost } from '../host/host-rpc.ts';
import { RequestLogStore } from '../observability/log-sinks.ts';
import { LogWriter } from '../observability/log-store-writer.ts';
import { type RoleLinks } from '../role-links.ts';
import { type WarmUp } from '../scheduler/fleet.ts';
import { RpcAccounts } from '../services/rpc-accounts.ts';
import { schedulerService } from '../scheduler/scheduler-rpc.ts';
import { Scheduler } from '../scheduler/scheduler.ts';
import { startMetering } from './metering.ts';
import { PLATFORM_SOCKET, type PlatformSettings, type PlatformWorld, type RunningRole } from './settings.ts';

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
    const control = links.connect('control');
    const { meter, quotas } = startMetering('router', control, world, closing);
    const host = new RpcInstanceHost(links.connect('host'), timers);
    scheduler = new Scheduler(host, feed, clock, timers, random, log, { warmUp, isRefused: (appId) => quotas.isRefused(appId) });
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
    const logs = new LogWriter(settings.paths.logs, 'request', clock, timers, log, settings.logLimits);
    logs.start();
    closing.defer(() => logs.close());
    const requestLog = new CountedRequestLog(new MeteredRequestLog(new RequestLogStore(logs), meter), clock);
    closing.defer(await links.offer('router', [schedulerService(running), requestLog.service()]));
    const blobs = new BlobStore(settings.paths.blobs, clock, random);
    const accounts = settings.devLogin ? new DevAccounts() : people;
    const sessionKey = Buffer.from((await readFile(join(settings.paths.credentials, 'session-key'), 'utf8')).trim(), 'base64url');
    const server = new RouterServer({ routes: feed, instances: running, requestLog, blobs, accounts, quotas }, clock, timers, random, log, {
      domain: settings.domain,
      trustedProxies: settings.trustedProxies,
      platformSocket: join(settings.runDirectory, PLATFORM_SOCKET),
      sessionKey,
    });
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
