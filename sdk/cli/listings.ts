// Commands that ask once and print a table, or with --json the API's own answer.
import { type AdminInstanceView, type AppView, type VersionView } from '../contract/admin/admin.ts';
import { PlatformError } from '../contract/errors.ts';
import { type CommandContext } from './command-context.ts';
import { runningText } from './running-text.ts';
import { formatBytes, formatTable, formatTime } from './table.ts';

const MICROS_PER_SECOND = 1_000_000;
const SPLIT_PATTERN = /^([a-z0-9-]+)=(0|1|0?\.\d{1,3}|1\.0{1,3}|0\.\d{1,3})$/;

export async function listApps({ client, terminal, json }: CommandContext): Promise<void> {
  const answer = await client.call<{ apps: AppView[] }>('GET', '/apps');
  if (json) terminal.printJson(answer);
  else if (answer.apps.length === 0) terminal.say('No apps yet. Deploy one: appengine deploy DIR --app ID');
  else {
    const rows = answer.apps.map((app) => [
      app.id,
      app.services.map((service) => service.service).join(', '),
      app.url,
      formatTime(app.createdAtMs),
    ]);
    terminal.print(formatTable(['app', 'services', 'url', 'created (UTC)'], rows));
  }
}

export async function listVersions(app: string, { client, terminal, json }: CommandContext): Promise<void> {
  const answer = await client.call<{ versions: VersionView[] }>('GET', `/apps/${encodeURIComponent(app)}/versions`);
  if (json) terminal.printJson(answer);
  else terminal.print(versionTable(answer.versions));
}

export async function deleteVersion(
  version: string,
  flags: { app: string; service: string },
  { client, terminal, json }: CommandContext,
): Promise<void> {
  const path = `/apps/${encodeURIComponent(flags.app)}/services/${encodeURIComponent(flags.service)}/versions/${encodeURIComponent(version)}`;
  await client.call('DELETE', path);
  if (json) terminal.printJson({ deleted: { app: flags.app, service: flags.service, version } });
  else terminal.print(`Deleted version ${version} of service ${flags.service}.`);
}

export async function listInstances(app: string, { client, terminal, json, clock }: CommandContext): Promise<void> {
  const answer = await client.call<{ instances: AdminInstanceView[] }>('GET', `/apps/${encodeURIComponent(app)}/instances`);
  if (json) {
    terminal.printJson(answer);
    return;
  }
  if (answer.instances.length === 0) {
    terminal.say('No instance runs: the next request starts one.');
    return;
  }
  const nowMs = clock.nowMs();
  const rows = answer.instances.map((instance) => [
    instance.id,
    instance.service,
    instance.version,
    instance.state,
    `${Math.max(0, Math.round((nowMs - instance.startedAtMs) / 1000))} s`,
    instance.readyMs === undefined ? '' : `${Math.round(instance.readyMs)} ms`,
    instance.cpuMicros === undefined ? '' : `${(instance.cpuMicros / MICROS_PER_SECOND).toFixed(2)} s`,
    memoryText(instance),
  ]);
  terminal.print(formatTable(['instance', 'service', 'version', 'state', 'age', 'ready in', 'cpu', 'memory'], rows));
}

export async function stopInstance(id: string, app: string, { client, terminal, json }: CommandContext): Promise<void> {
  await client.call('DELETE', `/apps/${encodeURIComponent(app)}/instances/${encodeURIComponent(id)}`);
  if (json) terminal.printJson({ stopping: { app, instance: id } });
  else terminal.print(`Instance ${id} takes no more requests and ends when those that it has are done.`);
}

function memoryText({ memoryBytes, memoryBytesMax }: AdminInstanceView): string {
  if (memoryBytes === undefined) return '';
  return memoryBytesMax === undefined ? formatBytes(memoryBytes) : `${formatBytes(memoryBytes)} of ${formatBytes(memoryBytesMax)}`;
}

export function versionTable(versions: readonly VersionView[]): string {
  const rows = versions.map((version) => [
    version.service,
    version.version,
    `${Math.round(version.trafficShare * 1000) / 10} %`,
    version.running?.instancesWanted === undefined
      ? String(version.instances)
      : `${version.instances} of ${version.running.instancesWanted}`,
    version.running?.scaling ?? '',
    runningText(version),
    version.runtime,
    formatTime(version.createdAtMs),
    version.url,
  ]);
  return formatTable(['service', 'version', 'traffic', 'instances', 'scaling', 'state', 'runtime', 'created (UTC)', 'url'], rows);
}

/** `v1=0.9,v2=0.1`. Throws USAGE. */
export function parseSplit(text: string): Record<string, number> {
  const split: Record<string, number> = {};
  for (const part of text.split(',')) {
    const match = SPLIT_PATTERN.exec(part.trim());
    if (!match?.[1] || !match[2])
      throw new PlatformError('USAGE', `the split has the part "${part}", want VERSION=SHARE such as v1=0.9,v2=0.1`);
    split[match[1]] = Number(match[2]);
  }
  return split;
}

export function parseShardBy(text: string): 'ip' | 'cookie' | 'random' {
  if (text === 'ip' || text === 'cookie' || text === 'random') return text;
  throw new PlatformError('USAGE', `"${text}" is nothing to split by, want ip, cookie or random`);
}
