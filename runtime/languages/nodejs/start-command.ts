// How a Node.js app is started: entrypoint of app.yaml, else the `start` script, else the main file, else server.js or server.ts.
import { posix } from 'node:path';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { type AppManifest } from '../../../sdk/contract/app-manifest/manifest.ts';
import { type SourceTree } from '../port.ts';
import { shellCommand } from '../shell-command.ts';
import { type PackageJson } from './package-json.ts';
import { compiledCommand, compiledEntry, type TypescriptEntry } from './typescript-entry.ts';

const DEFAULT_MAINS = ['server.js', 'server.ts'];
const TYPESCRIPT = /\.[cm]?tsx?$/;
/** Words without anything that a shell would treat specially. */
const PLAIN_NODE = /^node(\s+[\w@%+=:,./-]+)+$/;

/** Programs that are Node, or lead to it. */
const OF_NODE = new Set(['node', 'npm', 'npx', 'pnpm', 'pnpx', 'yarn', 'corepack', 'tsx', 'ts-node']);
/** The program of a command, behind variables and words that only pass it on. */
const FIRST_PROGRAM = /^\s*(?:(?:\w+=\S*|exec|env)\s+)*([^\s;&|<>()]+)/;

export interface StartCommand {
  /** Argument vector for the app's directory. */
  readonly command: readonly string[];
  /** What it runs that must be compiled before. */
  readonly typescript: readonly TypescriptEntry[];
}

/** Throws MANIFEST_INVALID when there is nothing to start. */
export async function startCommand(manifest: AppManifest, json: PackageJson, source: SourceTree): Promise<StartCommand> {
  const written = manifest.entrypoint ?? json.scripts['start'];
  if (written !== undefined) {
    const { text, entries } = await compiledCommand(written.trim(), source);
    return { command: commandOf(text), typescript: entries };
  }
  const main = mainFile(json, source);
  if (main === undefined) {
    throw new PlatformError(
      'MANIFEST_INVALID',
      'the app has nothing to start; add a "start" script to package.json, an `entrypoint:` to app.yaml, or a file server.js or server.ts',
      { details: { file: 'app.yaml' } },
    );
  }
  if (!TYPESCRIPT.test(main)) return { command: ['node', main], typescript: [] };
  const entry = await compiledEntry(main, source);
  return { command: ['node', entry.output], typescript: [entry] };
}

/** `node FILE …` without a shell, which saves its start; anything else by one that finds the app's own tools. */
function commandOf(command: string): readonly string[] {
  if (PLAIN_NODE.test(command)) return command.split(/\s+/);
  return shellCommand(command, ['node_modules/.bin']);
}

/**
 * Whether the app is Node's: then the preload joins it to its socket. What another program listens on is joined by the
 * forwarder, which does no harm where the program turns out to be Node after all.
 */
export function startsNode({ entrypoint }: AppManifest, { dependencies, devDependencies, optionalDependencies }: PackageJson): boolean {
  const program = entrypoint === undefined ? 'node' : (FIRST_PROGRAM.exec(entrypoint)?.[1] ?? '');
  const name = posix.basename(program);
  if (OF_NODE.has(name) || program.includes('node_modules/') || /\.[cm]?[jt]s$/.test(name)) return true;
  // Packages bring their command under their own name, as a rule.
  return Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies }).some((each) => posix.basename(each) === name);
}

function mainFile({ main, scripts }: PackageJson, source: SourceTree): string | undefined {
  if (main !== undefined) {
    const path = main.replace(/^\.\//, '');
    const found = [path, `${path}.js`, `${path}/index.js`, `${path}.ts`, `${path}/index.ts`].find((candidate) =>
      source.paths.has(candidate),
    );
    // A build may make it.
    if (found !== undefined || scripts['gcp-build'] !== undefined) return found ?? path;
  }
  return DEFAULT_MAINS.find((path) => source.paths.has(path));
}
