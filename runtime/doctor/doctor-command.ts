// `appengine doctor`: says whether this machine is fit for `appengine serve` with the same flags. Runs without a server.
import { Command, CommanderError } from 'commander';
import { type PlatformError, toPlatformError } from '../../sdk/contract/errors.ts';
import { readServeConfig, SANDBOX_CHOICES, type ServeFlags } from '../config.ts';
import { examine, type Examiner } from './examination.ts';
import { isFit, renderFindings } from './finding.ts';

export interface DoctorWorld extends Examiner {
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly stderr: { write(text: string): unknown };
}

interface DoctorFlags extends ServeFlags {
  readonly json?: boolean;
}

/** Resolves with the exit code: 1 when something is missing that `serve` needs. */
export async function runDoctor(words: readonly string[], world: DoctorWorld): Promise<number> {
  try {
    const flags = parse(words);
    const findings = await examine(readServeConfig(flags, world.variables), world);
    if (flags.json === true) world.stdout.write(`${JSON.stringify({ fit: isFit(findings), findings }, null, 2)}\n`);
    else world.stdout.write(renderFindings(findings, { colour: useColour(world) }));
    return isFit(findings) ? 0 : 1;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    const { message, code, mend }: PlatformError = toPlatformError(error);
    world.stderr.write(`Error: ${message} (${code})\n  To mend it: ${mend}.\n`);
    return 1;
  }
}

function parse(words: readonly string[]): DoctorFlags {
  return new Command('appengine doctor')
    .description('Say what of this machine works for `appengine serve`, and how to mend what does not. Give it the flags of serve.')
    .option('--data-dir <dir>', 'as of serve (or APPENGINE_DATA_DIR; default .appengine)')
    .option('--port <port>', 'as of serve (or APPENGINE_PORT)')
    .option('--console-port <port>', 'as of serve (or APPENGINE_CONSOLE_PORT)')
    .option('--datastore-port <port>', 'as of serve (or APPENGINE_DATASTORE_PORT)')
    .option('--bind <address>', 'as of serve (default 127.0.0.1)')
    .option('--sandbox <kind>', `as of serve: one of ${SANDBOX_CHOICES.join(', ')}`)
    .option('--ephemeral', 'as of serve')
    .option('--json', 'print JSON: { fit, findings: [{ name, state, found, mend }] }')
    .allowExcessArguments(false)
    .exitOverride()
    .showHelpAfterError('(see appengine doctor --help)')
    .addHelpText(
      'after',
      '\nThe exit code is 1 when something is missing that serve needs.\n\nExamples:\n  $ appengine doctor\n  $ sudo appengine doctor --data-dir /srv/appengine --port 80\n  $ appengine doctor --json',
    )
    .parse([...words], { from: 'user' })
    .opts<DoctorFlags>();
}

function useColour({ stdout, variables }: DoctorWorld): boolean {
  return stdout.isTTY === true && !variables['NO_COLOR'];
}
