// How an app's packages are installed and its own build script is run, as App Engine's Node.js buildpack does:
// with a lock file exactly what it says; with a `gcp-build` script all packages, that script, then only those of production.
import { createHash } from 'node:crypto';
import { type BuildStep, type LanguagePlan, type SourceTree } from '../port.ts';
import { PACKAGE_JSON, type PackageJson } from './package-json.ts';
import { HIDE_PLATFORM_PACKAGE, PLATFORM_PACKAGE, RESTORE_PACKAGE_FILES } from './platform-package.ts';

const LOCK_FILES = ['npm-shrinkwrap.json', 'package-lock.json'];
/** Read by tools that we do not have; npm resolves the versions anew. */
const FOREIGN_LOCK_FILES = ['yarn.lock', 'pnpm-lock.yaml'];
/** Scripts of the app's own that npm runs while it installs: then the result depends on more than the lock file. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'preprepare', 'prepare', 'postprepare'];
const QUIET = ['--no-audit', '--no-fund', '--no-update-notifier', '--no-progress'];
const PACKAGES = 'node_modules';

export type BuildPlan = Pick<LanguagePlan, 'buildSteps' | 'buildCacheKey' | 'buildOutputs'>;

export async function planBuild(runtime: string, nodeVersion: string, json: PackageJson, source: SourceTree): Promise<BuildPlan> {
  const lockFile = LOCK_FILES.find((path) => source.paths.has(path));
  const hasBuild = json.scripts['gcp-build'] !== undefined;
  const installs = needsInstall(json, source, hasBuild);
  const declaresPlatform = declared(json).some(([name]) => name === PLATFORM_PACKAGE);
  const install = installs ? installSteps({ lockFile, declaresPlatform, withDevelopment: hasBuild, source }) : [];
  const build: BuildStep[] = hasBuild ? [step('Building', ['npm', 'run', 'gcp-build'])] : [];
  const prune: BuildStep[] = installs && hasBuild && Object.keys(json.devDependencies).length > 0 ? pruneSteps(declaresPlatform) : [];
  const cacheKey =
    installs && lockFile !== undefined && !hasBuild ? await installKey(runtime, nodeVersion, json, source, lockFile) : undefined;
  return {
    buildSteps: [...install, ...build, ...prune],
    ...(cacheKey === undefined ? {} : { buildCacheKey: cacheKey }),
    buildOutputs: installs ? [PACKAGES] : [],
  };
}

function declared(json: PackageJson, withDevelopment = true): [string, string][] {
  return Object.entries({ ...(withDevelopment ? json.devDependencies : {}), ...json.optionalDependencies, ...json.dependencies });
}

/** An app that uploads its own node_modules keeps them; one that only wants what the platform provides needs none. */
function needsInstall(json: PackageJson, source: SourceTree, withDevelopment: boolean): boolean {
  if ([...source.paths].some((path) => path.startsWith(`${PACKAGES}/`))) return false;
  return declared(json, withDevelopment).some(([name]) => name !== PLATFORM_PACKAGE);
}

interface InstallOptions {
  readonly lockFile: string | undefined;
  readonly declaresPlatform: boolean;
  readonly withDevelopment: boolean;
  readonly source: SourceTree;
}

function installSteps({ lockFile, declaresPlatform, withDevelopment, source }: InstallOptions): BuildStep[] {
  const which = withDevelopment ? '--include=dev' : '--omit=dev';
  const foreign = lockFile === undefined ? FOREIGN_LOCK_FILES.find((path) => source.paths.has(path)) : undefined;
  const title = foreign === undefined ? 'Installing packages' : `Installing packages (${foreign} is not read: add a package-lock.json)`;
  if (!declaresPlatform) return [step(title, ['npm', lockFile === undefined ? 'install' : 'ci', which, ...QUIET])];
  // With one entry taken out, `npm ci` would refuse the lock file; `npm install` still takes all other versions from it.
  return aroundPlatform(step(title, ['npm', 'install', which, ...QUIET]));
}

function pruneSteps(declaresPlatform: boolean): BuildStep[] {
  const prune = step('Removing packages that only the build needed', ['npm', 'prune', '--omit=dev', ...QUIET]);
  return declaresPlatform ? aroundPlatform(prune) : [prune];
}

function aroundPlatform(inner: BuildStep): BuildStep[] {
  return [
    step(`Leaving out "${PLATFORM_PACKAGE}", which the platform provides`, ['node', '-e', HIDE_PLATFORM_PACKAGE]),
    inner,
    step('Restoring package.json', ['node', '-e', RESTORE_PACKAGE_FILES]),
  ];
}

/** Undefined where more than the two files decides what is installed. */
async function installKey(
  runtime: string,
  nodeVersion: string,
  json: PackageJson,
  source: SourceTree,
  lockFile: string,
): Promise<string | undefined> {
  if (INSTALL_SCRIPTS.some((name) => json.scripts[name] !== undefined)) return undefined;
  const isLocal = ([name, version]: readonly [string, string]): boolean =>
    name !== PLATFORM_PACKAGE && /^(file:|link:|\.|\/|~\/)/.test(version);
  if (declared(json).some(isLocal)) return undefined;
  const hash = createHash('sha256');
  // Packages may compile for, or pick files by, the Node and the machine that install them.
  for (const part of ['1', runtime, nodeVersion, process.platform, process.arch]) hash.update(`${part}\0`);
  for (const path of [PACKAGE_JSON, lockFile]) hash.update(`${path}\0${await source.readText(path)}\0`);
  return hash.digest('hex');
}

function step(title: string, command: readonly string[]): BuildStep {
  return { title, command, environment: {} };
}
