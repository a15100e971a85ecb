import { type Command } from 'commander';
import { PlatformError } from '../contract/errors.ts';
import { type CommonFlags } from './command-context.ts';
import { type CommandMaker } from './command-maker.ts';
import { listTablets, type TabletFlags } from './datastore-tablets.ts';
import { checkDatastore, type CheckFlags } from './datastore-check.ts';
import { deleteEntity, getEntity, listKinds, listNamespaces, putEntity, queryDatastore, type QueryFlags } from './datastore.ts';
import { cleanUpIndexes, createIndexes, listIndexes } from './datastore-indexes.ts';
import { exportDatastore, type ExportFlags } from './datastore-export.ts';
import { importDatastore, type ImportFlags } from './datastore-import.ts';
import { datastoreSettings, type SettingsFlags } from './datastore-settings.ts';
import { createToken, type CreateTokenFlags, deleteToken, listTokens } from './datastore-tokens.ts';
import { clearTtl, listTtl, setTtl } from './datastore-ttl.ts';

export function datastoreCommands(program: Command, { command, asked }: CommandMaker): void {
  const datastore = program.command('datastore').description("an app's data");
  command(datastore, 'query', 'run a GQL statement', [
    `datastore query 'SELECT * FROM Greeting ORDER BY date DESC' --app guestbook`,
    `datastore query 'SELECT COUNT(*) AS n FROM Greeting' --app guestbook --json`,
    `datastore query 'SELECT * FROM Greeting' --app guestbook --explain --limit 500`,
    `datastore query 'SELECT * FROM Greeting WHERE author = @author AND rank IN @ranks' --bind author=ann --bind 'ranks=[1, 2]' --app guestbook`,
    'datastore query - --app guestbook < statement.gql',
    'datastore query @statement.gql --app guestbook',
    `datastore query 'SELECT * FROM Greeting' --app guestbook --read-time -10m`,
  ])
    .argument('<gql>', 'the statement; - reads it from standard input, @FILE from a file')
    .requiredOption('--app <id>', 'the app')
    .option('--namespace <name>', 'the namespace; the default one is empty', '')
    .option('--limit <number>', 'results at most', '100')
    .option(
      '--bind <name=value>',
      'an argument, once for each; its value is JSON, or else a string',
      (one: string, before: string[]) => [...before, one],
      [],
    )
    .option('--explain', 'say which index rows are read for it, and how many')
    .option('--read-time <time>', 'the state of then, within the last hour: 2026-01-01T12:00:00Z, or -10m (s, m, h)')
    .action((gql: string, flags: CommonFlags & QueryFlags) => asked(flags, (context) => queryDatastore(gql, flags, context)));
  command(datastore, 'namespaces', 'list the namespaces that have entities', ['datastore namespaces --app guestbook'])
    .requiredOption('--app <id>', 'the app')
    .action((flags: CommonFlags & { app: string }) => asked(flags, (context) => listNamespaces(flags.app, context)));
  command(datastore, 'kinds', 'list the kinds that have entities', ['datastore kinds --app guestbook'])
    .requiredOption('--app <id>', 'the app')
    .option('--namespace <name>', 'the namespace; the default one is empty', '')
    .action((flags: CommonFlags & { app: string; namespace: string }) => asked(flags, (context) => listKinds(flags, context)));
  indexCommands(datastore, { command, asked });
  tokenCommands(datastore, { command, asked });
  const ttl = datastore.command('ttl').description('which entities are deleted by themselves, and when');
  command(ttl, 'list', 'list the TTL policies', ['datastore ttl list --app guestbook'])
    .requiredOption('--app <id>', 'the app')
    .action((flags: CommonFlags & { app: string }) => asked(flags, (context) => listTtl(flags.app, context)));
  command(ttl, 'set', 'delete entities of a kind once the time in a property has passed', [
    'datastore ttl set Session expires --app guestbook',
  ])
    .argument('<kind>', 'the kind, in all namespaces')
    .argument('<property>', 'an indexed property that holds a timestamp')
    .requiredOption('--app <id>', 'the app')
    .action((kind: string, property: string, flags: CommonFlags & { app: string }) =>
      asked(flags, (context) => setTtl(kind, property, flags.app, context)),
    );
  command(ttl, 'clear', 'let entities of a kind stay', ['datastore ttl clear Session --app guestbook'])
    .argument('<kind>', 'the kind')
    .requiredOption('--app <id>', 'the app')
    .action((kind: string, flags: CommonFlags & { app: string }) => asked(flags, (context) => clearTtl(kind, flags.app, context)));
  command(datastore, 'get', 'print an entity as JSON', ['datastore get EgwKBEtpbmQ --app guestbook > entity.json'])
    .argument('<id>', 'its id, as `datastore query --json` prints it')
    .requiredOption('--app <id>', 'the app')
    .action((id: string, flags: CommonFlags & { app: string }) => asked(flags, (context) => getEntity(id, flags.app, context)));
  command(datastore, 'put', 'write an entity from JSON; one with a version only if nobody wrote it since', [
    'datastore put entity.json --app guestbook',
    'datastore put - --app guestbook --mode insert < entity.json',
  ])
    .argument('<file>', 'as `datastore get` prints it; - for standard input')
    .requiredOption('--app <id>', 'the app')
    .option('--mode <kind>', 'insert (it must not be there), update (it must), or upsert', 'upsert')
    .action((file: string, flags: CommonFlags & { app: string; mode: string }) =>
      asked(flags, (context) => putEntity(file, flags, context)),
    );
  command(datastore, 'delete', 'delete an entity', ['datastore delete EgwKBEtpbmQ --app guestbook'])
    .argument('<id>', 'its id')
    .requiredOption('--app <id>', 'the app')
    .action((id: string, flags: CommonFlags & { app: string }) => asked(flags, (context) => deleteEntity(id, flags.app, context)));
  command(datastore, 'settings', 'show or change what the app has chosen for its data', [
    'datastore settings --app guestbook',
    'datastore settings --app guestbook --concurrency optimistic',
  ])
    .requiredOption('--app <id>', 'the app')
    .option('--concurrency <mode>', 'of transactions that begin from now on: pessimistic or optimistic')
    .action((flags: CommonFlags & SettingsFlags) => asked(flags, (context) => datastoreSettings(flags, context)));
  command(datastore, 'tablets', 'list the tablets: where data lies, how much, and how busy', [
    'datastore tablets',
    'datastore tablets --app guestbook',
    'datastore tablets --json',
  ])
    .option('--app <id>', 'only those that hold keys of this app')
    .action((flags: CommonFlags & TabletFlags) => asked(flags, (context) => listTablets(flags, context)));
  command(datastore, 'check', 'walk all rows and report what does not fit together; exits with 1 if anything does not', [
    'datastore check --app guestbook',
    'datastore check --app guestbook --repair',
    'datastore check --json',
  ])
    .option('--app <id>', 'the app; default: all of them')
    .option('--repair', 'write index rows again from their entities, delete those that belong to none')
    .action((flags: CommonFlags & CheckFlags) => asked(flags, (context) => checkDatastore(flags, context)));
  command(datastore, 'export', 'write entities to files of newline-delimited JSON; the same command again goes on where it stopped', [
    'datastore export ./backup --app guestbook',
    'datastore export ./greetings --app guestbook --kind Greeting --gzip',
    'datastore export ./changes --app guestbook --since 2026-01-02T03:04:05Z',
  ])
    .argument('<dir>', 'an empty directory, or one that does not exist yet')
    .requiredOption('--app <id>', 'the app')
    .option('--kind <name...>', 'only entities of these kinds')
    .option('--namespace <name...>', 'only entities of these namespaces; the default one is empty')
    .option('--database <id>', 'only entities of this database; the default one is empty')
    .option('--since <time>', 'only entities that were written after this time; what was deleted since is not told')
    .option('--gzip', 'compress the files')
    .action((directory: string, flags: CommonFlags & ExportFlags) => asked(flags, (context) => exportDatastore(directory, flags, context)));
  command(datastore, 'import', 'write the entities of an export; the same command again goes on where it stopped', [
    'datastore import ./backup --app guestbook',
    'datastore import ./backup --app guestbook-copy --mode insert',
    'datastore import ./backup --app guestbook --skip-errors --json',
  ])
    .argument('<dir>', 'the directory of an export')
    .requiredOption('--app <id>', 'the app; keys of the exported app become keys of this one')
    .option('--mode <kind>', 'insert (refuses entities that are there) or upsert (overwrites them)', 'upsert')
    .option('--skip-errors', 'go on behind lines that cannot be written, and keep them in a file beside the export')
    .option('--incomplete', 'import an export that was not finished')
    .action((directory: string, flags: CommonFlags & ImportFlags) => asked(flags, (context) => importDatastore(directory, flags, context)));
}

