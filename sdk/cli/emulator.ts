// `appengine emulator datastore`: just the datastore, for Google's clients in development and tests.
// It starts neither the datastore nor a command by itself: both come with its world.
// Read next: emulator-flags.ts for what the flags mean.
import { Command, CommanderError } from 'commander';
import { type RunningCommand, type RunningEmulator, type StartCommand, type StartEmulator } from '../contract/emulator.ts';
import { PlatformError, toPlatformError } from '../contract/errors.ts';
import { type Timers } from '../support/clock.ts';
import {
  clientVariables,
  EMULATOR_DATA_DIRECTORY,
  EMULATOR_PORT_DEFAULT,
  EMULATOR_PROJECT_DEFAULT,
  type EmulatorFlags,
  type EmulatorPlan,
  exportLines,
  readEmulatorFlags,
} from './emulator-flags.ts';
import { type Terminal } from './terminal.ts';

export interface EmulatorWorld {
  readonly terminal: Terminal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  readonly timers: Timers;
  readonly start: StartEmulator;
  readonly startCommand: StartCommand;
  /** Keeps what lies in a directory of ours out of the repository around it. */
  readonly keepOutOfGit: (directory: string) => Promise<void>;
  /** Calls `listener` with each SIGINT, SIGTERM and SIGHUP until what it returned is called. */
  readonly onSignal: (listener: (name: NodeJS.Signals) => void) => () => void;
}

/** A command that the end of the emulator ends has this long before it is killed. */
const COMMAND_ENDS_MS = 5_000;

const EXAMPLES = [
  'appengine emulator datastore',
  'appengine emulator datastore --ephemeral --exec "npm test"',
  'appengine emulator datastore --ephemeral --port 0 -- node --test tests/',
  'appengine emulator datastore --port 9000 --data-dir /tmp/shop-data --project shop',
  'appengine emulator datastore --ephemeral --require-indexes --index-file index.yaml --exec "pytest"',
];

const EXPLANATION = `
It prints the variables by which clients find it, ready for a shell:
  $ appengine emulator datastore > datastore.env &
  $ . ./datastore.env             (once its line "# ready" is there)

--exec runs a command by your shell (/bin/sh) as you would type it, with these variables, once the datastore is ready. It has the
terminal to itself: the emulator's own words go to stderr. SIGINT and SIGTERM are passed on to it, and when it ends, the emulator
ends with its exit code. Behind -- a program and its arguments are run as they are, without a shell.

Indexes that queries need are made at once, and written to --index-file if there is one. With --require-indexes such a query is
refused as it would be in production; what --index-file declares is made, at the start and when the file changes.`;

