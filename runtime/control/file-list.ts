// The files of one version, kept as a blob of its own because ten thousand paths do not fit into an entity.
//
//   blob := JSON [[path, sha256, bytes, executable ? 1 : 0], …] sorted by path
import { z } from 'zod';
import { UrlPattern } from '../../router/url-pattern.ts';
import { type StaticFile } from '../../router/ports.ts';
import { type UploadFile } from '../../sdk/contract/admin/admin.ts';
import { type ManifestHandler } from '../../sdk/contract/app-manifest/manifest.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';

const rows = z.array(z.tuple([z.string(), z.string(), z.number(), z.literal([0, 1])]));

export function encodeFileList(files: readonly UploadFile[]): string {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  return JSON.stringify(sorted.map(({ path, sha256, bytes, executable }) => [path, sha256, bytes, executable ? 1 : 0]));
}

/** Throws DS_CORRUPT. */
export function decodeFileList(text: string): UploadFile[] {
  const parsed = rows.safeParse(parseJson(text));
  if (!parsed.success) throw new PlatformError('DS_CORRUPT', 'a list of files');
  return parsed.data.map(([path, sha256, bytes, executable]) => ({ path, sha256, bytes, executable: executable === 1 }));
}

/** Those files that some static handler may serve. Throws MANIFEST_INVALID when a pattern is not the router's. */
export function staticFiles(files: readonly UploadFile[], handlers: readonly ManifestHandler[]): Readonly<Record<string, StaticFile>> {
  const serves = handlers.map(servedBy).filter((test) => test !== undefined);
  const found = Object.create(null) as Record<string, StaticFile>;
  for (const { path, sha256, bytes } of files) {
    if (serves.some((test) => test(path))) found[path] = { sha256, bytes };
  }
  return found;
}

function servedBy({ target }: ManifestHandler): ((path: string) => boolean) | undefined {
  switch (target.kind) {
    case 'script':
      return undefined;
    case 'static-dir':
      return (path) => path.startsWith(`${target.directory}/`);
    case 'static-files': {
      const pattern = new UrlPattern(target.upload);
      // The router's matcher needs time linear in the path: a pattern of an app must not hold up the control plane.
      return (path) => pattern.match(path, { steps: LIMITS.routePatternStepsMax }) !== undefined;
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