function tokenCommands(datastore: Command, { command, asked }: CommandMaker): void {
  const tokens = datastore.command('tokens').description("who reaches an app's data through the public datastore API (--datastore-auth)");
  command(tokens, 'create', 'make a token, which is shown once', [
    'datastore tokens create --app guestbook --name "nightly report" --read-only',
    'datastore tokens create --app guestbook --name ci --expires 90',
    'datastore tokens create --app guestbook --json | jq -r .secret > token',
  ])
    .requiredOption('--app <id>', 'the app, whose data alone it opens')
    .option('--name <text>', 'what it is for')
    .option('--expires <days>', 'how long it is good (default: until it is deleted)')
    .option('--read-only', 'it reads, and writes nothing')
    .action((flags: CommonFlags & CreateTokenFlags) => asked(flags, (context) => createToken(flags, context)));
  command(tokens, 'list', 'list the tokens, and when each was last used', ['datastore tokens list --app guestbook'])
    .requiredOption('--app <id>', 'the app')
    .action((flags: CommonFlags & { app: string }) => asked(flags, (context) => listTokens(flags.app, context)));
  command(tokens, 'delete', 'delete a token: no call is taken with it any more', ['datastore tokens delete 5f0c2a9be1d4 --app guestbook'])
    .argument('<id>', 'its id, as `datastore tokens list` shows it')
    .requiredOption('--app <id>', 'the app')
    .action((id: string, flags: CommonFlags & { app: string }) => asked(flags, (context) => deleteToken(id, flags.app, context)));
}

