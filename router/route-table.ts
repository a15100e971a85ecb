// Where a request goes, as a pure function of an immutable table: host → app, service, version; path → handler.
import { LIMITS } from '../sdk/contract/limits.ts';
import { type ErrorCode } from '../sdk/contract/errors.ts';
import { type AccessRule } from './access-rule.ts';
import { hostLabels, parseHost } from './host-name.ts';
import {
  type AppRoutes,
  type InstanceTarget,
  type RouteTableSpec,
  type ServiceRoutes,
  type StaticFile,
  type StaticOptions,
} from './ports.ts';
import { type SignInPageName } from './sign-in.ts';
import { TrafficSplit, type SplitClient } from './traffic-split.ts';
import { UNREADABLE_HANDLERS, VersionHandlers } from './version-handlers.ts';

export interface RouteClient extends SplitClient {
  /** Whether the client came by HTTPS; undefined makes `secure:` be ignored. */
  readonly isSecure: boolean | undefined;
}

/** The version that answers, whatever it answers. */
export interface Route {
  readonly target: InstanceTarget;
  /** Host name (and port, where the client gave one) of the app's default service. */
  readonly defaultHostname: string;
  /** How long the app may take to answer. */
  readonly deadlineMs: number;
}

/** `access`: who may have that answer, to be asked before it is given; absent: anybody. */
export type RouteDecision =
  | { readonly kind: 'app'; readonly route: Route; readonly newBucket?: number; readonly access?: AccessRule }
  | {
      readonly kind: 'static';
      readonly route: Route;
      readonly path: string;
      readonly file: StaticFile;
      readonly options: StaticOptions;
      readonly access?: AccessRule;
    }
  | { readonly kind: 'redirect'; readonly route: Route; readonly status: number; readonly scheme: 'http' | 'https' }
  /** A page of the platform's own. */
  | { readonly kind: 'sign-in'; readonly route: Route; readonly page: SignInPageName }
  | { readonly kind: 'refused'; readonly route?: Route; readonly code: ErrorCode; readonly access?: AccessRule };

/** Paths that the platform alone may call. Frameworks match in any case and some fold slashes, so this does too. */
const RESERVED = /^\/+_ah\/+(?:start|stop|warmup|background)(?:[/;]|$)/i;

/** As forgiving: whatever an app could take for these pages is not the app's. */
const SIGN_IN = /^\/+_ah\/+log(in|out)(?:[/;]|$)/i;

const UNKNOWN_HOST: RouteDecision = { kind: 'refused', code: 'ROUTE_UNKNOWN_HOST' };
const NOTHING_SERVING: RouteDecision = { kind: 'refused', code: 'ROUTE_NOTHING_SERVING' };
const RESERVED_PATH: RouteDecision = { kind: 'refused', code: 'ROUTE_PATH_RESERVED' };

interface VersionEntry {
  readonly target: InstanceTarget;
  readonly deadlineMs: number;
  readonly handlers: Pick<VersionHandlers, 'decide'>;
}

interface ServiceEntry {
  readonly split: TrafficSplit;
  readonly versions: ReadonlyMap<string, VersionEntry>;
}

interface AppEntry {
  readonly appId: string;
  readonly services: ReadonlyMap<string, ServiceEntry>;
}

/** What a host name stands for: one version, or a service whose traffic may be split. */
interface HostEntry {
  readonly defaultHostname: string;
  readonly service: ServiceEntry;
  readonly version: VersionEntry | undefined;
  /** Decisions for the app itself, made once a version. */
  readonly toApp: Map<VersionEntry, RouteDecision>;
}

export class RouteTable {
  readonly revision: number;
  /** What could not be compiled, in words; such versions answer INTERNAL. */
  readonly problems: readonly string[];
  readonly #domain: string;
  readonly #apps: ReadonlyMap<string, AppEntry>;
  readonly #hosts = new Map<string, HostEntry | RouteDecision>();

  /** `domain` is what apps' host names end with, without a dot in front. */
  constructor(spec: RouteTableSpec, domain: string) {
    const problems: string[] = [];
    this.revision = spec.revision;
    this.#domain = domain.toLowerCase();
    this.#apps = new Map(spec.apps.map((app) => [app.appId, compileApp(app, problems)]));
    this.problems = problems;
  }

