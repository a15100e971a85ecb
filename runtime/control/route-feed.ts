// Tells routers where requests go and how instances are started: the serving side. The other side: rpc-route-feed.ts.
import { readFile } from 'node:fs/promises';
import { type ErrorPageSpec, type HandlerSpec, type StaticFile, type StaticOptions, type VersionRoutes } from '../../router/ports.ts';
import { type ManifestHandler } from '../../sdk/contract/app-manifest/manifest.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type CallContext, type Service } from '../../sdk/contract/wire/service.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type LaunchPlan } from '../scheduler/launch-plan.ts';
import { requestMsMaxOf } from '../scheduler/version-bounds.ts';
import { type AppRegistry } from './app-registry.ts';
import { type BlobStore } from './blob-store.ts';
import { type BundleStore } from './bundle-store.ts';
import { type VersionRecord } from './control-store.ts';
import { decodeFileList, staticFiles } from './file-list.ts';
import { allVersions, type AppState, type RegistryState, type ServiceState } from './registry-state.ts';
import { compressibleFiles } from './static-compressor.ts';
import { type StaticEncodings } from './static-encodings.ts';
import { forEachBounded } from './tree-copy.ts';
import { type RouteEvent, ROUTES_SERVICE, type RouteTableEvent, type RouteVersionEvent } from './route-wire.ts';

export class RouteFeed {
  readonly #registry: AppRegistry;
  readonly #blobs: BlobStore;
  readonly #encodings: Pick<StaticEncodings, 'get'>;
  readonly #bundles: BundleStore;
  readonly #log: Log;
  /** Versions as they go over the wire, by deployment; they change only when files of theirs are compressed. */
  readonly #versions = new Map<string, Promise<RouteVersionEvent>>();
  readonly #streams = new Set<LatestState>();
  readonly #closing = new AbortController();

  constructor(registry: AppRegistry, blobs: BlobStore, encodings: Pick<StaticEncodings, 'get'>, bundles: BundleStore, log: Log) {
    this.#registry = registry;
    this.#blobs = blobs;
    this.#encodings = encodings;
    this.#bundles = bundles;
    this.#log = log;
  }