/** Runs `emulator …`, without that word; resolves with the exit code. */
export async function runEmulatorCommand(words: readonly string[], world: EmulatorWorld): Promise<number> {
  const { terminal } = world;
  // What stands behind `--` is the user's own command, whatever it looks like.
  const end = words.indexOf('--');
  const [own, behind] = end < 0 ? [words, []] : [words.slice(0, end), words.slice(end + 1)];
  let code = 0;
  try {
    if (end >= 0 && behind.length === 0) throw new PlatformError('USAGE', 'no program stands behind --');
    await program(world, async (flags) => {
      code = await new EmulatorSession(readEmulatorFlags(flags, behind, world), flags.json ?? false, world).run();
    }).parseAsync([...own], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    terminal.printError(toPlatformError(error), { json: own.includes('--json') });
    return 1;
  }
}

function program(world: EmulatorWorld, act: (flags: EmulatorFlags) => Promise<void>): Command {
  const { terminal } = world;
  const emulator = new Command('appengine emulator')
    .description('a part of App Engine alone, for development and tests')
    .exitOverride()
    .showHelpAfterError('(see appengine emulator datastore --help)')
    .configureOutput({
      writeOut: (text) => {
        terminal.stdout.write(text);
      },
      writeErr: (text) => {
        terminal.stderr.write(text);
      },
      outputError: (text, write) => {
        write(text.replace(/^error: /, terminal.errColours.red(terminal.errColours.bold('Error: '))));
      },
      getOutHelpWidth: () => terminal.stdout.columns,
      getErrHelpWidth: () => terminal.stderr.columns,
    });
  emulator
    .command('datastore')
    .description("run just the datastore, for Google's client libraries of any language")
    .option('--ephemeral', 'keep nothing: the data is in memory')
    .option('--port <port>', `it answers here (default ${EMULATOR_PORT_DEFAULT}; 0 picks a free one)`)
    .option('--data-dir <dir>', `the data stays here (default ${EMULATOR_DATA_DIRECTORY})`)
    .option('--project <id>', `the project in the variables (or GOOGLE_CLOUD_PROJECT; default ${EMULATOR_PROJECT_DEFAULT}); all are served`)
    .option('--bind <address>', 'address of this machine to listen on (default 127.0.0.1)')
    .option('--open-to-network', 'for --bind: others than this machine may reach it; anybody reads and writes, without a password')
    .option('--allow-reset', 'serve POST /reset, which deletes all data, and POST /shutdown; --ephemeral does anyway')
    .option('--require-indexes', 'refuse queries whose composite index is not there, as production does')
    .option('--index-file <file>', 'an index.yaml: what it declares is made; without --require-indexes new indexes are written to it')
    .option('--exec <command>', 'run a command by your shell against it, and exit with its code')
    .option('--json', 'print JSON; errors too, on stderr')
    .allowExcessArguments(false)
    .addHelpText('after', `${EXPLANATION}\n\nExamples:\n${EXAMPLES.map((example) => `  $ ${example}`).join('\n')}`)
    .action(act);
  return emulator;
}

/** One emulator, from its start to its end. */
class EmulatorSession {
  readonly #plan: EmulatorPlan;
  readonly #json: boolean;
  readonly #world: EmulatorWorld;
  /** Signals so far, and who takes the next ones. */
  readonly #signals: NodeJS.Signals[] = [];
  #heed: (name: NodeJS.Signals) => void = () => undefined;

  constructor(plan: EmulatorPlan, json: boolean, world: EmulatorWorld) {
    this.#plan = plan;
    this.#json = json;
    this.#world = world;
  }

  /** The exit code, once everything has ended. */
  async run(): Promise<number> {
    const { options, isDefaultDirectory } = this.#plan;
    const off = this.#world.onSignal((name) => {
      this.#signals.push(name);
      this.#heed(name);
    });
    try {
      if (isDefaultDirectory && options.dataDirectory !== undefined) await this.#world.keepOutOfGit(options.dataDirectory);
      const emulator = await this.#world.start(options, (line) => {
        this.#world.terminal.say(line);
      });
      try {
        return await this.#serve(emulator);
      } finally {
        await emulator.close();
      }
    } finally {
      off();
    }
  }

  #serve(emulator: RunningEmulator): Promise<number> {
    const { command, options, projectId } = this.#plan;
    const variables = clientVariables(options.host, emulator.port, projectId);
    this.#announce(variables);
    return command ? this.#runCommand(emulator, this.#world.startCommand(command, variables)) : this.#untilEnded(emulator);
  }

  async #untilEnded(emulator: RunningEmulator): Promise<number> {
    const signalled = new Promise<undefined>((resolve) => {
      this.#heed = () => {
        resolve(undefined);
      };
      if (this.#signals.length > 0) resolve(undefined);
    });
    const failure = await Promise.race([emulator.ended, signalled]);
    if (!failure) return 0;
    this.#world.terminal.printError(failure, { json: this.#json });
    return 1;
  }

  async #runCommand(emulator: RunningEmulator, command: RunningCommand): Promise<number> {
    const { terminal, timers } = this.#world;
    this.#heed = (name) => {
      command.signal(name);
    };
    for (const name of this.#signals) command.signal(name);
    const first = await Promise.race([command.ended, emulator.ended.then((failure) => ({ failure }))]);
    if (!('code' in first)) {
      const cancel = timers.after(COMMAND_ENDS_MS, () => {
        command.signal('SIGKILL');
      });
      if (first.failure) terminal.printError(first.failure, { json: this.#json });
      terminal.say(`The datastore emulator ${first.failure ? 'has failed' : 'was shut down'}: ending the command.`);
      command.signal('SIGTERM');
      const { code } = await command.ended;
      cancel();
      return first.failure ? 1 : code;
    }
    if (first.failure !== undefined) terminal.printError(new PlatformError('COMMAND_NOT_STARTED', first.failure), { json: this.#json });
    return first.code;
  }

  /** Variables on stdout, unless that is the command's; all else on stderr. */
  #announce(variables: Readonly<Record<string, string>>): void {
    const { terminal } = this.#world;
    const { options, projectId, command, isOpenToNetwork } = this.#plan;
    const { DATASTORE_EMULATOR_HOST: address = '' } = variables;
    if (this.#json) {
      const view = { ready: true, address, project: projectId, dataDirectory: options.dataDirectory ?? null, variables };
      const line = JSON.stringify(view);
      if (command) terminal.say(line);
      else terminal.print(line);
      return;
    }
    const { bold, green, dim, yellow } = terminal.errColours;
    const told = [
      ['Data', options.dataDirectory ?? 'in memory, and gone when this ends'],
      ['Indexes', this.#indexWords()],
      ...(options.allowsReset ? [['Reset', `curl -X POST http://${address}/reset`] as const] : []),
      ...(command ? [] : [['Stop', 'Ctrl-C'] as const]),
    ] as const;
    terminal.say(`${bold(green('App Engine datastore emulator'))} at ${bold(address)}, project ${bold(projectId)}`);
    for (const [name, text] of told) terminal.say(`  ${dim(name.padEnd(8))} ${text}`);
    if (isOpenToNetwork) terminal.say(yellow('  *** Anybody who reaches this address reads and writes all data (--open-to-network).'));
    if (command) return;
    for (const line of exportLines(variables)) terminal.print(line);
    terminal.print(`# ready datastore=${address} project=${projectId}`);
  }

  #indexWords(): string {
    const { requiresIndexes, indexFile } = this.#plan.options;
    if (requiresIndexes) return indexFile === undefined ? 'none is made' : `those of ${indexFile} alone`;
    return indexFile === undefined ? 'made as queries need them' : `made as queries need them, and written to ${indexFile}`;
  }
}
