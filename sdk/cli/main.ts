// The `appengine` command: reads its words, asks the admin API, prints. It starts no processes and reads no data.
// `serve`, `doctor` and `emulator` are not here: bin/appengine.mjs hands these words on.
// Read next: deploy.ts, listings.ts, log-commands.ts.
import { Command, CommanderError } from 'commander';
import { PlatformError, toPlatformError } from '../contract/errors.ts';
import { accountCommands } from './accounts.ts';
import { billingCommands } from './billing-commands.ts';
import { commandContext, type CommandWorld, type CommonFlags } from './command-context.ts';
import { type ConsoleFlags, showConsole } from './console.ts';
import { SERVER_DEFAULT } from './credentials.ts';
import { type CommandMaker } from './command-maker.ts';
import { datastoreCommands } from './datastore-commands.ts';
import { deploy, type DeployFlags } from './deploy.ts';
import { devCommand } from './dev.ts';
import { deleteVersion, listApps, listInstances, listVersions, stopInstance } from './listings.ts';
import { logCommands } from './log-commands.ts';
import { mailCommands } from './mail.ts';
import { memcacheCommands } from './memcache.ts';
import { serviceCommands, setTraffic } from './services.ts';
import { deploySettings, readDeployWords } from './settings-deploy.ts';
import { showStatus } from './status.ts';
import { taskCommands } from './tasks.ts';
import { versionRunningCommands } from './version-running.ts';

const INTERRUPTED = 130;

/** Runs one command line, without the program's own name; resolves with the exit code, 0 only on success. */
export async function runCommandLine(words: readonly string[], world: CommandWorld, release: string): Promise<number> {
  const json = words.includes('--json');
  try {
    await buildProgram(world, release).parseAsync([...words], { from: 'user' });
    return 0;
  } catch (error) {
    if (world.signal.aborted) return INTERRUPTED;
    if (error instanceof CommanderError) return error.exitCode;
    const platformError = toPlatformError(error);
    world.terminal.printError(platformError, { json });
    if (platformError.code === 'INTERNAL' && platformError.cause instanceof Error && world.environment['DEBUG']) {
      world.terminal.say(platformError.cause.stack ?? '');
    }
    return 1;
  }
}

