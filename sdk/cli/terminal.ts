// What a command prints and where: results on stdout, everything said along the way on stderr, colour only for people.
import pc from 'picocolors';
import { type PlatformError } from '../contract/errors.ts';

export interface OutputStream {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Characters in a line; 80 where nobody knows. */
  readonly columns: number;
}

export interface TerminalOptions {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** NO_COLOR and FORCE_COLOR are looked at here. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

type Colours = ReturnType<typeof pc.createColors>;

/** Control characters but tab and line feed: an app's output must not drive the terminal. */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

export function withoutControl(text: string): string {
  return text.replace(CONTROL, '\ufffd');
}

export class Terminal {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly outColours: Colours;
  readonly errColours: Colours;

  constructor(options: TerminalOptions) {
    this.stdout = options.stdout;
    this.stderr = options.stderr;
    this.outColours = pc.createColors(useColour(options.stdout, options.environment));
    this.errColours = pc.createColors(useColour(options.stderr, options.environment));
  }

  /** A line of the result. */
  print(line: string): void {
    this.stdout.write(`${line}\n`);
  }

  /** The whole result as one JSON document. */
  printJson(value: unknown): void {
    this.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** A line said along the way. */
  say(line: string): void {
    this.stderr.write(`${line}\n`);
  }

  /** What, why, and how to mend; with `json` the error's body instead. */
  printError(error: PlatformError, options: { readonly json: boolean }): void {
    if (options.json) {
      const { code, message, mend, details } = error;
      this.stderr.write(`${JSON.stringify({ error: { code, message, mend, details } }, null, 2)}\n`);
      return;
    }
    const { red, dim, bold } = this.errColours;
    this.say(`${red(bold('Error:'))} ${withoutControl(error.message)} ${dim(`(${error.code})`)}`);
    const tail = error.details['stderrTail'] ?? error.details['output'];
    if (typeof tail === 'string' && tail.trim() !== '') {
      this.say('  Its last lines:');
      for (const line of withoutControl(tail).trimEnd().split('\n')) this.say(`  ${dim('|')} ${line}`);
    }
    const { flag } = error.details;
    this.say(`  To mend it: ${error.mend}${typeof flag === 'string' ? `: ${flag}` : ''}.`);
  }
}

function useColour(stream: OutputStream, environment: Readonly<Record<string, string | undefined>>): boolean {
  if (environment['NO_COLOR']) return false;
  if (environment['FORCE_COLOR']) return environment['FORCE_COLOR'] !== '0';
  return stream.isTerminal && environment['TERM'] !== 'dumb';
}
