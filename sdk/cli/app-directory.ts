// The files of an app on the developer's machine: which of them go up, and what they are.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { opendir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import ignore, { type Ignore } from 'ignore';
import { type UploadFile } from '../contract/admin/admin.ts';
import { APP_YAML } from '../contract/app-manifest/app-yaml.ts';
import { checkUploadFiles } from '../contract/app-manifest/upload-files.ts';
import { PlatformError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { forEachLimited } from './limited-parallel.ts';

export const IGNORE_FILE = '.gcloudignore';
/** What gcloud writes into a new .gcloudignore, and what Node's packages are: they are installed by the build. */
const IGNORED_BY_DEFAULT = ['.gcloudignore', '.git', '.gitignore', 'node_modules/'];
/** Data of a platform that is served from here, its credentials among them: never uploaded, whatever the file says. */
const IGNORED_ALWAYS = '/.appengine/';
const INCLUDE = /^#!include:(.+)$/;
const FILES_OPEN_MAX = 16;
const EXECUTABLE_BITS = 0o111;

export interface AppDirectory {
  readonly directory: string;
  readonly files: readonly UploadFile[];
  /** Absolute path of one file that has this content. */
  readonly pathByHash: ReadonlyMap<string, string>;
  readonly bytes: number;
}

interface FoundFile {
  readonly path: string;
  readonly absolute: string;
  readonly bytes: number;
  readonly executable: boolean;
}

/**
 * Every file that .gcloudignore leaves, hashed. Throws DIRECTORY_MISSING, MANIFEST_MISSING, or UPLOAD_REFUSED by name for
 * links that leave the tree, special files, names that collide, and what is over a limit.
 */
export async function readAppDirectory(
  directory: string,
  onProgress: (filesHashed: number, filesAll: number) => void,
): Promise<AppDirectory> {
  const root = await realDirectory(directory);
  const rules = await ignoreRules(root);
  const found: FoundFile[] = [];
  await walk(root, '', rules, found);
  if (!found.some((file) => file.path === APP_YAML)) {
    const ignored = rules.ignores(APP_YAML) && (await isFile(join(root, APP_YAML)));
    throw new PlatformError('MANIFEST_MISSING', ignored ? `${IGNORE_FILE} leaves out ${APP_YAML}` : `looked in ${directory}`);
  }
  found.sort((a, b) => (a.path < b.path ? -1 : 1));
  const hashes = new Map<string, string>();
  await forEachLimited(found, FILES_OPEN_MAX, async (file) => {
    hashes.set(file.path, await hashOf(file.absolute));
    onProgress(hashes.size, found.length);
  });
  const files = found.map(({ path, bytes, executable }): UploadFile => ({ path, sha256: hashes.get(path) ?? '', bytes, executable }));
  checkUploadFiles(files);
  return {
    directory: root,
    files,
    pathByHash: new Map(found.map((file) => [hashes.get(file.path) ?? '', file.absolute])),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
  };
}

/** An absolute path without links. Throws DIRECTORY_MISSING. */
export async function realDirectory(directory: string): Promise<string> {
  try {
    const path = await realpath(resolve(directory));
    if ((await stat(path)).isDirectory()) return path;
  } catch (cause) {
    throw new PlatformError('DIRECTORY_MISSING', directory, { cause });
  }
  throw new PlatformError('DIRECTORY_MISSING', `${directory} is a file`);
}

/** What stays out of an upload. */
export async function ignoreRules(root: string): Promise<Ignore> {
  const rules = ignore();
  const text = await textOf(join(root, IGNORE_FILE));
  if (text === undefined) return rules.add([...IGNORED_BY_DEFAULT, IGNORED_ALWAYS]);
  for (const line of text.split(/\r?\n/)) {
    const included = INCLUDE.exec(line)?.[1];
    if (included === undefined) rules.add(line);
    else rules.add((await textOf(join(root, included.trim()))) ?? '');
  }
  return rules.add(IGNORED_ALWAYS);
}

async function walk(root: string, below: string, rules: Ignore, found: FoundFile[]): Promise<void> {
  for await (const entry of await opendir(join(root, below))) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (rules.ignores(entry.isDirectory() ? `${path}/` : path)) continue;
    if (entry.isDirectory()) await walk(root, path, rules, found);
    else if (entry.isFile()) found.push(await describe(path, join(root, path)));
    else if (entry.isSymbolicLink()) found.push(await followLink(root, path));
    else throw refuse(path, 'is a device, socket or pipe, not a file');
    if (found.length > LIMITS.deployFilesMax) {
      throw new PlatformError('UPLOAD_REFUSED', `there are more than ${LIMITS.deployFilesMax} files, the last one seen is ${path}`);
    }
  }
}

/** A link to a file within the tree goes up as that file; any other is refused. */
async function followLink(root: string, path: string): Promise<FoundFile> {
  const link = join(root, path);
  const to = await readlink(link);
  let target: string;
  try {
    target = await realpath(link);
  } catch (cause) {
    throw new PlatformError('UPLOAD_REFUSED', `${path} is a link to ${to}, which is not there`, { cause });
  }
  if (relative(root, target).startsWith(`..${sep}`) || relative(root, target) === '..')
    throw refuse(path, `is a link to ${to}, outside the app's directory`);
  if (!(await isFile(target))) throw refuse(path, `is a link to ${to}, which is not a file`);
  return describe(path, target);
}

async function describe(path: string, absolute: string): Promise<FoundFile> {
  const { size, mode } = await stat(absolute);
  return { path, absolute, bytes: size, executable: (mode & EXECUTABLE_BITS) !== 0 };
}

async function hashOf(absolute: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(absolute), hash);
  return hash.digest('hex');
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

function refuse(path: string, why: string): PlatformError {
  return new PlatformError('UPLOAD_REFUSED', `${path} ${why}`);
}
