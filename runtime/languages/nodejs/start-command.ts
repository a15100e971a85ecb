// How a Node.js app is started: entrypoint of app.yaml, else the `start` script, else the main file, else server.js.
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { type AppManifest } from '../../../sdk/contract/app-manifest/manifest.ts';
import { type SourceTree } from '../port.ts';
import { shellCommand } from '../shell-command.ts';
import { type PackageJson } from './package-json.ts';

const DEFAULT_MAIN = 'server.js';
/** Words without anything that a shell would treat specially. */
const PLAIN_NODE = /^node(\s+[\w@%+=:,./-]+)+$/;

/** Argument vector for the app's directory. Throws MANIFEST_INVALID when there is nothing to start. */
export function startCommand(manifest: AppManifest, json: PackageJson, source: SourceTree): readonly string[] {
  if (manifest.entrypoint !== undefined) return commandOf(manifest.entrypoint);
  const { start } = json.scripts;
  if (start !== undefined) return commandOf(start);
  const main = mainFile(json, source);
  if (main !== undefined) return ['node', main];
  throw new PlatformError(
    'MANIFEST_INVALID',
    'the app has nothing to start; add a "start" script to package.json, an `entrypoint:` to app.yaml, or a file server.js',
    { details: { file: 'app.yaml' } },
  );
}

/** `node FILE …` without a shell, which saves its start; anything else by one that finds the app's own tools. */
function commandOf(text: string): readonly string[] {
  const command = text.trim();
  if (PLAIN_NODE.test(command)) return command.split(/\s+/);
  return shellCommand(command, ['node_modules/.bin']);
}

function mainFile({ main, scripts }: PackageJson, source: SourceTree): string | undefined {
  if (main !== undefined) {
    const path = main.replace(/^\.\//, '');
    const found = [path, `${path}.js`, `${path}/index.js`].find((candidate) => source.paths.has(candidate));
    // A build may make it.
    if (found !== undefined || scripts['gcp-build'] !== undefined) return found ?? path;
  }
  return source.paths.has(DEFAULT_MAIN) ? DEFAULT_MAIN : undefined;
}
