// Deploys that were begun and not finished, on disk, so that a restart of the control process does not forget them.
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type UploadFile } from '../../sdk/contract/admin/admin.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Clock, type Random } from '../../sdk/support/clock.ts';

export interface OpenDeployment {
  readonly deploymentId: string;
  readonly appId: string;
  readonly begunAtMs: number;
  /** As asked for; absent for a name from the time. */
  readonly version?: string;
  readonly promote: boolean;
  readonly files: readonly UploadFile[];
}

const DEPLOYMENT_ID = /^[0-9a-f]{24}$/;

const stored: z.ZodType<OpenDeployment> = z.object({
  deploymentId: z.string().regex(DEPLOYMENT_ID),
  appId: z.string(),
  begunAtMs: z.number(),
  version: z.string().exactOptional(),
  promote: z.boolean(),
  files: z.array(z.object({ path: z.string(), sha256: z.string(), bytes: z.number(), executable: z.boolean() })),
});

export class OpenDeployments {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #open = new Map<string, OpenDeployment>();

  constructor(directory: string, clock: Clock, random: Random) {
    this.#directory = directory;
    this.#clock = clock;
    this.#random = random;
  }

  async start(): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    for (const name of await readdir(this.#directory)) {
      const path = join(this.#directory, name);
      const found = stored.safeParse(await readJson(path));
      if (found.success) this.#open.set(found.data.deploymentId, found.data);
      else await rm(path, { recursive: true, force: true });
    }
    await this.sweep();
  }

  /** Throws RPC_OVERLOADED when the app has deploysOpenMax open ones. */
  async begin(request: Omit<OpenDeployment, 'deploymentId' | 'begunAtMs'>): Promise<OpenDeployment> {
    await this.sweep();
    const ofApp = [...this.#open.values()].filter(({ appId }) => appId === request.appId).length;
    if (ofApp >= LIMITS.deploysOpenMax) {
      throw new PlatformError('RPC_OVERLOADED', `"${request.appId}" has ${ofApp} deploys that were begun and not finished`);
    }
    const deployment = { ...request, deploymentId: this.#random.bytes(12).toString('hex'), begunAtMs: this.#clock.nowMs() };
    this.#open.set(deployment.deploymentId, deployment);
    const path = this.#pathOf(deployment.deploymentId);
    await writeFile(`${path}.new`, JSON.stringify(deployment), { mode: 0o600 });
    await rename(`${path}.new`, path);
    return deployment;
  }

  /** Throws NOT_FOUND; another app's deployment is as unknown as one that never was. */
  get(appId: string, deploymentId: string): OpenDeployment {
    const deployment = this.#open.get(deploymentId);
    if (deployment?.appId !== appId) throw new PlatformError('NOT_FOUND', 'this deployment is over or never was; run the deploy again');
    return deployment;
  }

  async end(deploymentId: string): Promise<void> {
    this.#open.delete(deploymentId);
    if (DEPLOYMENT_ID.test(deploymentId)) await rm(this.#pathOf(deploymentId), { force: true });
  }

  /** Ends those that are older than deployOpenMs. */
  async sweep(): Promise<void> {
    const beforeMs = this.#clock.nowMs() - LIMITS.deployOpenMs;
    for (const { deploymentId, begunAtMs } of [...this.#open.values()]) if (begunAtMs < beforeMs) await this.end(deploymentId);
  }

  /** Hashes that they announced. */
  hashes(): Set<string> {
    return new Set([...this.#open.values()].flatMap(({ files }) => files.map(({ sha256 }) => sha256)));
  }

  #pathOf(deploymentId: string): string {
    return join(this.#directory, `${deploymentId}.json`);
  }
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}