/** Alone it lists, as `indexes list` does. */
function indexCommands(datastore: Command, { command, asked }: CommandMaker): void {
  const list = (flags: CommonFlags & { app: string }): Promise<void> => asked(flags, (context) => listIndexes(flags.app, context));
  const indexes = command(datastore, 'indexes', 'list, create and delete composite indexes', [
    'datastore indexes --app guestbook',
    'datastore indexes create --app guestbook --wait',
    'datastore indexes cleanup --app guestbook --dry-run',
  ]);
  indexes.option('--app <id>', 'the app').action((flags: CommonFlags & { app?: string }) => list({ ...flags, app: appOf(flags) }));
  command(indexes, 'list', 'list the composite indexes, their state, and how far they are built', [
    'datastore indexes list --app guestbook',
  ])
    .option('--app <id>', 'the app')
    .action((_flags: object, self: Command) => {
      const flags = self.optsWithGlobals<CommonFlags & { app?: string }>();
      return list({ ...flags, app: appOf(flags) });
    });
  command(indexes, 'create', 'create what index.yaml declares, and failed ones anew', [
    'datastore indexes create --app guestbook',
    'datastore indexes create ./guestbook/index.yaml --app guestbook --wait',
  ])
    .argument('[place]', 'index.yaml, or the directory it is in', '.')
    .option('--app <id>', 'the app')
    .option('--wait', 'until all of them serve')
    .action((place: string, _flags: object, self: Command) => {
      const flags = self.optsWithGlobals<CommonFlags & { app?: string; wait?: boolean }>();
      return asked(flags, (context) => createIndexes(place, { ...flags, app: appOf(flags) }, context));
    });
  command(indexes, 'cleanup', 'delete the indexes that index.yaml does not declare', [
    'datastore indexes cleanup --app guestbook --dry-run',
    'datastore indexes cleanup ./guestbook --app guestbook --yes',
  ])
    .argument('[place]', 'index.yaml, or the directory it is in', '.')
    .option('--app <id>', 'the app')
    .option('--yes', 'do not ask')
    .option('--dry-run', 'only say which')
    .action((place: string, _flags: object, self: Command) => {
      const flags = self.optsWithGlobals<CommonFlags & { app?: string; yes?: boolean; dryRun?: boolean }>();
      return asked(flags, (context) => cleanUpIndexes(place, { ...flags, app: appOf(flags) }, context));
    });
}

/** The flag may stand before the last word or after it, so that it is not required of either. */
function appOf({ app }: { readonly app?: string }): string {
  if (app === undefined) throw new PlatformError('USAGE', "required option '--app <id>' not specified");
  return app;
}
