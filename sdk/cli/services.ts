// `appengine services`: an app's services, how their traffic is split, and the rules of dispatch.yaml.
import { type Command } from 'commander';
import { type AppView, type TrafficRequest, type VersionView } from '../contract/admin/admin.ts';
import { type MigrationView } from '../contract/admin/routing.ts';
import { expirationSeconds } from '../contract/app-manifest/duration.ts';
import { PlatformError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { type CommandContext, type CommonFlags } from './command-context.ts';
import { type CommandMaker } from './command-maker.ts';
import { parseShardBy, parseSplit, versionTable } from './listings.ts';
import { formatTable, formatTime } from './table.ts';

const DURATION_DEFAULT = '10m';

export interface TrafficFlags {
  readonly app: string;
  readonly service: string;
  readonly splits: string;
  readonly splitBy?: string | undefined;
  readonly migrate?: boolean | undefined;
  readonly duration?: string | undefined;
}

export function serviceCommands(program: Command, { command, asked }: CommandMaker): void {
  const services = program.command('services').description("an app's services and how traffic reaches them");
  command(services, 'list', 'list the services, their traffic and the dispatch rules', [
    'services list --app hello',
    'services list --app hello --json',
  ])
    .requiredOption('--app <id>', 'the app')
    .action((flags: CommonFlags & { app: string }) => asked(flags, (context) => listServices(flags.app, context)));
  command(services, 'set-traffic', 'split the traffic of a service between versions, at once or gradually', [
    'services set-traffic --app hello --splits v2=1',
    'services set-traffic api --app hello --splits v1=.9,v2=.1 --split-by cookie',
    'services set-traffic --app hello --splits v2=1 --migrate --duration 30m',
  ])
    .argument('[service]', 'the service', 'default')
    .requiredOption('--app <id>', 'the app')
    .requiredOption('--splits <shares>', 'VERSION=SHARE, separated by commas; the shares add up to 1')
    .option('--split-by <what>', 'ip, cookie or random: what keeps a visitor at a version')
    .option('--migrate', 'move traffic step by step, and back when the new version fails')
    .option('--duration <time>', `how long that takes, such as 30s, 10m or 2h (default: ${DURATION_DEFAULT})`)
    .action((service: string, flags: CommonFlags & Omit<TrafficFlags, 'service'>) =>
      asked(flags, (context) => setTraffic({ ...flags, service }, context)),
    );
}

async function listServices(app: string, { client, terminal, json }: CommandContext): Promise<void> {
  const view = await client.call<AppView>('GET', `/apps/${encodeURIComponent(app)}`);
  const { services, dispatch } = view;
  if (json) {
    terminal.printJson({ services, dispatch });
    return;
  }
  const rows = services.map((service) => [
    service.service,
    splitText(service.split),
    service.shardBy,
    service.migration ? migrationText(service.migration) : '',
    String(service.versions),
    service.url,
  ]);
  terminal.print(formatTable(['service', 'traffic', 'split by', 'migration', 'versions', 'url'], rows));
  if (dispatch.length === 0) return;
  terminal.print('');
  terminal.print(
    formatTable(
      ['dispatch rule', 'service'],
      dispatch.map(({ url, service }) => [url, service]),
    ),
  );
}

export async function setTraffic(flags: TrafficFlags, { client, terminal, json }: CommandContext): Promise<void> {
  const request = trafficRequest(flags);
  const path = `/apps/${encodeURIComponent(flags.app)}/services/${encodeURIComponent(flags.service)}/traffic`;
  const answer = await client.call<{ versions: VersionView[] }>('PUT', path, { json: request });
  if (json) {
    terminal.printJson(answer);
    return;
  }
  terminal.print(versionTable(answer.versions));
  if (request.migrateMs !== undefined) {
    terminal.say(`Traffic moves by itself from now on. See how far it is: appengine services list --app ${flags.app}`);
  }
}

function trafficRequest({ splits, splitBy, migrate = false, duration }: TrafficFlags): TrafficRequest {
  const split = parseSplit(splits);
  if (duration !== undefined && !migrate) throw new PlatformError('USAGE', '--duration belongs to --migrate');
  if (migrate && Object.keys(split).length !== 1) {
    throw new PlatformError('USAGE', '--migrate moves all traffic to one version: --splits VERSION=1');
  }
  return {
    split,
    ...(splitBy === undefined ? {} : { shardBy: parseShardBy(splitBy) }),
    ...(migrate ? { migrateMs: readDuration(duration ?? DURATION_DEFAULT) } : {}),
  };
}

function readDuration(text: string): number {
  const milliseconds = (expirationSeconds(text) ?? 0) * 1_000;
  if (milliseconds >= LIMITS.migrationMsMin && milliseconds <= LIMITS.migrationMsMax) return milliseconds;
  const [min, max] = [LIMITS.migrationMsMin / 1_000, LIMITS.migrationMsMax / 3_600_000];
  throw new PlatformError('USAGE', `--duration is "${text}", want a time such as 90s, 10m or 2h, from ${min}s to ${max}h`);
}

function splitText(split: Readonly<Record<string, number>>): string {
  const shares = Object.entries(split).map(([version, share]) => `${version} ${Math.round(share * 1_000) / 10} %`);
  return shares.length === 0 ? 'none' : shares.join(', ');
}

export function migrationText({ to, state, progress, endsAtMs, reason }: MigrationView): string {
  switch (state) {
    case 'running':
      return `${Math.round(progress * 1_000) / 10} % moved to ${to}${endsAtMs === undefined ? '' : `, done ${formatTime(endsAtMs)}`}`;
    case 'done':
      return `moved to ${to}`;
    case 'rolled-back':
      return `rolled back from ${to}: ${reason ?? ''}`;
  }
}
