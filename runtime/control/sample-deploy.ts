// A control plane for tests: real files in a directory of its own, everything beyond it in memory and scripted.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type DeployEvent, type DeployRequest, type UploadFile } from '../../sdk/contract/admin/admin.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type IndexDefinition, type IndexState } from '../../sdk/contract/index-definition.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { type BuildHost, type BuildResult, type BuildSpec } from '../host/build.ts';
import { type InstanceView } from '../host/instance.ts';
import { RuntimeDirectory } from '../host/runtime-directory.ts';
import { type Language, type RuntimePackage } from '../languages/port.ts';
import { type InstanceWarmer } from '../scheduler/scheduler-rpc.ts';
import { AppRegistry } from './app-registry.ts';
import { AppUrls } from './app-urls.ts';
import { BlobStore } from './blob-store.ts';
import { BuildCache } from './build-cache.ts';
import { BundleStore } from './bundle-store.ts';
import { ControlPlane } from './control-plane.ts';
import { type ControlStore } from './control-store.ts';
import { DeployRunner } from './deploy-run.ts';
import { Deployer } from './deployer.ts';
import { type IndexBuilder } from './index-builder.ts';
import { MemoryControlStore } from './memory-control-store.ts';
import { OpenDeployments } from './open-deployments.ts';
import { Retirement } from './retirement.ts';
import { RuntimeInstaller } from './runtime-installer.ts';
import { StaticCompressor } from './static-compressor.ts';
import { StaticEncodings } from './static-encodings.ts';
import { TrafficDesk } from './traffic-desk.ts';

/** Runs no build: each is a call of `onBuild`. */
export class ScriptedBuildHost implements BuildHost {
  readonly builds: BuildSpec[] = [];
  onBuild: (spec: BuildSpec, print: (line: string) => void, signal?: AbortSignal) => Promise<BuildResult> = () =>
    Promise.resolve({ code: 0, signal: null, reason: '' });

  build(spec: BuildSpec, options: { readonly onOutput: (line: string) => void; readonly signal?: AbortSignal }): Promise<BuildResult> {
    this.builds.push(spec);
    return this.onBuild(spec, options.onOutput, options.signal);
  }
}

/** Every index serves after `polls` questions. */
export class ScriptedIndexBuilder implements IndexBuilder {
  readonly ensured: (readonly IndexDefinition[])[] = [];
  polls = 1;
  outcome: IndexState = 'serving';

  ensure(_appId: string, definitions: readonly IndexDefinition[]): Promise<void> {
    this.ensured.push(definitions);
    return Promise.resolve();
  }

  states(_appId: string, definitions: readonly IndexDefinition[]): Promise<readonly IndexState[]> {
    this.polls--;
    const state = this.polls > 0 ? 'building' : this.outcome;
    return Promise.resolve(definitions.map(() => state));
  }
}

export const SAMPLE_RUNTIME: RuntimePackage = {
  name: 'nodejs22',
  title: 'Node 22',
  version: '22.0.10',
  npmPackage: 'node-sample',
  integrity: 'sha512-sample',
  programs: 'bin',
  probe: ['node', '--version'],
};

/** Apps are node programs; those with a package-lock.json install packages, one cached build for each content of it. */
export const sampleLanguage: Language = {
  name: 'nodejs',
  runtimes: ['nodejs', 'nodejs22'],
  plan: async ({ runtime }, source) => {
    const lock = source.paths.has('package-lock.json') ? await source.readText('package-lock.json') : undefined;
    return {
      ...(runtime === 'nodejs' ? {} : { runtime, notes: [`${runtime} is noted`] }),
      buildSteps: lock === undefined ? [] : [{ title: 'Installing packages', command: ['npm', 'ci'], environment: { CI: '1' } }],
      ...(lock === undefined ? {} : { buildCacheKey: createHash('sha256').update(lock).digest('hex') }),
      buildOutputs: ['node_modules'],
      finishSteps: source.paths.has('server.ts') ? [{ title: 'Compiling', command: ['compile'], environment: {} }] : [],
      command: ['node', 'server.js'],
      environment: { NODE_ENV: 'production' },
    };
  },
};

export function sampleFindLanguage(runtime: string): Language {
  if (sampleLanguage.runtimes.includes(runtime)) return sampleLanguage;
  throw new PlatformError('RUNTIME_UNKNOWN', `"${runtime}"; known are nodejs`, { details: { known: ['nodejs'] } });
}

export class SampleControl {
  readonly directory: string;
  readonly buildHost = new ScriptedBuildHost();
  readonly indexBuilder = new ScriptedIndexBuilder();
  readonly instances: InstanceView[] = [];
  readonly warmed: string[] = [];
  readonly log = new MemoryLog();
  readonly registry: AppRegistry;
  readonly blobs: BlobStore;
  readonly encodings: StaticEncodings;
  readonly compressor: StaticCompressor;
  readonly bundles: BundleStore;
  readonly deployer: Deployer;
  readonly control: ControlPlane;
  readonly retirement: Retirement;
  readonly runtimes: RuntimeInstaller;
  readonly #open: OpenDeployments;
  readonly #buildCache: BuildCache;
  onWarm: (deploymentId: string) => Promise<void> = () => Promise.resolve();

