import { type Log } from '../../sdk/support/log.ts';
import { type AppRegistry } from './app-registry.ts';
import { type BlobStore } from './blob-store.ts';
import { decodeFileList, staticFiles } from './file-list.ts';
import { allVersions } from './registry-state.ts';
import { compressibleFiles, type StaticCompressor } from './static-compressor.ts';

/** Compresses what a process that stopped left undone, version after version, newest first; never throws. */
export async function resumeCompression(
  registry: AppRegistry,
  blobs: BlobStore,
  compressor: StaticCompressor,
  log: Log,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const versions = allVersions(registry.state).toSorted((a, b) => b.createdAtMs - a.createdAtMs);
  for (const { appId, version, deploymentId, handlers, fileListSha256 } of versions) {
    if (handlers.every(({ target }) => target.kind === 'script')) continue;
    try {
      const files = staticFiles(decodeFileList(await blobs.readText(fileListSha256)), handlers);
      await compressor.compress(deploymentId, compressibleFiles(files, handlers), options);
    } catch (error) {
      if (options.signal.aborted) return;
      log.warn('Static files of a version could not be compressed', { appId, version, error });
    }
  }
}
