// `appengine dev`: a platform of its own in this process, an app on it, and a new version of it with each change of its
// directory.
import { readFile } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { type Command } from 'commander';
import { type VersionView } from '../contract/admin/admin.ts';
import { APP_YAML } from '../contract/app-manifest/app-yaml.ts';
import { INDEX_YAML } from '../contract/app-manifest/index-yaml.ts';
import { checkAppId } from '../contract/app-manifest/label.ts';
import { PlatformError, toPlatformError } from '../contract/errors.ts';
import { AdminClient } from './admin-client.ts';
import { realDirectory } from './app-directory.ts';
import { type CommandContext, type CommandWorld, type ServedPlatform } from './command-context.ts';
import { type DeployOutcome, runDeploy } from './deploy.ts';
import { keepOutOfGit } from './data-ignored.ts';
import { followLog } from './dev-log.ts';
import { createProgress, silentProgress } from './progress.ts';
import { readSourceTree, SourceWatch } from './source-tree.ts';

interface DevFlags {
  readonly app?: string;
  readonly port?: string;
  readonly consolePort?: string;
  readonly datastorePort?: string;
  readonly dataDir?: string;
  readonly ephemeral?: boolean;
  readonly allowReset?: boolean;
  readonly sandbox?: string;
}

const DATA_DIRECTORY = join('.appengine', 'dev');
/** Versions with this name are this command's own, and go when another one has the traffic. */
const VERSION_PREFIX = 'dev-';
const APP_ID_CHARACTERS_MAX = 30;

export function devCommand(program: Command, world: CommandWorld): void {
  program
    .command('dev')
    .description('serve one app on this machine, and again whenever a file of it changes')
    .argument('[dir]', 'directory with app.yaml', '.')
    .option('--app <id>', "id of the app (default: from the directory's name)")
    .option('--port <port>', 'the app answers here (default 8080; 0 picks a free one)')
    .option('--console-port <port>', 'the console (default 8000)')
    .option('--datastore-port <port>', 'the public datastore API (default 8081)')
    .option('--data-dir <dir>', `the data stays here (default ${DATA_DIRECTORY} in the app's directory)`)
    .option('--ephemeral', 'keep no data')
    .option('--allow-reset', 'as of `appengine serve`: POST /reset at the datastore port deletes all data (--ephemeral too)')
    .option('--sandbox <kind>', 'as of `appengine serve`')
    .addHelpText('after', '\nExamples:\n  $ appengine dev\n  $ appengine dev ./shop --port 9000\n  $ appengine dev --app shop --ephemeral')
    .action((directory: string, flags: DevFlags) => develop(directory, flags, world));
}

/** Until a signal ends the platform. Throws what keeps it from starting; an app that does not deploy waits for a change. */
async function develop(directory: string, flags: DevFlags, world: CommandWorld): Promise<void> {
  const { serve } = world;
  if (!serve) throw new PlatformError('USAGE', '`dev` needs the platform beside the command line');
  const root = await realDirectory(resolve(world.workingDirectory, directory));
  const app = checkAppId(flags.app ?? appIdOf(basename(root)));
  const dataDirectory = dataDirectoryOf(root, flags, world);
  await readFile(join(root, APP_YAML)).catch((cause: unknown) => {
    throw new PlatformError('MANIFEST_MISSING', `looked in ${root}`, { cause });
  });
  if (flags.dataDir === undefined && flags.ephemeral !== true) await keepOutOfGit(dataDirectory);

  const over = new AbortController();
  const end = (): void => {
    over.abort();
  };
  // Ctrl-C reaches the platform by itself.
  world.signal.addEventListener('abort', end, { once: true });
  let ended: Promise<void> | undefined;
  const platform = await new Promise<ServedPlatform | undefined>((resolve, reject) => {
    ended = serve(serveFlags(root, app, dataDirectory, flags), resolve).finally(end);
    ended.then(() => {
      resolve(undefined);
    }, reject);
  });
  if (platform) await new DevSession(root, app, platform, await contextOf(platform, world, over.signal)).run();
  await ended;
}

async function contextOf(platform: ServedPlatform, world: CommandWorld, signal: AbortSignal): Promise<CommandContext> {
  const token = await readFile(join(platform.dataDirectory, 'credentials', 'owner-token'), 'utf8');
  const { consoleUrl: server } = platform;
  return { ...world, signal, server, client: new AdminClient(server, token.trim()), json: false };
}

/** One app on one platform, from its first deploy to the end. */
class DevSession {
  readonly #root: string;
  readonly #app: string;
  readonly #platform: ServedPlatform;
  readonly #context: CommandContext;
  #isDeployed = false;
  /** Set by the watch; taken by the loop. */
  #isChanged = false;
  #wake: (() => void) | undefined;

  /** `context.signal` ends it. */
  constructor(root: string, app: string, platform: ServedPlatform, context: CommandContext) {
    this.#root = root;
    this.#app = app;
    this.#platform = platform;
    this.#context = context;
  }

