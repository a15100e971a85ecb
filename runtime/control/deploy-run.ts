// One deploy, from its files to traffic.
//
// Steps: validate → build → index → stage → start → compress → traffic. Compressing begins beside the build, and what it does
// not do in time it does afterwards. A step that fails undoes all before it, newest first, so
// that a failed deploy leaves nothing but uploaded content; the version that served goes on serving.
import { type StaticFile } from '../../router/ports.ts';
import { type DeployEvent, type DeployStep } from '../../sdk/contract/admin/admin.ts';
import { errorBody, PlatformError, toPlatformError } from '../../sdk/contract/errors.ts';
import { type IndexDefinition } from '../../sdk/contract/index-definition.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Clock, sleep, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type BuildHost } from '../host/build.ts';
import { type BuildStep, type Language, type LanguagePlan, type SourceTree } from '../languages/port.ts';
import { type InstanceWarmer } from '../scheduler/scheduler-rpc.ts';
import { type AppRegistry } from './app-registry.ts';
import { type AppUrls } from './app-urls.ts';
import { type BlobStore } from './blob-store.ts';
import { type BuildCache } from './build-cache.ts';
import { type BundleStore } from './bundle-store.ts';
import { type VersionRecord } from './control-store.ts';
import { DeployOutput } from './deploy-output.ts';
import { buildOutputs, checkNames, type DeployManifests, launchRecord, readManifests, versionFromTime } from './deploy-plan.ts';
import { encodeFileList, staticFiles } from './file-list.ts';
import { compressibleFiles, type CompressionOutcome, type StaticCompressor } from './static-compressor.ts';
import { type IndexBuilder } from './index-builder.ts';
import { type OpenDeployment } from './open-deployments.ts';
import { allVersions } from './registry-state.ts';
import { type Retirement } from './retirement.ts';
import { type RuntimeInstaller } from './runtime-installer.ts';

/** Everything that a deploy asks for things. */
export interface DeployTools {
  readonly registry: AppRegistry;
  readonly blobs: BlobStore;
  readonly bundles: BundleStore;
  readonly buildCache: BuildCache;
  readonly runtimes: RuntimeInstaller;
  readonly retirement: Retirement;
  readonly indexBuilder: IndexBuilder;
  readonly compressor: StaticCompressor;
  readonly buildHost: BuildHost;
  readonly warmer: InstanceWarmer;
  /** Throws RUNTIME_UNKNOWN naming those that are known. */
  readonly findLanguage: (runtime: string) => Language;
  readonly urls: AppUrls;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}

export interface DeployRunOptions {
  readonly onEvent: (event: DeployEvent) => void;
  readonly signal: AbortSignal;
}

export class DeployRunner {
  readonly #tools: DeployTools;

  constructor(tools: DeployTools) {
    this.#tools = tools;
  }

  prepare(deployment: OpenDeployment, options: DeployRunOptions): DeployRun {
    return new DeployRun(this.#tools, deployment, options);
  }
}

const INDEX_POLL_MS = 200;

export class DeployRun {
  readonly #tools: DeployTools;
  readonly #deployment: OpenDeployment;
  readonly #onEvent: (event: DeployEvent) => void;
  readonly #signal: AbortSignal;
  readonly #source: SourceTree;
  readonly #undo: (() => void | Promise<void>)[] = [];
  #step: DeployStep = 'validate';
  #manifests: DeployManifests | undefined;
  #compressible: readonly StaticFile[] = [];

  constructor(tools: DeployTools, deployment: OpenDeployment, options: DeployRunOptions) {
    this.#tools = tools;
    this.#deployment = deployment;
    this.#onEvent = options.onEvent;
    this.#signal = options.signal;
    this.#source = sourceOf(deployment, tools.blobs);
  }

  /** What only one deploy at a time may change. */
  get lockName(): string {
    return `${this.#deployment.appId}/${this.#read().app.service}`;
  }

  /** False when the app cannot be understood; then the outcome was told. */
  async readManifests(): Promise<boolean> {
    try {
      const { appId, files } = this.#deployment;
      const isService = (service: string): boolean => this.#tools.registry.state.get(appId)?.services.has(service) ?? false;
      this.#manifests = await readManifests(this.#source, files, isService);
      return true;
    } catch (error) {
      await this.#fail(error);
      return false;
    }
  }

