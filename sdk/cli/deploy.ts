// `appengine deploy`: look, hash, send what is new, then follow what the server does with it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DeployBegun, type DeployEvent, type DeployRequest, type DeployStep } from '../contract/admin/admin.ts';
import { APP_YAML, parseAppManifest } from '../contract/app-manifest/app-yaml.ts';
import { errorPageFiles } from '../contract/app-manifest/error-page-files.ts';
import { checkAppId, checkVersion } from '../contract/app-manifest/label.ts';
import { SETTINGS_FILES } from '../contract/app-manifest/settings-files.ts';
import { errorFromBody, PlatformError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { type AppDirectory, readAppDirectory } from './app-directory.ts';
import { type CommandContext } from './command-context.ts';
import { forEachLimited } from './limited-parallel.ts';
import { createProgress, type Progress, silentProgress } from './progress.ts';
import { formatBytes, formatCount } from './table.ts';

export interface DeployFlags {
  readonly app: string;
  readonly version?: string;
  readonly promote: boolean;
  readonly quiet?: boolean;
}

/** What `--json` prints. */
export interface DeployOutcome {
  readonly url: string;
  readonly versionUrl: string;
  readonly app: string;
  readonly service: string;
  readonly version: string;
  readonly promoted: boolean;
  readonly uploadedFiles: number;
  readonly uploadedBytes: number;
  readonly unchangedFiles: number;
  readonly seconds: number;
}

const UPLOADS_AT_ONCE = 4;

const STEP_TITLES: Readonly<Record<DeployStep, string>> = {
  validate: 'Checked',
  build: 'Built',
  index: 'Indexes',
  stage: 'Staged',
  start: 'Started',
  compress: 'Compressed',
  traffic: 'Traffic',
};

export async function deploy(directory: string, flags: DeployFlags, context: CommandContext): Promise<void> {
  const { terminal, json } = context;
  const beganMs = context.clock.monotonicMs();
  const quiet = flags.quiet === true || json;
  if (!quiet) terminal.say(`Deploying ${directory} to app ${flags.app} at ${context.server}`);
  const progress = quiet ? silentProgress : createProgress(terminal, context.timers);
  let outcome: DeployOutcome;
  try {
    outcome = await runDeploy(directory, flags, context, progress, beganMs);
  } finally {
    progress.close();
  }
  if (json) {
    terminal.printJson(outcome);
    return;
  }
  if (!quiet) {
    const { green } = terminal.errColours;
    const traffic = outcome.promoted ? 'it gets all traffic' : 'it gets no traffic yet';
    terminal.say(green(`Deployed version ${outcome.version} of service ${outcome.service} in ${outcome.seconds} s; ${traffic}.`));
  }
  terminal.print(outcome.promoted ? outcome.url : outcome.versionUrl);
}

/** The deploy itself, without a word but the progress's. */
export async function runDeploy(
  directory: string,
  flags: DeployFlags,
  context: CommandContext,
  progress: Progress,
  beganMs: number,
): Promise<DeployOutcome> {
  const { client, signal } = context;
  checkAppId(flags.app);
  if (flags.version !== undefined) checkVersion(flags.version);
  progress.running('Found', 'looking for files');
  const tree = await readAppDirectory(directory, (hashed, all) => {
    progress.running('Found', `hashing ${hashed} of ${all} files`);
  });
  progress.done('Found', `${formatCount(tree.files.length, 'file')}, ${formatBytes(tree.bytes)}`);
  await checkManifests(tree);

  const request: DeployRequest = {
    files: tree.files,
    promote: flags.promote,
    ...(flags.version === undefined ? {} : { version: flags.version }),
  };
  const deployments = `/apps/${encodeURIComponent(flags.app)}/deployments`;
  const begun = await client.call<DeployBegun>('POST', deployments, { json: request, signal });
  const uploadedBytes = await upload(tree, begun, `${deployments}/${begun.deploymentId}`, context, progress);

  const done = await follow(client.lines<DeployEvent>('POST', `${deployments}/${begun.deploymentId}/finish`, { signal }), progress);
  return {
    url: done.url,
    versionUrl: done.versionUrl,
    app: done.appId,
    service: done.service,
    version: done.version,
    promoted: done.promoted,
    uploadedFiles: begun.missing.length,
    uploadedBytes,
    unchangedFiles: tree.pathByHash.size - begun.missing.length,
    seconds: Math.round(context.clock.monotonicMs() - beganMs) / 1000,
  };
}

const MANIFEST_CHECKS = new Map<string, (text: string, path: string) => unknown>([[APP_YAML, parseAppManifest], ...SETTINGS_FILES]);

/** The server checks again; here a mistake costs no upload and the message names the file as the developer knows it. */
async function checkManifests(tree: AppDirectory): Promise<void> {
  for (const { path, bytes } of tree.files) {
    const check = MANIFEST_CHECKS.get(path);
    if (!check) continue;
    if (bytes > LIMITS.manifestBytesMax) {
      throw new PlatformError('MANIFEST_INVALID', `${path} has ${bytes} bytes, at most ${LIMITS.manifestBytesMax} are allowed`);
    }
    const text = await readFile(join(tree.directory, path), 'utf8');
    check(text, path);
    if (path === APP_YAML) errorPageFiles(parseAppManifest(text, path), tree.files);
  }
}

/** Sends the contents that the server does not have; returns their bytes. */
async function upload(
  tree: AppDirectory,
  begun: DeployBegun,
  deployment: string,
  context: CommandContext,
  progress: Progress,
): Promise<number> {
  let files = 0;
  let bytes = 0;
  await forEachLimited(begun.missing, UPLOADS_AT_ONCE, async (sha256) => {
    const path = tree.pathByHash.get(sha256);
    if (path === undefined) throw new PlatformError('INTERNAL', `the server asked for content that it was not offered: ${sha256}`);
    const content = await readFile(path);
    await context.client.call('PUT', `${deployment}/blobs/${sha256}`, { bytes: content, signal: context.signal });
    files++;
    bytes += content.length;
    progress.running('Uploaded', `${files} of ${begun.missing.length} files, ${formatBytes(bytes)}`);
  });
  const unchanged = tree.pathByHash.size - files;
  progress.done('Uploaded', `${formatCount(files, 'new file')}, ${formatBytes(bytes)}; ${unchanged} unchanged`);
  return bytes;
}

async function follow(events: AsyncIterable<DeployEvent>, progress: Progress): Promise<Extract<DeployEvent, { kind: 'done' }>> {
  for await (const event of events) {
    switch (event.kind) {
      case 'step':
        if (event.state === 'running') progress.running(STEP_TITLES[event.step], event.message);
        else progress.done(STEP_TITLES[event.step], event.message);
        break;
      case 'output':
        progress.output(event.line);
        break;
      case 'failed':
        throw errorFromBody(event.error);
      case 'done':
        return event;
    }
  }
  throw new PlatformError(
    'RPC_CONNECTION_LOST',
    'the server went away during the deploy; nothing was changed unless `appengine versions list` shows the version',
  );
}