function buildProgram(world: CommandWorld, release: string): Command {
  const { terminal } = world;
  const program = new Command('appengine')
    .description('An App Engine that you run yourself: deploy a web app, get a URL.')
    .version(release, '-V, --version', 'print the release')
    // So that `deploy --version v2` is the deploy's own option.
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError('(see --help)')
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, terminal.errColours.red(terminal.errColours.bold('Error: ')))),
      getOutHelpWidth: () => terminal.stdout.columns,
      getErrHelpWidth: () => terminal.stderr.columns,
    });
  const command: CommandMaker['command'] = (parent, words, description, examples) =>
    parent
      .command(words)
      .description(description)
      .option('--server <url>', `the server's console address (or APPENGINE_SERVER; default ${SERVER_DEFAULT})`)
      .option('--token <token>', "the owner token (or APPENGINE_TOKEN; default: the data directory's file, on the same machine)")
      .option('--data-dir <dir>', "where the server's data directory is, for its token (or APPENGINE_DATA_DIR)")
      .option('--json', 'print JSON; errors too, on stderr')
      .addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ appengine ${example}`).join('\n')}`);
  const asked: CommandMaker['asked'] = async (flags, act) => act(await commandContext(world, flags));

  command(program, 'deploy', 'upload an app, build it, start it, and move traffic to it', [
    'deploy --app hello',
    'deploy ./shop --app shop --version v2 --no-promote',
    'deploy --app hello --json',
    'deploy dispatch.yaml cron.yaml --app shop',
  ])
    .argument('[paths...]', 'directory with app.yaml (default: this one), or dispatch.yaml, queue.yaml, cron.yaml, index.yaml alone')
    .requiredOption('--app <id>', 'id of the app; it is made on its first deploy')
    .option('--version <name>', 'name of the new version; default: from the time')
    .option('--no-promote', 'give the new version no traffic yet; it answers at its own URL')
    .option('--quiet', 'print only the URL')
    .action((words: readonly string[], flags: DeployFlags & CommonFlags) =>
      asked(flags, (context) => {
        const named = readDeployWords(words);
        return named.kind === 'app' ? deploy(named.directory, flags, context) : deploySettings(named.paths, flags, context);
      }),
    );

  devCommand(program, world);

  const apps = program.command('apps').description('apps on the server');
  command(apps, 'list', 'list the apps', ['apps list', 'apps list --json']).action((flags: CommonFlags) => asked(flags, listApps));

  const versions = program.command('versions').description('versions of an app');
  command(versions, 'list', 'list the versions and their traffic', ['versions list --app hello'])
    .requiredOption('--app <id>', 'the app')
    .action((flags: CommonFlags & { app: string }) => asked(flags, (context) => listVersions(flags.app, context)));
  command(versions, 'delete', 'delete a version that has no traffic, or an app with its only one', [
    'versions delete v1 --app hello',
    'versions delete v1 --app hello --service api',
  ])
    .argument('<version>', 'the version')
    .requiredOption('--app <id>', 'the app')
    .option('--service <name>', 'the service', 'default')
    .action((version: string, flags: CommonFlags & { app: string; service: string }) =>
      asked(flags, (context) => deleteVersion(version, flags, context)),
    );

  versionRunningCommands(versions, { command, asked });

  const traffic = program.command('traffic').description('how traffic is split between versions');
  command(traffic, 'set', 'split the traffic of a service', [
    'traffic set --app hello --split v2=1',
    'traffic set --app hello --split v1=0.9,v2=0.1 --by cookie',
  ])
    .requiredOption('--app <id>', 'the app')
    .requiredOption('--split <shares>', 'VERSION=SHARE, separated by commas; the shares add up to 1')
    .option('--service <name>', 'the service', 'default')
    .option('--by <what>', 'ip, cookie or random')
    .action((flags: CommonFlags & { app: string; service: string; split: string; by?: string }) =>
      asked(flags, (context) => setTraffic({ ...flags, splits: flags.split, splitBy: flags.by }, context)),
    );
  serviceCommands(program, { command, asked });

  const instances = program.command('instances').description('running instances');
  command(instances, 'list', 'list the instances of an app, with CPU and memory', ['instances list --app hello'])
    .requiredOption('--app <id>', 'the app')
    .action((flags: CommonFlags & { app: string }) => asked(flags, (context) => listInstances(flags.app, context)));

  command(instances, 'stop', 'let an instance finish what it has, then end it', ['instances stop 3f2a9c1b04de --app hello'])
    .argument('<id>', 'the instance, as `instances list` names it')
    .requiredOption('--app <id>', 'the app')
    .action((id: string, flags: CommonFlags & { app: string }) => asked(flags, (context) => stopInstance(id, flags.app, context)));

  logCommands(program, { command, asked });
  datastoreCommands(program, { command, asked });

  command(program, 'console', 'print a one-time link that signs a browser in to the console', [
    'console',
    'console --open',
    'console --json',
  ])
    .option('--open', 'open it in a browser of this machine')
    .action((flags: CommonFlags & ConsoleFlags) => asked(flags, (context) => showConsole(flags, context)));

  memcacheCommands(program, { command, asked });
  taskCommands(program, { command, asked });
  mailCommands(program, { command, asked });
  accountCommands(program, { command, asked });
  billingCommands(program, { command, asked });

  command(program, 'status', 'say what the server runs, how its roles do, and what is wrong', [
    'status',
    'status --server http://127.0.0.1:9000 --json',
  ]).action((flags: CommonFlags) => asked(flags, showStatus));

  // Their words are read by the runtime; here they stand for `appengine --help`.
  for (const [name, purpose] of [
    ['serve', 'run the platform'],
    ['emulator', "run the datastore alone, for Google's clients in development and tests"],
    ['doctor', 'say what of this machine works for it, and how to mend what does not'],
  ] as const) {
    program
      .command(name)
      .description(`${purpose} (see appengine ${name} --help)`)
      .action(() => {
        throw new PlatformError('USAGE', `\`${name}\` must be the first word`);
      });
  }
  return program;
}
