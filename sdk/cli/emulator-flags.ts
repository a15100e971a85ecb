// What `appengine emulator datastore` was told, and what it tells: flags to options, options to the variables of clients. Pure.
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { type EmulatorOptions, type UserCommand } from '../contract/emulator.ts';
import { PlatformError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';

export interface EmulatorFlags {
  readonly port?: string;
  readonly bind?: string;
  readonly project?: string;
  readonly dataDir?: string;
  readonly ephemeral?: boolean;
  readonly allowReset?: boolean;
  readonly openToNetwork?: boolean;
  readonly requireIndexes?: boolean;
  readonly indexFile?: string;
  readonly exec?: string;
  readonly json?: boolean;
}

export interface EmulatorPlan {
  readonly options: EmulatorOptions;
  readonly projectId: string;
  /** Whether others than this machine reach it. */
  readonly isOpenToNetwork: boolean;
  /** Whether the data directory is the one that nobody had to name. */
  readonly isDefaultDirectory: boolean;
  readonly command?: UserCommand;
}

export interface EmulatorPlace {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
}

export const EMULATOR_PORT_DEFAULT = 8081;
/** In the working directory. */
export const EMULATOR_DATA_DIRECTORY = join('.appengine', 'emulator');
export const EMULATOR_PROJECT_DEFAULT = 'emulator';

/** As the datastore takes them; no sign in one means anything to a shell. */
const PROJECT_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;
const LOOPBACK = /^(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|localhost)$/;
const ANY_ADDRESS: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** `words` are what stood behind `--`. Throws USAGE naming the flag, what it holds and what it wants. */
export function readEmulatorFlags(flags: EmulatorFlags, words: readonly string[], place: EmulatorPlace): EmulatorPlan {
  const { ephemeral = false, requireIndexes = false, indexFile } = flags;
  const host = readHost(flags);
  if (ephemeral && flags.dataDir !== undefined) {
    throw new PlatformError('USAGE', '--ephemeral keeps nothing, and --data-dir says where to keep it: leave out one of them');
  }
  const command = readCommand(flags.exec, words);
  const dataDirectory = resolve(place.workingDirectory, flags.dataDir ?? EMULATOR_DATA_DIRECTORY);
  return {
    options: {
      host,
      port: readPort(flags.port),
      ...(ephemeral ? {} : { dataDirectory }),
      allowsReset: ephemeral || (flags.allowReset ?? false),
      requiresIndexes: requireIndexes,
      ...(indexFile === undefined ? {} : { indexFile: resolve(place.workingDirectory, indexFile) }),
    },
    projectId: readProject(flags.project, place.environment),
    isOpenToNetwork: !LOOPBACK.test(host),
    isDefaultDirectory: !ephemeral && flags.dataDir === undefined,
    ...(command ? { command } : {}),
  };
}

/** What Google's clients of all languages and ages look at to find a datastore, in the order of their names. */
export function clientVariables(host: string, port: number, projectId: string): Readonly<Record<string, string>> {
  const name = ANY_ADDRESS[host] ?? host;
  // Without a scheme: some clients take it for a part of the host's name.
  const address = `${isIP(name) === 6 ? `[${name}]` : name}:${port}`;
  return {
    DATASTORE_DATASET: projectId,
    DATASTORE_EMULATOR_HOST: address,
    DATASTORE_EMULATOR_HOST_PATH: `${address}/datastore`,
    DATASTORE_HOST: `http://${address}`,
    DATASTORE_PROJECT_ID: projectId,
    GOOGLE_CLOUD_PROJECT: projectId,
  };
}

/** For a shell to read; no value has a sign in it that means something to one. */
export function exportLines(variables: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(variables).map(([name, value]) => `export ${name}=${value}`);
}

function readHost({ bind = '127.0.0.1', openToNetwork = false }: EmulatorFlags): string {
  if (bind !== 'localhost' && isIP(bind) === 0) throw usage('--bind', bind, 'an address of this machine such as 127.0.0.1');
  if (!LOOPBACK.test(bind) && !openToNetwork) {
    throw new PlatformError(
      'USAGE',
      `--bind is "${bind}", where others reach the emulator, which lets anybody read and write: add --open-to-network if that is meant`,
    );
  }
  return bind;
}

function readPort(text: string | undefined): number {
  if (text === undefined) return EMULATOR_PORT_DEFAULT;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65_535)) throw usage('--port', text, 'a port from 0 to 65535, 0 for a free one');
  return port;
}

function readProject(flag: string | undefined, environment: EmulatorPlace['environment']): string {
  for (const [name, text] of [
    ['--project', flag],
    ['GOOGLE_CLOUD_PROJECT', environment['GOOGLE_CLOUD_PROJECT']],
    ['DATASTORE_PROJECT_ID', environment['DATASTORE_PROJECT_ID']],
  ] as const) {
    if (text === undefined || (text === '' && name !== '--project')) continue;
    if (text.length > LIMITS.projectIdCharactersMax || !PROJECT_ID.test(text)) throw usage(name, text, 'a project id such as my-project');
    return text;
  }
  return EMULATOR_PROJECT_DEFAULT;
}

function readCommand(text: string | undefined, [program, ...rest]: readonly string[]): UserCommand | undefined {
  if (text !== undefined && program !== undefined) {
    throw new PlatformError('USAGE', '--exec names a command, and so do the words behind --: leave out one of them');
  }
  if (text?.trim() === '') throw usage('--exec', text, 'a command such as "npm test"');
  if (text !== undefined) return { kind: 'shell', text };
  if (program === '') throw usage('--', program, 'a program with its arguments');
  return program === undefined ? undefined : { kind: 'program', words: [program, ...rest] };
}

function usage(name: string, found: string, want: string): PlatformError {
  return new PlatformError('USAGE', `${name} is "${found}", want ${want}`);
}
