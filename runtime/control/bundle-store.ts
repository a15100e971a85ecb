// Bundles: the code directory of each deployment, DIRECTORY/<deploymentId>/, as its instances see it read-only.
import { constants } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type UploadFile } from '../../sdk/contract/admin/admin.ts';
import { type BlobStore } from './blob-store.ts';
import { forEachBounded } from './tree-copy.ts';

export class BundleStore {
  readonly #directory: string;
  readonly #blobs: BlobStore;

  constructor(directory: string, blobs: BlobStore) {
    this.#directory = directory;
    this.#blobs = blobs;
  }

  async start(): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
  }

  pathOf(deploymentId: string): string {
    return join(this.#directory, deploymentId);
  }

  /**
   * Makes the bundle from blobs that are all there; `files` must have passed checkUploadFiles. Files are copied and not
   * linked: a build writes here, and a blob that changes would be another blob.
   */
  async stage(deploymentId: string, files: readonly UploadFile[]): Promise<void> {
    const root = this.pathOf(deploymentId);
    await rm(root, { recursive: true, force: true });
    const directories = new Set(files.map(({ path }) => dirname(join(root, path))));
    await mkdir(root, { recursive: true, mode: 0o755 });
    for (const directory of directories) await mkdir(directory, { recursive: true, mode: 0o755 });
    await forEachBounded(files, async ({ path, sha256, executable }) => {
      const target = join(root, path);
      await copyFile(this.#blobs.pathOf(sha256), target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      await chmod(target, executable ? 0o755 : 0o644);
    });
  }

  async remove(deploymentId: string): Promise<void> {
    await rm(this.pathOf(deploymentId), { recursive: true, force: true });
  }

  /** Ids of all bundles, half-made ones included. */
  async list(): Promise<string[]> {
    return readdir(this.#directory);
  }
}