  /** The service to offer to routers. */
  service(): Service {
    return { name: ROUTES_SERVICE, methods: { watch: (_payload, context) => this.#serve(context) } };
  }

  /** Tells routers anew of a deployment whose files have other forms than before. */
  refresh(deploymentId: string): void {
    if (!this.#versions.delete(deploymentId)) return;
    for (const stream of this.#streams) stream.again();
  }

  /** Ends every stream; routers keep what they have and ask again. */
  close(): void {
    this.#closing.abort(new PlatformError('RPC_UNAVAILABLE', 'the control plane is stopping'));
  }

  async #serve({ signal, emit }: CallContext): Promise<void> {
    const end = AbortSignal.any([signal, this.#closing.signal]);
    const sent = new Map<string, Promise<RouteVersionEvent>>();
    const changes = new LatestState(this.#registry, end);
    this.#streams.add(changes);
    try {
      for (let state = await changes.next(); ; state = await changes.next()) {
        for (const event of await this.#eventsOf(state, sent)) await emit(event);
      }
    } finally {
      this.#streams.delete(changes);
    }
  }

  /** What a stream that has sent `sent` must still send for `state`; `sent` is brought up to date. */
  async #eventsOf(state: RegistryState, sent: Map<string, Promise<RouteVersionEvent>>): Promise<RouteEvent[]> {
    const versions = allVersions(state);
    const current = new Set(versions.map(({ deploymentId }) => deploymentId));
    for (const deploymentId of sent.keys()) if (!current.has(deploymentId)) sent.delete(deploymentId);
    for (const deploymentId of this.#versions.keys()) if (!current.has(deploymentId)) this.#versions.delete(deploymentId);
    const events: RouteEvent[] = [];
    for (const record of versions) {
      const event = this.#versionEvent(record);
      if (sent.get(record.deploymentId) === event) continue;
      sent.set(record.deploymentId, event);
      events.push(await event);
    }
    return [...events, tableOf(state)];
  }

  #versionEvent(record: VersionRecord): Promise<RouteVersionEvent> {
    let event = this.#versions.get(record.deploymentId);
    if (!event) {
      event = this.#makeVersionEvent(record);
      this.#versions.set(record.deploymentId, event);
    }
    return event;
  }

  async #makeVersionEvent(record: VersionRecord): Promise<RouteVersionEvent> {
    return {
      kind: 'version',
      deploymentId: record.deploymentId,
      routes: routesOf(record, await this.#staticFilesOf(record), await this.#errorPagesOf(record)),
      plan: planOf(record, this.#bundles.pathOf(record.deploymentId)),
    };
  }

  async #staticFilesOf(record: VersionRecord): Promise<Readonly<Record<string, StaticFile>>> {
    if (record.handlers.every(({ target }) => target.kind === 'script')) return {};
    try {
      const files = staticFiles(decodeFileList(await this.#blobs.readText(record.fileListSha256)), record.handlers);
      return await this.#withEncodings(files, record);
    } catch (error) {
      // One unreadable version must not keep all others from being served.
      this.#log.error('The static files of a version cannot be listed', { appId: record.appId, version: record.version, error });
      return {};
    }
  }
  async #withEncodings(
    files: Readonly<Record<string, StaticFile>>,
    { handlers }: VersionRecord,
  ): Promise<Readonly<Record<string, StaticFile>>> {
    const forms = new Map<string, StaticFile['encodings']>();
    await forEachBounded(compressibleFiles(files, handlers), async ({ sha256 }) => {
      const encodings = await this.#encodings.get(sha256);
      if (encodings && (encodings.br ?? encodings.gzip)) forms.set(sha256, encodings);
    });
    if (forms.size === 0) return files;
    const coded = Object.create(null) as Record<string, StaticFile>;
    for (const [path, file] of Object.entries(files)) {
      const encodings = forms.get(file.sha256);
      coded[path] = encodings ? { ...file, encodings } : file;
    }
    return coded;
  }

  async #errorPagesOf(record: VersionRecord): Promise<readonly ErrorPageSpec[]> {
    const pages: ErrorPageSpec[] = [];
    for (const { cause, mimeType, sha256 } of record.errorPages ?? []) {
      try {
        pages.push({ cause, mimeType, content: await readFile(this.#blobs.pathOf(sha256)) });
      } catch (error) {
        this.#log.error('An error page of a version cannot be read', { appId: record.appId, version: record.version, cause, error });
      }
    }
    return pages;
  }
}

/** The newest state each time it is asked, once; what came between is skipped. */
class LatestState {
  readonly #registry: AppRegistry;
  readonly #signal: AbortSignal;
  #latest: RegistryState | undefined;
  #wake: (() => void) | undefined;

  constructor(registry: AppRegistry, signal: AbortSignal) {
    this.#registry = registry;
    this.#signal = signal;
    const unsubscribe = registry.watch((state) => {
      this.#latest = state;
      this.#wake?.();
    });
    signal.addEventListener(
      'abort',
      () => {
        unsubscribe();
        this.#wake?.();
      },
      { once: true },
    );
  }

  /** Gives the newest state once more. */
  again(): void {
    this.#latest = this.#registry.state;
    this.#wake?.();
  }

  /** Waits for a state that was not given yet. Throws the signal's reason. */
  async next(): Promise<RegistryState> {
    for (;;) {
      this.#signal.throwIfAborted();
      const state = this.#latest;
      this.#latest = undefined;
      if (state) return state;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

export function planOf({ launch, appId, service, version, deploymentId }: VersionRecord, codeDirectory: string): LaunchPlan {
  const { scaling, warmup, ...start } = launch;
  return { spec: { appId, service, version, deploymentId, codeDirectory, ...start }, scaling, warmup };
}

function routesOf(record: VersionRecord, files: Readonly<Record<string, StaticFile>>, errorPages: readonly ErrorPageSpec[]): VersionRoutes {
  const { version, deploymentId, handlers, defaultExpirationSeconds, createdAtMs, launch } = record;
  return {
    version,
    deploymentId,
    handlers: handlers.map((handler) => handlerSpec(handler, defaultExpirationSeconds)),
    files,
    deployedAtMs: createdAtMs,
    requestDeadlineMs: requestMsMaxOf(launch.scaling.kind),
    ...(errorPages.length === 0 ? {} : { errorPages }),
  };
}

/** A handler as the router wants it, the version's default expiration filled in. */
export function handlerSpec(handler: ManifestHandler, defaultExpirationSeconds: number): HandlerSpec {
  const { url, secure, redirectStatus, login, authFailAction, target } = handler;
  const common = { url, secure, redirectStatus, login, authFailAction };
  const options: StaticOptions = {
    expirationSeconds: handler.expirationSeconds ?? defaultExpirationSeconds,
    requireMatchingFile: handler.requireMatchingFile,
    ...(handler.mimeType === undefined ? {} : { mimeType: handler.mimeType }),
    ...(handler.httpHeaders === undefined ? {} : { httpHeaders: handler.httpHeaders }),
  };
  switch (target.kind) {
    case 'script':
      return { ...common, kind: 'script' };
    case 'static-dir':
      return { ...common, ...options, kind: 'static-dir', directory: target.directory };
    case 'static-files':
      return { ...common, ...options, kind: 'static-files', path: target.path };
  }
}

function tableOf(state: RegistryState): RouteTableEvent {
  return {
    kind: 'table',
    apps: [...state.values()].map((app: AppState) => ({
      appId: app.record.appId,
      services: [...app.services.values()].map(serviceOf).filter(({ deployments }) => deployments.length > 0),
      ...(app.dispatch && app.dispatch.rules.length > 0 ? { dispatch: [...app.dispatch.rules] } : {}),
    })),
    changes: changesOf(state),
    staged: allVersions(state)
      .filter((record) => record.state === 'staged')
      .map(({ deploymentId }) => deploymentId),
  };
}

function changesOf(state: RegistryState): RouteTableEvent['changes'] {
  const changed = allVersions(state).filter(({ isStopped, instances }) => isStopped === true || instances !== undefined);
  return Object.fromEntries(
    changed.map(({ deploymentId, isStopped = false, instances }) => [
      deploymentId,
      { isStopped, ...(instances === undefined ? {} : { instances }) },
    ]),
  );
}

function serviceOf({ service, versions, traffic }: ServiceState): RouteTableEvent['apps'][number]['services'][number] {
  const serving = [...versions.values()].filter((record) => record.state === 'serving');
  return {
    service,
    split: traffic?.split ?? {},
    shardBy: traffic?.shardBy ?? 'ip',
    ...(traffic?.buckets ? { buckets: traffic.buckets.map(([version, count]): [string, number] => [version, count]) } : {}),
    deployments: serving.map(({ deploymentId }) => deploymentId),
  };
}
