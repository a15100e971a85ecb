// How a version of basic or manual scaling runs: stop it, start it, set the number of its instances.
import { type VersionView } from '../contract/admin/admin.ts';
import { type VersionChange } from '../contract/admin/versions.ts';
import { PlatformError } from '../contract/errors.ts';
import { type CommandContext, type CommonFlags } from './command-context.ts';
import { type CommandMaker } from './command-maker.ts';
import { versionTable } from './listings.ts';

type Flags = CommonFlags & { readonly app: string; readonly service: string };

/** Adds `stop`, `start` and `set-instances` to `versions`. */
export function versionRunningCommands(versions: Parameters<CommandMaker['command']>[0], { command, asked }: CommandMaker): void {
  const change = (words: string, description: string, example: string): ReturnType<CommandMaker['command']> =>
    command(versions, words, description, [`versions ${words} ${example}`, `versions ${words} ${example} --service api`])
      .argument('<version>', 'the version, of basic or manual scaling')
      .requiredOption('--app <id>', 'the app')
      .option('--service <name>', 'the service', 'default');
  change('stop', 'end all instances of a version and refuse its requests, until it is started', 'v1 --app hello').action(
    (version: string, flags: Flags) => asked(flags, (context) => changeVersion(version, flags, { isStopped: true }, context)),
  );
  change('start', 'let a version that was stopped serve again', 'v1 --app hello').action((version: string, flags: Flags) =>
    asked(flags, (context) => changeVersion(version, flags, { isStopped: false }, context)),
  );
  change('set-instances', 'set how many instances a version of manual scaling has', 'v1 5 --app hello')
    .argument('<count>', 'how many')
    .action((version: string, count: string, flags: Flags) =>
      asked(flags, (context) => changeVersion(version, flags, { instances: parseCount(count) }, context)),
    );
}

async function changeVersion(
  version: string,
  { app, service }: Flags,
  change: VersionChange,
  { client, terminal, json }: CommandContext,
): Promise<void> {
  const path = `/apps/${encodeURIComponent(app)}/services/${encodeURIComponent(service)}/versions/${encodeURIComponent(version)}`;
  const view = await client.call<VersionView>('PATCH', path, { json: change });
  if (json) terminal.printJson(view);
  else terminal.print(versionTable([view]));
}

/** Throws USAGE. */
function parseCount(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new PlatformError('USAGE', `"${text}" is no number of instances, want 1 or more`);
}
