// The route feed in the router's process: subscribes to the control role and keeps the last table while that is away.
import { type RouteTableSource, type RouteTableSpec, type Unsubscribe, type VersionRoutes } from '../../router/ports.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { followFeed } from '../../sdk/contract/wire/feed.ts';
import { type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type LaunchPlan, type LaunchPlanSource } from '../scheduler/launch-plan.ts';
import { type DeployedVersion } from '../scheduler/scheduler.ts';
import { routeEventSchema, ROUTES_SERVICE, type RouteTableEvent } from './route-wire.ts';

/** What else a new table means, besides new routes: called after the table's watchers. */
export interface RouteFeedListener {
  /** Deployments that have a share of the traffic. */
  readonly onServing?: (deploymentIds: ReadonlySet<string>) => void;
  /** All deployments whose deploy is done, and what was changed about them. */
  readonly onDeployed?: (deployed: ReadonlyMap<string, DeployedVersion>) => void;
  /** A deployment that is routed to and started no more. */
  readonly onGone?: (deploymentId: string) => void;
}

const UNCHANGED: DeployedVersion = { isStopped: false };

interface Deployment {
  readonly routes: VersionRoutes;
  readonly plan: LaunchPlan;
}

export class RpcRouteFeed implements RouteTableSource, LaunchPlanSource {
  readonly #rpc: Rpc;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #listener: RouteFeedListener;
  readonly #watchers = new Set<(table: RouteTableSpec) => void>();
  readonly #abort = new AbortController();
  /** Sent in this stream, by deployment. */
  readonly #sent = new Map<string, Deployment>();
  #current: ReadonlyMap<string, Deployment> = new Map();
  #table: RouteTableSpec | undefined;

  constructor(rpc: Rpc, timers: Timers, log: Log, listener: RouteFeedListener = {}) {
    this.#rpc = rpc;
    this.#timers = timers;
    this.#log = log;
    this.#listener = listener;
  }

  /** Subscribes, and again whenever the stream ends, until `close`. */
  start(): void {
    void followFeed(
      this.#rpc,
      { service: ROUTES_SERVICE, method: 'watch' },
      {
        onBegin: () => {
          this.#sent.clear();
        },
        onEvent: (event) => {
          this.#onEvent(event);
        },
        onBroken: (error) => {
          this.#log.info('The route feed broke off; the last table stays in force', { error });
        },
      },
      this.#timers,
      this.#abort,
    );
  }

  close(): void {
    this.#abort.abort(new PlatformError('CANCELLED'));
    this.#watchers.clear();
  }

  watch(onTable: (table: RouteTableSpec) => void): Unsubscribe {
    this.#watchers.add(onTable);
    if (this.#table) onTable(this.#table);
    return () => {
      this.#watchers.delete(onTable);
    };
  }

  /** Whether any table has come. */
  get hasTable(): boolean {
    return this.#table !== undefined;
  }

  hasVersion({ appId, service, version }: { readonly appId: string; readonly service: string; readonly version: string }): boolean {
    const routes = this.#table?.apps.find((app) => app.appId === appId)?.services.find((each) => each.service === service);
    return routes?.versions.some((each) => each.version === version) ?? false;
  }

  planOf(deploymentId: string): LaunchPlan | undefined {
    return this.#current.get(deploymentId)?.plan;
  }

  #onEvent(payload: unknown): void {
    const parsed = routeEventSchema.safeParse(payload);
    if (!parsed.success) {
      this.#log.error('The route feed said something that cannot be read', { issue: parsed.error.issues[0]?.message ?? '' });
      return;
    }
    const event = parsed.data;
    if (event.kind === 'version') this.#sent.set(event.deploymentId, { routes: event.routes, plan: event.plan });
    else this.#onTable(event);
  }

  #onTable(event: RouteTableEvent): void {
    const routed = event.apps.flatMap(({ services }) => services.flatMap(({ deployments }) => deployments));
    const named = new Set([...routed, ...event.staged]);
    for (const deploymentId of this.#sent.keys()) if (!named.has(deploymentId)) this.#sent.delete(deploymentId);
    const before = this.#current;
    this.#current = new Map(this.#sent);
    const table = this.#tableOf(event);
    this.#table = table;
    for (const watcher of this.#watchers) watcher(table);
    this.#listener.onDeployed?.(new Map(routed.map((deploymentId) => [deploymentId, event.changes[deploymentId] ?? UNCHANGED])));
    this.#listener.onServing?.(servingOf(table));
    for (const deploymentId of before.keys()) if (!this.#current.has(deploymentId)) this.#listener.onGone?.(deploymentId);
  }

  /** Revisions are this side's own: a control role that restarts, or a clock that jumps, must not freeze routing. */
  #tableOf(event: RouteTableEvent): RouteTableSpec {
    return {
      revision: (this.#table?.revision ?? 0) + 1,
      apps: event.apps.map(({ appId, services, dispatch }) => ({
        appId,
        ...(dispatch ? { dispatch } : {}),
        services: services.map(({ deployments, ...routed }) => ({
          ...routed,
          versions: deployments.map((deploymentId) => this.#sent.get(deploymentId)?.routes).filter((routes) => routes !== undefined),
        })),
      })),
    };
  }
}

function servingOf(table: RouteTableSpec): ReadonlySet<string> {
  const serving = new Set<string>();
  for (const { services } of table.apps) {
    for (const { split, versions } of services) {
      for (const { version, deploymentId } of versions) if ((split[version] ?? 0) > 0) serving.add(deploymentId);
    }
  }
  return serving;
}
