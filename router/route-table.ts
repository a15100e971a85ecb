// Where a request goes, as a pure function of an immutable table: host → app; host and path → a rule of dispatch.yaml,
// or host alone → service, version; path → handler.
import { LIMITS } from '../sdk/contract/limits.ts';
import { type ErrorCode } from '../sdk/contract/errors.ts';
import { type DispatchRule } from '../sdk/contract/dispatch-rule.ts';
import { DEFAULT_SERVICE } from '../sdk/contract/app-manifest/label.ts';
import { type AccessRule } from './access-rule.ts';
import { AppErrorPages } from './app-error-pages.ts';
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
  /** What visitors see of the platform's own errors. */
  readonly errorPages?: AppErrorPages;
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
      /** When it was deployed, milliseconds since 1970. */
      readonly deployedAtMs?: number;
      readonly newBucket?: number;
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
  readonly errorPages: AppErrorPages | undefined;
  readonly deployedAtMs: number | undefined;
}

interface ServiceEntry {
  readonly split: TrafficSplit;
  readonly versions: ReadonlyMap<string, VersionEntry>;
}

interface AppEntry {
  readonly appId: string;
  readonly services: ReadonlyMap<string, ServiceEntry>;
  readonly dispatch: readonly DispatchRule[];
}

/** What serves: one version, or a service whose traffic may be split; nothing when neither is there. */
interface Place {
  readonly defaultHostname: string;
  readonly service: ServiceEntry | undefined;
  readonly version: VersionEntry | undefined;
  /** Decisions for the app itself, made once a version. */
  readonly toApp: Map<VersionEntry, RouteDecision>;
}

/** What a host name stands for. */
interface HostEntry extends Place {
  /** The rules of dispatch.yaml that this host fits, unless it names a version of a service. */
  readonly dispatch: readonly HostRule[] | undefined;
}

interface HostRule {
  /** Without the `*`. */
  readonly path: string;
  readonly isPrefix: boolean;
  readonly place: Place;
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

    const page = SIGN_IN.exec(path)?.[1]?.toLowerCase();
    // The platform's own pages are the same wherever they are asked for.
    const place = entry.dispatch === undefined || page !== undefined ? entry : (ruled(entry.dispatch, path) ?? entry);
    const choice = place.version ? undefined : place.service?.split.choose(client);
    const version = place.version ?? (choice && place.service?.versions.get(choice.version));
    if (!version) return NOTHING_SERVING;

    const toApp = routeTo(place, version);
    const { route } = toApp;
    if (page !== undefined) return { kind: 'sign-in', route, page: page === 'in' ? 'login' : 'logout' };
    const decision = version.handlers.decide(path, client.isSecure);
    const newBucket = choice?.newBucket;
    switch (decision.kind) {
      case 'app':
        if (newBucket === undefined && !decision.access) return toApp;
        return { ...decision, route, ...(newBucket === undefined ? {} : { newBucket }) };
      case 'missing':
        return { ...decision, kind: 'refused', route, code: 'ROUTE_STATIC_NOT_FOUND' };
      case 'static': {
        const { deployedAtMs } = version;
        return {
          ...decision,
          route,
          ...(deployedAtMs === undefined ? {} : { deployedAtMs }),
          ...(newBucket === undefined ? {} : { newBucket }),
        };
      }
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

  /**
   * App Engine's order for one label before the id: service, version of the default service, default service. Of two
   * labels the first names a version of the second; any other name leads to the default service.
   */
  #resolveHost(host: string): HostEntry | RouteDecision {
    const parsed = parseHost(host);
    const labels = parsed && hostLabels(parsed.name, this.#domain);
    const app = labels && this.#apps.get(labels.at(-1) ?? '');
    if (!parsed || !labels || !app || labels.length > 3) return UNKNOWN_HOST;
    const defaultHostname = `${app.appId}.${this.#domain}${parsed.port}`;
    const place = (service: ServiceEntry | undefined, version?: VersionEntry): Place => ({
      defaultHostname,
      service,
      version,
      toApp: new Map(),
    });
    const open = (service: ServiceEntry | undefined, version?: VersionEntry): HostEntry => {
      const rules = app.dispatch.filter((rule) => fitsHost(rule, parsed.name));
      const dispatch = rules.map(({ path, service: to }): HostRule => {
        const isPrefix = path.endsWith('*');
        return { path: isPrefix ? path.slice(0, -1) : path, isPrefix, place: place(app.services.get(to)) };
      });
      return { ...place(service, version), dispatch: dispatch.length === 0 ? undefined : dispatch };
    };

    const [first = '', second = ''] = labels;
    const defaultService = app.services.get(DEFAULT_SERVICE);
    if (labels.length === 3) {
      // VERSION-dot-latest-dot-ID is App Engine's older form of a version's URL.
      const service = app.services.get(second === 'latest' ? DEFAULT_SERVICE : second);
      const version = service?.versions.get(first);
      if (version) return { ...place(service, version), dispatch: undefined };
    }
    if (labels.length === 2) {
      const service = app.services.get(first);
      if (service) return open(service);
      const version = defaultService?.versions.get(first);
      if (version) return open(defaultService, version);
    }
    return open(defaultService);
  }
}

/** Where the first rule that fits the path leads. */
function ruled(rules: readonly HostRule[], path: string): Place | undefined {
  for (const rule of rules) if (rule.isPrefix ? path.startsWith(rule.path) : path === rule.path) return rule.place;
  return undefined;
}

function fitsHost({ host }: DispatchRule, name: string): boolean {
  return host.startsWith('*') ? name.endsWith(host.slice(1)) : name === host;
}

function routeTo(place: Place, version: VersionEntry): RouteDecision & { readonly kind: 'app' } {
  const known = place.toApp.get(version);
  if (known?.kind === 'app') return known;
  const { target, errorPages, deadlineMs } = version;
  const route = { target, defaultHostname: place.defaultHostname, deadlineMs, ...(errorPages ? { errorPages } : {}) };
  const decision = { kind: 'app', route } as const;
  place.toApp.set(version, decision);
  return decision;
}

function compileApp(app: AppRoutes, problems: string[]): AppEntry {
  const services = app.services.map((service) => [service.service, compileService(app.appId, service, problems)] as const);
  return { appId: app.appId, services: new Map(services), dispatch: app.dispatch ?? [] };
}

function compileService(appId: string, routes: ServiceRoutes, problems: string[]): ServiceEntry {
  const { service } = routes;
  const versions = new Map<string, VersionEntry>();
  for (const version of routes.versions) {
    const target = Object.freeze({ appId, service, version: version.version, deploymentId: version.deploymentId });
    versions.set(version.version, {
      target,
      deadlineMs: version.requestDeadlineMs ?? LIMITS.requestDeadlineMs,
      handlers: compileHandlers(version, `${appId}/${service}/${version.version}`, problems),
      errorPages: version.errorPages && new AppErrorPages(version.errorPages),
      deployedAtMs: version.deployedAtMs,
    });
  }
  const shares = Object.fromEntries(Object.entries(routes.split).filter(([version]) => versions.has(version)));
  return { split: new TrafficSplit(shares, routes.shardBy, routes.buckets), versions };
}

function compileHandlers(version: ServiceRoutes['versions'][number], name: string, problems: string[]): Pick<VersionHandlers, 'decide'> {
  try {
    return new VersionHandlers(version);
  } catch (error) {
    problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    return UNREADABLE_HANDLERS;
  }
}