  /**
   * `host` as the client sent it; `path` decoded (request-target.ts).
   * Throws ROUTE_BAD_REQUEST when matching the handlers takes too long.
   */
  resolve(host: string, path: string, client: RouteClient): RouteDecision {
    const entry = this.#hosts.get(host) ?? this.#lookUp(host);
    if ('kind' in entry) return entry;
    if (RESERVED.test(path)) return RESERVED_PATH;

    const choice = entry.version ? undefined : entry.service.split.choose(client);
    const version = entry.version ?? (choice && entry.service.versions.get(choice.version));
    if (!version) return NOTHING_SERVING;

    const toApp = routeTo(entry, version);
    const { route } = toApp;
    const page = SIGN_IN.exec(path)?.[1]?.toLowerCase();
    if (page !== undefined) return { kind: 'sign-in', route, page: page === 'in' ? 'login' : 'logout' };
    const decision = version.handlers.decide(path, client.isSecure);
    switch (decision.kind) {
      case 'app': {
        const newBucket = choice?.newBucket;
        if (newBucket === undefined && !decision.access) return toApp;
        return { ...decision, route, ...(newBucket === undefined ? {} : { newBucket }) };
      }
      case 'missing':
        return { ...decision, kind: 'refused', route, code: 'ROUTE_STATIC_NOT_FOUND' };
      case 'static':
      case 'redirect':
        return { ...decision, route };
    }
  }

  #lookUp(host: string): HostEntry | RouteDecision {
    const entry = this.#resolveHost(host);
    // Beyond the limit a lookup merely costs a little more: strangers may send as many names as they like.
    if (this.#hosts.size < LIMITS.routeHostsCachedMax) this.#hosts.set(host, entry);
    return entry;
  }

  /** App Engine's order for one label before the id: service, version of the default service, default service. */
  #resolveHost(host: string): HostEntry | RouteDecision {
    const parsed = parseHost(host);
    const labels = parsed && hostLabels(parsed.name, this.#domain);
    const app = labels && this.#apps.get(labels.at(-1) ?? '');
    if (!parsed || !labels || !app || labels.length > 3) return UNKNOWN_HOST;
    const defaultHostname = `${app.appId}.${this.#domain}${parsed.port}`;
    const found = (service: ServiceEntry, version?: VersionEntry): HostEntry => ({ defaultHostname, service, version, toApp: new Map() });

    const [first = '', second = ''] = labels;
    const defaultService = app.services.get('default');
    if (labels.length === 3) {
      const service = app.services.get(second);
      const version = service?.versions.get(first);
      if (service && version) return found(service, version);
    }
    if (labels.length === 2) {
      const service = app.services.get(first);
      if (service) return found(service);
      const version = defaultService?.versions.get(first);
      if (defaultService && version) return found(defaultService, version);
    }
    return defaultService ? found(defaultService) : NOTHING_SERVING;
  }
}

function routeTo(entry: HostEntry, version: VersionEntry): RouteDecision & { readonly kind: 'app' } {
  const known = entry.toApp.get(version);
  if (known?.kind === 'app') return known;
  const { target, deadlineMs } = version;
  const decision = { kind: 'app', route: { target, defaultHostname: entry.defaultHostname, deadlineMs } } as const;
  entry.toApp.set(version, decision);
  return decision;
}

function compileApp(app: AppRoutes, problems: string[]): AppEntry {
  const services = app.services.map((service) => [service.service, compileService(app.appId, service, problems)] as const);
  return { appId: app.appId, services: new Map(services) };
}

function compileService(appId: string, routes: ServiceRoutes, problems: string[]): ServiceEntry {
  const { service } = routes;
  const versions = new Map<string, VersionEntry>();
  for (const version of routes.versions) {
    const target = Object.freeze({ appId, service, version: version.version, deploymentId: version.deploymentId });
    const handlers = compileHandlers(version, `${appId}/${service}/${version.version}`, problems);
    versions.set(version.version, { target, deadlineMs: version.requestDeadlineMs ?? LIMITS.requestDeadlineMs, handlers });
  }
  const shares = Object.fromEntries(Object.entries(routes.split).filter(([version]) => versions.has(version)));
  return { split: new TrafficSplit(shares, routes.shardBy), versions };
}

function compileHandlers(version: ServiceRoutes['versions'][number], name: string, problems: string[]): Pick<VersionHandlers, 'decide'> {
  try {
    return new VersionHandlers(version);
  } catch (error) {
    problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    return UNREADABLE_HANDLERS;
  }
}
