// What a deploy decides, apart from what it does: pure functions of manifest, files and time.
import { posix } from 'node:path';
import { type UploadFile } from '../../sdk/contract/admin/admin.ts';
import { APP_YAML, readAppManifest } from '../../sdk/contract/app-manifest/app-yaml.ts';
import { CRON_YAML, parseCronManifest } from '../../sdk/contract/app-manifest/cron-yaml.ts';
import { DISPATCH_YAML, parseDispatchManifest } from '../../sdk/contract/app-manifest/dispatch-yaml.ts';
import { errorPageFiles, type ErrorPageFile } from '../../sdk/contract/app-manifest/error-page-files.ts';
import { INDEX_YAML, parseIndexManifest } from '../../sdk/contract/app-manifest/index-yaml.ts';
import { INSTANCE_CLASSES } from '../../sdk/contract/app-manifest/instance-class.ts';
import { checkHostLabel } from '../../sdk/contract/app-manifest/label.ts';
import { type AppManifest } from '../../sdk/contract/app-manifest/manifest.ts';
import { QUEUE_YAML, readQueueManifest } from '../../sdk/contract/app-manifest/queue-yaml.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type IndexDefinition } from '../../sdk/contract/index-definition.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { UrlPattern } from '../../router/url-pattern.ts';
import { type LanguagePlan, type SourceTree } from '../languages/port.ts';
import { type LaunchRecord } from './control-store.ts';
import { type AppSettings } from './registry-state.ts';

export interface DeployManifests {
  readonly app: AppManifest;
  readonly errorPages: readonly ErrorPageFile[];
  readonly indexes: readonly IndexDefinition[];
  /** Of the files that are there; what is not there stays as it was. */
  readonly settings: AppSettings;
  /** For people, with the file's name: what is accepted and has no effect. */
  readonly notes: readonly string[];
}

/**
 * Reads the app's own description of itself; `isService` says which services the app has so far.
 * Throws MANIFEST_MISSING, MANIFEST_INVALID.
 */
export async function readManifests(
  source: SourceTree,
  files: readonly UploadFile[],
  isService: (service: string) => boolean,
): Promise<DeployManifests> {
  if (!source.paths.has(APP_YAML)) throw new PlatformError('MANIFEST_MISSING', 'among the files of this deploy');
  const { manifest, notes } = readAppManifest(await readBounded(source, files, APP_YAML), APP_YAML);
  // The router compiles the same patterns: what it could not read must not get that far.
  for (const handler of manifest.handlers) if (handler.target.kind !== 'static-dir') new UrlPattern(handler.url);
  const indexes = source.paths.has(INDEX_YAML) ? parseIndexManifest(await readBounded(source, files, INDEX_YAML), INDEX_YAML) : [];
  const queues = source.paths.has(QUEUE_YAML) ? readQueueManifest(await readBounded(source, files, QUEUE_YAML), QUEUE_YAML) : undefined;
  const cron = source.paths.has(CRON_YAML) ? parseCronManifest(await readBounded(source, files, CRON_YAML), CRON_YAML) : undefined;
  const mayDispatch = (service: string): boolean => service === manifest.service || isService(service);
  const dispatch = source.paths.has(DISPATCH_YAML)
    ? parseDispatchManifest(await readBounded(source, files, DISPATCH_YAML), DISPATCH_YAML, mayDispatch)
    : undefined;
  return {
    app: manifest,
    errorPages: errorPageFiles(manifest, files),
    indexes,
    settings: { ...(queues ? { queues: queues.manifest } : {}), ...(cron ? { cron } : {}), ...(dispatch ? { dispatch } : {}) },
    notes: [...notes.map((note) => `${APP_YAML}: ${note}`), ...(queues?.notes ?? []).map((note) => `${QUEUE_YAML}: ${note}`)],
  };
}

async function readBounded(source: SourceTree, files: readonly UploadFile[], path: string): Promise<string> {
  const bytes = files.find((file) => file.path === path)?.bytes ?? 0;
  if (bytes > LIMITS.manifestBytesMax) {
    throw new PlatformError(
      'MANIFEST_INVALID',
      `${path}, line 1, column 1: the file has ${bytes} bytes, at most ${LIMITS.manifestBytesMax} are allowed`,
    );
  }
  return source.readText(path);
}

/** App Engine's name for a version that was given none: YYYYMMDDtHHMMSS in local time, and a number when that is taken. */
export function versionFromTime(nowMs: number, isTaken: (version: string) => boolean): string {
  const now = new Date(nowMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  const base = `${date}t${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
  let version = base;
  for (let number = 2; isTaken(version); number++) version = `${base}-${number}`;
  return version;
}

/** Throws LABEL_INVALID when the names do not fit into one host name. */
export function checkNames(appId: string, service: string, version: string): void {
  checkHostLabel(appId, service, version);
}

/** How instances are started, from what the app wants and what its language says. */
export function launchRecord(manifest: AppManifest, plan: LanguagePlan): LaunchRecord {
  const instanceClass = INSTANCE_CLASSES.get(manifest.instanceClass);
  return {
    command: plan.command,
    environment: { ...plan.environment, ...manifest.environment, GAE_RUNTIME: manifest.runtime },
    ...(plan.runtime === undefined ? {} : { runtime: plan.runtime }),
    memoryBytesMax: instanceClass?.memoryBytesMax ?? LIMITS.instanceMemoryBytesMax,
    instanceClass: manifest.instanceClass,
    pidsMax: LIMITS.instancePidsMax,
    tmpBytesMax: LIMITS.instanceTmpBytesMax,
    cpuWeight: instanceClass?.cpuWeight ?? 1,
    readyMsMax: LIMITS.instanceReadyMs,
    scaling: manifest.scaling,
    warmup: manifest.warmup,
  };
}

/** The build's own directories, held to the app's tree. Throws MANIFEST_INVALID for one that leads out. */
export function buildOutputs(plan: LanguagePlan): readonly string[] {
  return plan.buildOutputs.map((output) => {
    const path = posix.normalize(output).replace(/\/+$/, '');
    if (path === '.' || path.startsWith('..') || posix.isAbsolute(path)) {
      throw new PlatformError('MANIFEST_INVALID', `the build's output "${output}" does not lie within the app`);
    }
    return path;
  });
}
