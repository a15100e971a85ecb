// `appengine deploy dispatch.yaml`: settings of the app as a whole, without a new version.
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { type SettingsApplied, type SettingsRequest } from '../contract/admin/routing.ts';
import { APP_YAML } from '../contract/app-manifest/app-yaml.ts';
import { checkAppId } from '../contract/app-manifest/label.ts';
import { SETTINGS_FILES } from '../contract/app-manifest/settings-files.ts';
import { PlatformError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { type CommandContext } from './command-context.ts';

export type DeployWords =
  | { readonly kind: 'app'; readonly directory: string }
  /** Paths of settings files. */
  | { readonly kind: 'settings'; readonly paths: readonly string[] };

/** What the words after `deploy` name: one directory (or its app.yaml), or files of settings. Throws USAGE. */
export function readDeployWords(words: readonly string[]): DeployWords {
  const settings = words.filter((word) => SETTINGS_FILES.has(basename(word)));
  const [directory = '.', second] = words.filter((word) => !SETTINGS_FILES.has(basename(word)));
  if (settings.length === 0 && second === undefined) {
    return { kind: 'app', directory: basename(directory) === APP_YAML ? dirname(directory) : directory };
  }
  if (settings.length < words.length) {
    const names = [...SETTINGS_FILES.keys()].join(', ');
    throw new PlatformError('USAGE', `\`deploy\` takes one directory with an app, or files of the app's settings (${names})`);
  }
  const twice = settings.find((path, index) => settings.some((other, at) => at > index && basename(other) === basename(path)));
  if (twice !== undefined) throw new PlatformError('USAGE', `\`deploy\` has two files ${basename(twice)}; name one`);
  return { kind: 'settings', paths: settings };
}

export async function deploySettings(
  paths: readonly string[],
  flags: { readonly app: string; readonly quiet?: boolean },
  { client, terminal, json, server }: CommandContext,
): Promise<void> {
  checkAppId(flags.app);
  const files: Record<string, string> = {};
  for (const path of paths) {
    const text = await textOf(path);
    SETTINGS_FILES.get(basename(path))?.(text, path);
    files[basename(path)] = text;
  }
  const request: SettingsRequest = { files };
  const answer = await client.call<SettingsApplied>('PUT', `/apps/${encodeURIComponent(flags.app)}/settings`, { json: request });
  if (json) {
    terminal.printJson({ app: flags.app, ...answer });
    return;
  }
  for (const note of answer.notes) terminal.say(note);
  if (flags.quiet !== true) terminal.print(`${answer.applied.join(', ')} of app ${flags.app} at ${server}: deployed.`);
}

async function textOf(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > LIMITS.manifestBytesMax) {
      throw new PlatformError('MANIFEST_INVALID', `${path} has ${size} bytes, at most ${LIMITS.manifestBytesMax} are allowed`);
    }
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof PlatformError) throw cause;
    throw new PlatformError('USAGE', `there is no file ${path}`, { cause });
  }
}
