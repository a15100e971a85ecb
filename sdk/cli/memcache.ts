// An app's cache from the command line.
import { type Command } from 'commander';
import { type MemcacheEntryView, type MemcacheEntryWrite, type MemcacheStatsView } from '../contract/admin/data.ts';
import { PlatformError } from '../contract/errors.ts';
import { type CommandContext, type CommonFlags } from './command-context.ts';
import { type CommandMaker } from './command-maker.ts';
import { formatBytes } from './table.ts';
import { withoutControl } from './terminal.ts';

interface AppFlags {
  readonly app: string;
}

interface EntryFlags extends AppFlags {
  readonly namespace: string;
}

export function memcacheCommands(program: Command, { command, asked }: CommandMaker): void {
  const memcache = program.command('memcache').description("an app's cache");
  command(memcache, 'stats', 'hits, misses and size', ['memcache stats --app hello', 'memcache stats --app hello --json'])
    .requiredOption('--app <id>', 'the app')
    .action((flags: CommonFlags & AppFlags) => asked(flags, (context) => showStatistics(flags, context)));
  command(memcache, 'get', 'print the value of a key', ['memcache get greeting --app hello', 'memcache get n --app hello --namespace eu'])
    .argument('<key>', 'the key')
    .requiredOption('--app <id>', 'the app')
    .option('--namespace <name>', 'the namespace', '')
    .action((key: string, flags: CommonFlags & EntryFlags) => asked(flags, (context) => getEntry(key, flags, context)));
  command(memcache, 'set', 'store text under a key', ['memcache set greeting hello --app hello --expires 60'])
    .argument('<key>', 'the key')
    .argument('<value>', 'the text')
    .requiredOption('--app <id>', 'the app')
    .option('--namespace <name>', 'the namespace', '')
    .option('--expires <seconds>', 'seconds until it goes; 0 for no end', '0')
    .action((key: string, value: string, flags: CommonFlags & EntryFlags & { expires: string }) =>
      asked(flags, (context) => setEntry(key, value, flags, context)),
    );
  command(memcache, 'delete', 'remove a key', ['memcache delete greeting --app hello'])
    .argument('<key>', 'the key')
    .requiredOption('--app <id>', 'the app')
    .option('--namespace <name>', 'the namespace', '')
    .action((key: string, flags: CommonFlags & EntryFlags) => asked(flags, (context) => deleteEntry(key, flags, context)));
  command(memcache, 'flush', 'remove everything, in all namespaces', ['memcache flush --app hello'])
    .requiredOption('--app <id>', 'the app')
    .action((flags: CommonFlags & AppFlags) => asked(flags, (context) => flush(flags, context)));
}

async function showStatistics({ app }: AppFlags, { client, terminal, json }: CommandContext): Promise<void> {
  const stats = await client.call<MemcacheStatsView>('GET', pathOf(app));
  if (json) {
    terminal.printJson(stats);
    return;
  }
  const asked = stats.hits + stats.misses;
  const ratio = asked === 0 ? '' : ` (${((100 * stats.hits) / asked).toFixed(1)} % hits)`;
  terminal.print(`hits     ${stats.hits}${ratio}, ${formatBytes(stats.byteHits)}`);
  terminal.print(`misses   ${stats.misses}`);
  terminal.print(`items    ${stats.items}`);
  terminal.print(`size     ${formatBytes(stats.bytes)} of ${formatBytes(stats.bytesMax)}`);
  terminal.print(`oldest   ${stats.items === 0 ? 'none' : `unused for ${Math.round(stats.oldestItemAgeMs / 1000)} s`}`);
}

async function getEntry(key: string, { app, namespace }: EntryFlags, { client, terminal, json }: CommandContext): Promise<void> {
  const entry = await client.call<MemcacheEntryView>('GET', entryPath(app, namespace, key));
  if (json) terminal.printJson(entry);
  else terminal.print(withoutControl(entry.value));
}

async function setEntry(
  key: string,
  value: string,
  { app, namespace, expires }: EntryFlags & { readonly expires: string },
  { client, terminal, json }: CommandContext,
): Promise<void> {
  if (!/^\d{1,10}$/.test(expires)) throw new PlatformError('USAGE', `--expires is "${expires}", want a number of seconds`);
  const entry: MemcacheEntryWrite = { namespace, key, value, expirationSeconds: Number(expires) };
  const stored = await client.call<MemcacheEntryView>('PUT', `${pathOf(app)}/entry`, { json: entry });
  if (json) terminal.printJson(stored);
  else terminal.print(`Stored ${formatBytes(stored.bytes)} under "${withoutControl(key)}".`);
}

async function deleteEntry(key: string, { app, namespace }: EntryFlags, { client, terminal, json }: CommandContext): Promise<void> {
  await client.call('DELETE', entryPath(app, namespace, key));
  if (json) terminal.printJson({ deleted: { app, namespace, key } });
  else terminal.print(`"${withoutControl(key)}" is not in the cache any more.`);
}

async function flush({ app }: AppFlags, { client, terminal, json }: CommandContext): Promise<void> {
  await client.call('POST', `${pathOf(app)}/flush`);
  if (json) terminal.printJson({ flushed: app });
  else terminal.print(`The cache of ${app} is empty.`);
}

const pathOf = (app: string): string => `/apps/${encodeURIComponent(app)}/memcache`;

const entryPath = (app: string, namespace: string, key: string): string =>
  `${pathOf(app)}/entry?namespace=${encodeURIComponent(namespace)}&key=${encodeURIComponent(key)}`;