  async run(): Promise<void> {
    const { signal, timers } = this.#context;
    const watch = new SourceWatch(timers, () => {
      this.#isChanged = true;
      this.#wake?.();
    });
    signal.addEventListener('abort', () => this.#wake?.(), { once: true });
    try {
      let deployed: string | undefined;
      while (!signal.aborted) {
        const fingerprint = await this.#fingerprint(watch);
        if (fingerprint !== deployed) {
          // What changes during the deploy is seen after it.
          deployed = fingerprint;
          await this.#deploy();
        }
        await this.#change();
      }
    } finally {
      watch.close();
    }
  }

  /** Of the tree as it is, with all of it watched from before it was read. */
  async #fingerprint(watch: SourceWatch): Promise<string> {
    for (;;) {
      this.#isChanged = false;
      const { directories, fingerprint } = await readSourceTree(this.#root);
      if (!watch.follow(directories)) return fingerprint;
    }
  }

  async #change(): Promise<void> {
    if (this.#isChanged || this.#context.signal.aborted) return;
    await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = undefined;
  }

  async #deploy(): Promise<void> {
    const { terminal, timers, clock, signal } = this.#context;
    const progress = this.#isDeployed ? silentProgress : createProgress(terminal, timers);
    const flags = { app: this.#app, version: `${VERSION_PREFIX}${clock.nowMs().toString(36)}`, promote: true };
    try {
      const outcome = await runDeploy(this.#root, flags, this.#context, progress, clock.monotonicMs());
      progress.close();
      await this.#deployed(outcome);
    } catch (error) {
      progress.close();
      if (signal.aborted) return;
      terminal.printError(toPlatformError(error), { json: false });
      terminal.say(`  ${this.#isDeployed ? 'The version before goes on' : 'Nothing is served yet'}; the next change is tried again.`);
    }
  }

  async #deployed(outcome: DeployOutcome): Promise<void> {
    const { terminal } = this.#context;
    const { green } = terminal.errColours;
    if (this.#isDeployed) terminal.say(green(`Changed; deployed again in ${outcome.seconds} s.`));
    else {
      this.#isDeployed = true;
      terminal.print('');
      terminal.print(`  App       ${outcome.url}`);
      terminal.print(`  Console   ${this.#platform.signInUrl}`);
      terminal.print(`  Data      ${this.#platform.dataDirectory}`);
      terminal.print('  Stop      Ctrl-C; a change of any file deploys again');
      terminal.print('');
      void followLog(this.#app, this.#context);
    }
    await this.#removeOldVersions(outcome);
  }

  /** An app has room for a number of versions, and a day of work makes more. */
  async #removeOldVersions({ service, version }: DeployOutcome): Promise<void> {
    const { client, terminal, signal } = this.#context;
    const path = `/apps/${this.#app}`;
    try {
      const { versions } = await client.call<{ versions: VersionView[] }>('GET', `${path}/versions`, { signal });
      const old = versions.filter(
        (view) => view.service === service && view.version !== version && view.version.startsWith(VERSION_PREFIX),
      );
      for (const view of old) {
        if (view.trafficShare === 0) await client.call('DELETE', `${path}/services/${service}/versions/${view.version}`, { signal });
      }
    } catch (error) {
      if (!signal.aborted) terminal.say(`Old versions could not be removed: ${toPlatformError(error).message}`);
    }
  }
}

/** An id from a directory's name: what is allowed of it. */
export function appIdOf(name: string): string {
  const id = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, APP_ID_CHARACTERS_MAX)
    .replace(/-+$/, '');
  return id === '' ? 'app' : id;
}

/** Throws USAGE for one among the files of the app, whose every write would be a change. */
function dataDirectoryOf(root: string, { dataDir }: DevFlags, { workingDirectory }: CommandWorld): string {
  if (dataDir === undefined) return join(root, DATA_DIRECTORY);
  const directory = resolve(workingDirectory, dataDir);
  const within = relative(root, directory);
  const isWithin = within === '' || !(within.startsWith('..') || within.startsWith('/'));
  if (isWithin && !within.startsWith('.appengine')) {
    throw new PlatformError(
      'USAGE',
      `--data-dir is "${dataDir}", among the files of the app; want a directory outside, or below .appengine`,
    );
  }
  return directory;
}

function serveFlags(
  root: string,
  app: string,
  dataDirectory: string,
  { port, consolePort, datastorePort, ephemeral, allowReset, sandbox }: DevFlags,
): string[] {
  const given = { '--port': port, '--console-port': consolePort, '--datastore-port': datastorePort, '--sandbox': sandbox };
  return [
    // What goes wrong with the app is told by this command; warnings of the platform would tell it again.
    ...['--role=all', '--dev-login', '--log-level', 'error', '--data-dir', dataDirectory],
    ...['--dev-indexes', `${app}=${join(root, INDEX_YAML)}`],
    ...(ephemeral === true ? ['--ephemeral'] : []),
    ...(allowReset === true ? ['--allow-reset'] : []),
    ...Object.entries(given).flatMap(([flag, value]) => (value === undefined ? [] : [flag, value])),
  ];
}