  constructor(directory: string, store: ControlStore = new MemoryControlStore()) {
    this.directory = directory;
    const urls = new AppUrls(() => 'http://{id}.localhost:8080/');
    this.registry = new AppRegistry(store, systemClock, systemTimers, this.log);
    this.blobs = new BlobStore(join(directory, 'blobs'), systemClock, systemRandom);
    this.encodings = new StaticEncodings(join(directory, 'cache', 'encodings'), this.blobs, systemRandom);
    this.compressor = new StaticCompressor(this.encodings, this.blobs);
    this.bundles = new BundleStore(join(directory, 'bundles'), this.blobs);
    this.runtimes = new RuntimeInstaller(
      new RuntimeDirectory(join(directory, 'runtimes'), { packages: [SAMPLE_RUNTIME], own: [] }),
      this.buildHost,
      systemRandom,
      this.log,
    );
    this.#buildCache = new BuildCache(join(directory, 'cache', 'builds'), systemClock, systemRandom);
    this.#open = new OpenDeployments(join(directory, 'deployments'), systemClock, systemRandom);
    const host = {
      list: () => Promise.resolve(this.instances),
      stop: (id: string) => {
        this.instances.splice(0, this.instances.length, ...this.instances.filter((view) => view.id !== id));
        return Promise.resolve();
      },
      capacity: () => Promise.reject(new Error('nobody asks')),
      start: () => Promise.reject(new PlatformError('INSTANCE_LIMIT')),
      watch: () => () => undefined,
    };
    this.retirement = new Retirement(host, this.bundles, systemClock, systemTimers, this.log);
    const warmer: InstanceWarmer = {
      warm: async (deploymentId) => {
        this.warmed.push(deploymentId);
        await this.onWarm(deploymentId);
      },
      awaitServing: () => Promise.resolve(),
    };
    const runner = new DeployRunner({
      registry: this.registry,
      blobs: this.blobs,
      bundles: this.bundles,
      buildCache: this.#buildCache,
      runtimes: this.runtimes,
      retirement: this.retirement,
      indexBuilder: this.indexBuilder,
      compressor: this.compressor,
      buildHost: this.buildHost,
      warmer,
      findLanguage: sampleFindLanguage,
      urls,
      clock: systemClock,
      timers: systemTimers,
      log: this.log,
    });
    this.deployer = new Deployer(this.registry, this.blobs, this.encodings, this.bundles, this.#open, runner, this.retirement, this.log);
    const traffic = new TrafficDesk(this.registry, warmer, systemTimers);
    this.control = new ControlPlane(
      this.registry,
      this.retirement,
      host,
      { stopInstance: (id) => host.stop(id), view: () => Promise.resolve({ hostRoom: 1, pools: [] }) },
      traffic,
      urls,
      () => ({
        release: '0.1.0',
        appUrlTemplate: urls.template,
        sandbox: 'process',
        warnings: [],
      }),
    );
  }

  async start(): Promise<void> {
    for (const part of [this.blobs, this.encodings, this.bundles, this.#buildCache, this.runtimes, this.#open, this.registry])
      await part.start();
    await this.deployer.start();
  }

  /** A whole deploy of these files; every event of it. */
  async deploy(
    appId: string,
    files: Readonly<Record<string, string>>,
    options: Partial<Pick<DeployRequest, 'version' | 'promote'>> & { readonly signal?: AbortSignal } = {},
  ): Promise<DeployEvent[]> {
    const { signal = new AbortController().signal, promote = true, ...rest } = options;
    const uploads = sampleFiles(files);
    const { deploymentId, missing } = await this.deployer.begin(appId, { files: uploads, promote, ...rest });
    for (const [path, text] of Object.entries(files)) {
      const upload = uploads.find((file) => file.path === path);
      if (upload && missing.includes(upload.sha256)) await this.deployer.putBlob(appId, deploymentId, upload.sha256, oneChunk(text));
    }
    const events: DeployEvent[] = [];
    await this.deployer.finish(appId, deploymentId, { onEvent: (event) => events.push(event), signal });
    return events;
  }
}

export function sampleFiles(files: Readonly<Record<string, string>>): UploadFile[] {
  return Object.entries(files).map(([path, text]) => ({
    path,
    sha256: createHash('sha256').update(text).digest('hex'),
    bytes: Buffer.byteLength(text),
    executable: path.endsWith('.sh'),
  }));
}

// eslint-disable-next-line @typescript-eslint/require-await -- one chunk has nothing to wait for
async function* oneChunk(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}
