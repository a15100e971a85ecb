// What every command is given: where to print, whom to ask, and the world around it.
import { type Clock, type Timers } from '../support/clock.ts';
import { AdminClient } from './admin-client.ts';
import { type ConnectionFlags, findToken, serverUrl } from './credentials.ts';
import { type PasswordSource } from './password-source.ts';
import { type Terminal } from './terminal.ts';

/** Where a platform answers that runs in this process. */
export interface ServedPlatform {
  readonly consoleUrl: string;
  readonly dataDirectory: string;
  /** Signs one browser in to the console, once. */
  readonly signInUrl: string;
}

/** Serves in this process, with flags of `appengine serve`, until a signal. Throws what keeps it from starting. */
export type ServePlatform = (flags: readonly string[], onReady: (platform: ServedPlatform) => void) => Promise<void>;

export interface CommandWorld {
  readonly terminal: Terminal;
  readonly passwords: PasswordSource;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
  /** Standard input as text, to its end. */
  readonly readInput: () => Promise<string>;
  /** A line typed in answer to a question; absent where nobody sits at a terminal. */
  readonly askLine?: (question: string) => Promise<string>;
  /** Whether a browser of this machine took the URL. */
  readonly openBrowser: (url: string) => Promise<boolean>;
  /** Absent where there is only the command line. */
  readonly serve?: ServePlatform;
}

export interface CommonFlags extends ConnectionFlags {
  readonly json?: boolean;
}

export interface CommandContext extends CommandWorld {
  readonly server: string;
  readonly client: AdminClient;
  readonly json: boolean;
}

export async function commandContext(world: CommandWorld, flags: CommonFlags): Promise<CommandContext> {
  const server = serverUrl(flags, world.environment);
  const token = await findToken(flags, world.environment, world.workingDirectory);
  return { ...world, server, client: new AdminClient(server, token), json: flags.json ?? false };
}
