// Where the command line finds the server and the right to use it.
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const SERVER_DEFAULT = 'http://127.0.0.1:8000';
const TOKEN_FILE = join('credentials', 'owner-token');
const DATA_DIRECTORY = '.appengine';

export interface ConnectionFlags {
  readonly server?: string;
  readonly token?: string;
  readonly dataDir?: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

export function serverUrl(flags: ConnectionFlags, variables: Variables): string {
  const url = flags.server ?? (variables['APPENGINE_SERVER'] || SERVER_DEFAULT);
  return url.replace(/\/+$/, '');
}

/**
 * The token of the flag, of APPENGINE_TOKEN, or on the server's own machine of its data directory: the flag's, that of
 * APPENGINE_DATA_DIR, ./.appengine, ~/.appengine. Undefined when there is none: the server then says what it wants.
 */
export async function findToken(flags: ConnectionFlags, variables: Variables, workingDirectory: string): Promise<string | undefined> {
  if (flags.token !== undefined) return flags.token;
  if (variables['APPENGINE_TOKEN']) return variables['APPENGINE_TOKEN'];
  const named = flags.dataDir ?? variables['APPENGINE_DATA_DIR'];
  const directories = named ? [named] : [join(workingDirectory, DATA_DIRECTORY), join(homedir(), DATA_DIRECTORY)];
  for (const directory of directories) {
    try {
      return (await readFile(join(directory, TOKEN_FILE), 'utf8')).trim();
    } catch {
      // Not here: look in the next place.
    }
  }
  return undefined;
}