  /** Runs every step. Never throws: the last event says how it ended. */
  async run(): Promise<void> {
    try {
      const { version, plan } = await this.#validate();
      const compression = this.#beginCompression();
      await this.#build(plan);
      await this.#index(this.#read().indexes);
      const record = await this.#stage(version, plan);
      await this.#start(record);
      await this.#compress(compression);
      await this.#traffic(record);
    } catch (error) {
      await this.#fail(error);
    }
  }

  async #validate(): Promise<{ readonly version: string; readonly plan: LanguagePlan }> {
    const { app, notes } = this.#read();
    const { appId } = this.#deployment;
    this.#begin('validate', 'Checking app.yaml');
    for (const note of notes) this.#onEvent({ kind: 'output', step: 'validate', line: note });
    const taken = this.#tools.registry.state.get(appId)?.services.get(app.service)?.versions;
    const version = this.#deployment.version ?? versionFromTime(this.#tools.clock.nowMs(), (name) => taken?.has(name) ?? false);
    checkNames(appId, app.service, version);
    // Said again, with certainty, when the version is staged; here it spares a build in vain.
    if (taken?.has(version)) throw new PlatformError('VERSION_EXISTS', `"${version}" of the service "${app.service}"`);
    // Throws for patterns that the router could not read.
    this.#compressible = compressibleFiles(staticFiles(this.#deployment.files, app.handlers), app.handlers);
    const plan = await this.#tools.findLanguage(app.runtime).plan(app, this.#source, { nowMs: this.#tools.clock.nowMs() });
    for (const note of plan.notes ?? []) this.#onEvent({ kind: 'output', step: 'validate', line: note });
    this.#end('validate', 'done', `${this.#deployment.files.length} files, runtime ${app.runtime}`);
    return { version, plan };
  }

