// Deploys: from a list of files to a version that serves. What a deploy decides stands in deploy-plan.ts; the order of
// its steps in deploy-run.ts.
import { type DeployBegun, type DeployEvent, type DeployRequest } from '../../sdk/contract/admin/admin.ts';
import { checkAppId, checkVersion } from '../../sdk/contract/app-manifest/label.ts';
import { checkUploadFiles } from '../../sdk/contract/app-manifest/upload-files.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type DeployApi } from '../../admin-console/ports.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type AppRegistry } from './app-registry.ts';
import { type BlobStore } from './blob-store.ts';
import { type BundleStore } from './bundle-store.ts';
import { type DeployRun, type DeployRunner } from './deploy-run.ts';
import { decodeFileList } from './file-list.ts';
import { type OpenDeployments } from './open-deployments.ts';
import { allVersions } from './registry-state.ts';
import { type Retirement } from './retirement.ts';
import { type StaticEncodings } from './static-encodings.ts';

export class Deployer implements DeployApi {
  readonly #registry: AppRegistry;
  readonly #blobs: BlobStore;
  readonly #encodings: StaticEncodings;
  readonly #bundles: BundleStore;
  readonly #open: OpenDeployments;
  readonly #runner: DeployRunner;
  readonly #retirement: Retirement;
  readonly #log: Log;
  /** `app/service` of the deploys under way. */
  readonly #busy = new Set<string>();
  readonly #finishing = new Set<string>();

  constructor(
    registry: AppRegistry,
    blobs: BlobStore,
    encodings: StaticEncodings,
    bundles: BundleStore,
    open: OpenDeployments,
    runner: DeployRunner,
    retirement: Retirement,
    log: Log,
  ) {
    this.#registry = registry;
    this.#blobs = blobs;
    this.#encodings = encodings;
    this.#bundles = bundles;
    this.#open = open;
    this.#runner = runner;
    this.#retirement = retirement;
    this.#log = log;
  }

  /** Takes away what dead deploys and deleted versions left behind. The registry must have started. */
  async start(): Promise<void> {
    const known = new Set(allVersions(this.#registry.state).map(({ deploymentId }) => deploymentId));
    for (const deploymentId of await this.#bundles.list()) if (!known.has(deploymentId)) this.#retirement.retire(deploymentId);
    await this.sweepBlobs();
  }

  async begin(appId: string, request: DeployRequest): Promise<DeployBegun> {
    checkAppId(appId);
    if (request.version !== undefined) checkVersion(request.version);
    checkUploadFiles(request.files);
    const { files, version, promote } = request;
    const { deploymentId } = await this.#open.begin({ appId, files, promote, ...(version === undefined ? {} : { version }) });
    return { deploymentId, missing: await this.#blobs.missing(files.map(({ sha256 }) => sha256)) };
  }

  async putBlob(appId: string, deploymentId: string, sha256: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const announced = this.#open.get(appId, deploymentId).files.find((file) => file.sha256 === sha256);
    if (!announced) throw new PlatformError('NOT_FOUND', 'this deployment announced no file with that hash');
    await this.#blobs.put(sha256, announced.bytes, content);
  }

  async finish(
    appId: string,
    deploymentId: string,
    options: { readonly onEvent: (event: DeployEvent) => void; readonly signal: AbortSignal },
  ): Promise<void> {
    const deployment = this.#open.get(appId, deploymentId);
    if (this.#finishing.has(deploymentId)) throw new PlatformError('DEPLOY_CONFLICT', 'this deployment is being finished already');
    this.#finishing.add(deploymentId);
    try {
      const missing = await this.#blobs.missing(deployment.files.map(({ sha256 }) => sha256));
      if (missing.length > 0) throw new PlatformError('UPLOAD_INCOMPLETE', `${missing.length} file(s) are missing`);
      const run = this.#runner.prepare(deployment, options);
      const isReadable = await run.readManifests();
      if (isReadable) await this.#alone(run);
      await this.#open.end(deploymentId);
    } finally {
      this.#finishing.delete(deploymentId);
    }
  }

  /** Removes content that no version and no open deployment names. */
  async sweepBlobs(): Promise<void> {
    const used = this.#open.hashes();
    for (const { fileListSha256 } of allVersions(this.#registry.state)) {
      used.add(fileListSha256);
      const list = await this.#blobs.readText(fileListSha256).catch(() => '[]');
      for (const { sha256 } of decodeFileList(list)) used.add(sha256);
    }
    const forms = await this.#encodings.sweep((sha256) => used.has(sha256));
    const removed = await this.#blobs.sweep(LIMITS.deployOpenMs, (sha256) => used.has(sha256) || forms.has(sha256));
    if (removed > 0) this.#log.info('Removed content that no version uses', { blobs: removed });
  }

  async #alone(run: DeployRun): Promise<void> {
    const name = run.lockName;
    if (this.#busy.has(name)) throw new PlatformError('DEPLOY_CONFLICT', `"${name}"`);
    this.#busy.add(name);
    try {
      await run.run();
    } finally {
      this.#busy.delete(name);
    }
  }
}