  async #build(plan: LanguagePlan): Promise<void> {
    const { deploymentId, files } = this.#deployment;
    this.#begin('build', 'Building');
    this.#defer(async () => {
      if (!this.#isRecorded()) await this.#tools.bundles.remove(deploymentId);
    });
    await this.#tools.bundles.stage(deploymentId, files);
    await this.#fetchRuntime(plan);
    const { buildSteps, finishSteps = [], buildCacheKey: key } = plan;
    const isKept = key !== undefined && (await this.#restoreBuild(key, plan));
    if (!isKept) await this.#runSteps(buildSteps, plan);
    if (key !== undefined && !isKept) await this.#tools.buildCache.save(key, buildOutputs(plan), this.#tools.bundles.pathOf(deploymentId));
    await this.#runSteps(finishSteps, plan);
    const ran = [...(isKept ? [] : buildSteps), ...finishSteps].map(({ title }) => title);
    const kept = isKept ? 'Unchanged since the last build' : 'Nothing to build';
    if (ran.length === 0) this.#end('build', 'skipped', kept);
    else this.#end('build', 'done', ran.join(', '));
  }

  async #restoreBuild(key: string, plan: LanguagePlan): Promise<boolean> {
    const { buildCache, bundles } = this.#tools;
    return buildCache.restore(key, buildOutputs(plan), bundles.pathOf(this.#deployment.deploymentId));
  }

  async #fetchRuntime({ runtime }: LanguagePlan): Promise<void> {
    if (runtime === undefined) return;
    const fetched = this.#tools.runtimes.ensure(runtime, (line) => {
      this.#onEvent({ kind: 'output', step: 'build', line });
    });
    await raceAbort(fetched, this.#signal);
  }

  async #runSteps(steps: readonly BuildStep[], { runtime }: LanguagePlan): Promise<void> {
    const { appId, deploymentId } = this.#deployment;
    const output = new DeployOutput('build', this.#onEvent);
    for (const step of steps) {
      this.#signal.throwIfAborted();
      this.#onEvent({ kind: 'step', step: 'build', state: 'running', message: step.title });
      const result = await this.#tools.buildHost.build(
        {
          appId,
          directory: this.#tools.bundles.pathOf(deploymentId),
          command: step.command,
          environment: { ...step.environment, ...this.#read().app.buildEnvironment },
          ...(runtime === undefined ? {} : { runtime }),
          memoryBytesMax: LIMITS.buildMemoryBytesMax,
          timeoutMs: LIMITS.buildMs,
        },
        {
          onOutput: (line) => {
            output.line(line);
          },
          signal: this.#signal,
        },
      );
      if (result.code !== 0)
        throw new PlatformError('BUILD_FAILED', `${step.title}: ${result.reason}`, { details: { output: output.tail } });
    }
  }

  async #index(definitions: readonly IndexDefinition[]): Promise<void> {
    const { indexBuilder, clock, timers } = this.#tools;
    const { appId } = this.#deployment;
    this.#begin('index', 'Preparing indexes');
    if (definitions.length === 0) {
      this.#end('index', 'skipped', 'No composite indexes');
      return;
    }
    await indexBuilder.ensure(appId, definitions);
    const endMs = clock.monotonicMs() + LIMITS.deployIndexMs;
    let toldServing = -1;
    for (;;) {
      const states = await indexBuilder.states(appId, definitions);
      const serving = states.filter((state) => state === 'serving').length;
      if (serving === definitions.length) break;
      const failed = definitions[states.indexOf('error')];
      if (failed) throw new PlatformError('INDEX_FAILED', `the index on "${failed.kind}" could not be built`);
      if (serving !== toldServing) this.#begin('index', `Building indexes: ${serving} of ${definitions.length} serve`);
      toldServing = serving;
      if (clock.monotonicMs() >= endMs)
        throw new PlatformError('INDEX_FAILED', `not all were built within ${LIMITS.deployIndexMs / 1_000} s`);
      await sleep(timers, INDEX_POLL_MS, { signal: this.#signal });
    }
    this.#end('index', 'done', definitions.length === 1 ? 'The composite index serves' : `${definitions.length} composite indexes serve`);
  }

  async #stage(version: string, plan: LanguagePlan): Promise<VersionRecord> {
    const { appId, deploymentId, files } = this.#deployment;
    const { app, errorPages } = this.#read();
    this.#begin('stage', `Recording version ${version}`);
    const record: VersionRecord = {
      kind: 'version',
      appId,
      service: app.service,
      version,
      deploymentId,
      state: 'staged',
      createdAtMs: this.#tools.clock.nowMs(),
      runtime: app.runtime,
      handlers: app.handlers,
      defaultExpirationSeconds: app.defaultExpirationSeconds,
      launch: launchRecord(app, plan),
      fileListSha256: await this.#tools.blobs.putText(encodeFileList(files)),
      ...(errorPages.length === 0 ? {} : { errorPages: errorPages.map(({ cause, mimeType, sha256 }) => ({ cause, mimeType, sha256 })) }),
      files: files.length,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    };
    await this.#tools.blobs.sync();
    this.#signal.throwIfAborted();
    // Deferred first: when the outcome of the commit is unknown, the record may be there.
    this.#defer(async () => {
      await this.#tools.registry.discard(record);
      if (!this.#isRecorded()) this.#tools.retirement.retire(deploymentId);
    });
    await this.#tools.registry.stage(record);
    this.#end('stage', 'done', `Version ${version} of the service ${app.service}`);
    return record;
  }

  async #start(record: VersionRecord): Promise<void> {
    this.#begin('start', 'Starting the first instance');
    await raceAbort(this.#tools.warmer.warm(record.deploymentId), this.#signal);
    this.#end('start', 'done', 'An instance is ready');
  }

  /** In the background of the deploy, and beyond it: only a deploy that fails ends it. */
  #beginCompression(): Promise<CompressionOutcome | undefined> {
    const { deploymentId, appId } = this.#deployment;
    const abort = new AbortController();
    this.#defer(() => {
      abort.abort(new PlatformError('CANCELLED'));
    });
    return this.#tools.compressor.compress(deploymentId, this.#compressible, { signal: abort.signal }).catch((error: unknown) => {
      if (!abort.signal.aborted) this.#tools.log.warn('Static files could not be compressed', { appId, deploymentId, error });
      return undefined;
    });
  }

  async #compress(compression: Promise<CompressionOutcome | undefined>): Promise<void> {
    if (this.#compressible.length === 0) return;
    this.#begin('compress', 'Compressing static files');
    const abort = new AbortController();
    const isLate = Symbol('late');
    const late = sleep(this.#tools.timers, LIMITS.deployCompressMs, { signal: abort.signal }).then(
      () => isLate,
      () => isLate,
    );
    const outcome = await Promise.race([compression, late]);
    abort.abort(new PlatformError('CANCELLED'));
    if (typeof outcome === 'symbol' || !outcome) {
      this.#end('compress', 'skipped', 'Static files are sent as they are until they are compressed');
      return;
    }
    const { files, compressedNow, savedBytes } = outcome;
    const what =
      compressedNow === 0 ? `${files} static files, unchanged since they were compressed` : `${compressedNow} of ${files} static files`;
    this.#end('compress', 'done', `${what}; ${Math.round(savedBytes / 1_000)} kB less to load`);
  }

  async #traffic(record: VersionRecord): Promise<void> {
    const { promote } = this.#deployment;
    const { appId, service, version } = record;
    this.#begin('traffic', promote ? 'Moving traffic' : 'Making the version reachable');
    await this.#tools.registry.serve(record, { promote, settings: this.#read().settings });
    if (promote) await this.#awaitRouted(record);
    this.#end(
      'traffic',
      promote ? 'done' : 'skipped',
      promote ? `All traffic of ${service} goes to ${version}` : 'Traffic stays where it is',
    );
    this.#onEvent({
      kind: 'done',
      appId,
      service,
      version,
      url: this.#tools.urls.service(appId, service),
      versionUrl: this.#tools.urls.version(appId, service, version),
      promoted: promote,
    });
    this.#tools.log.info('Deployed a version', { appId, service, version, deploymentId: record.deploymentId, promoted: promote });
  }

  /** So that whoever reads the URL finds the new version there. The traffic has moved: a router that is away changes nothing. */
  async #awaitRouted({ deploymentId }: VersionRecord): Promise<void> {
    try {
      await this.#tools.warmer.awaitServing(deploymentId);
    } catch (error) {
      this.#tools.log.warn('The router does not yet say that it routes to a new version', { deploymentId, error });
    }
  }

  async #fail(thrown: unknown): Promise<void> {
    const error = toPlatformError(thrown);
    const { appId, deploymentId } = this.#deployment;
    this.#tools.log.info('A deploy failed', { appId, deploymentId, step: this.#step, code: error.code, error: thrown });
    for (let undo = this.#undo.pop(); undo; undo = this.#undo.pop()) {
      try {
        await undo();
      } catch (failure) {
        this.#tools.log.warn('A failed deploy could not be undone fully; the next start sweeps it', {
          appId,
          deploymentId,
          error: failure,
        });
      }
    }
    this.#onEvent({ kind: 'failed', step: this.#step, error: errorBody(error) });
  }

  /** A commit whose outcome was unknown may have gone through after all: then the version stays, with its code. */
  #isRecorded(): boolean {
    return allVersions(this.#tools.registry.state).some(({ deploymentId }) => deploymentId === this.#deployment.deploymentId);
  }

  #defer(undo: () => void | Promise<void>): void {
    this.#undo.push(undo);
  }

  #begin(step: DeployStep, message: string): void {
    this.#signal.throwIfAborted();
    this.#step = step;
    this.#onEvent({ kind: 'step', step, state: 'running', message });
  }

  #end(step: DeployStep, state: 'done' | 'skipped', message: string): void {
    this.#onEvent({ kind: 'step', step, state, message });
  }

  #read(): DeployManifests {
    if (!this.#manifests) throw new Error('Broken invariant: the manifests are read before anything else');
    return this.#manifests;
  }
}

function sourceOf({ files }: OpenDeployment, blobs: BlobStore): SourceTree {
  const hashes = new Map(files.map(({ path, sha256 }) => [path, sha256]));
  return {
    paths: new Set(hashes.keys()),
    readText: async (path) => {
      const sha256 = hashes.get(path);
      if (sha256 === undefined) throw new PlatformError('UPLOAD_INCOMPLETE', `there is no file "${path}"`);
      return blobs.readText(sha256);
    },
  };
}

function raceAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(toPlatformError(signal.reason));
    };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}
