// How an app's packages are installed and its own build script is run, as App Engine's Node.js buildpack does:
// with a lock file exactly what it says; with a `gcp-build` script all packages, that script, then only those of production.
// Read next: package-tool.ts.
import { createHash } from 'node:crypto';
import { type BuildStep, type LanguagePlan, type SourceTree } from '../port.ts';
import { compiledPackages } from './compiled-packages.ts';
import { PACKAGE_JSON, type PackageJson } from './package-json.ts';
import { packageTool, type PackageTool } from './package-tool.ts';
import { HIDE_PLATFORM_PACKAGE, PLATFORM_PACKAGE, RESTORE_PACKAGE_FILES } from './platform-package.ts';

/** Scripts of the app's own that npm runs while it installs: then the result depends on more than the lock file. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'preprepare', 'prepare', 'postprepare'];
/** What else than package.json and lock file decides what the tools install. */
const SETTINGS_FILES = ['.npmrc', '.yarnrc', '.yarnrc.yml', 'pnpm-workspace.yaml', '.pnpmfile.cjs'];
const LOCAL_PACKAGE = /^(file:|link:|portal:|workspace:|patch:|\.|\/|~\/)/;
const NPMRC = '.npmrc';
const PACKAGES = 'node_modules';

export type BuildPlan = Pick<LanguagePlan, 'buildSteps' | 'buildCacheKey' | 'buildOutputs' | 'finishSteps' | 'environment'>;

/** What the build runs on: packages may compile for it, or pick files by it. */
export interface BuildNode {
  readonly runtime: string;
  readonly version: string;
  /** Where the build finds Node's headers, for packages that compile native code; absent: they look for themselves. */
  readonly headers?: string;
}

/** `compile`: what turns the app's sources into what starts, with all packages there. */
export async function planBuild(
  node: BuildNode,
  json: PackageJson,
  source: SourceTree,
  compile: readonly BuildStep[] = [],
): Promise<BuildPlan> {
  const hasBuild = json.scripts['gcp-build'] !== undefined;
  const installs = needsInstall(json, source, hasBuild);
  const tool = await packageTool(json, source);
  const environment = { ...(await installEnvironment(node, source)), ...tool.environment };
  const install = { tool, environment, declaresPlatform: declared(json).some(([name]) => name === PLATFORM_PACKAGE) };
  const build: BuildStep[] = hasBuild ? [step('Building', ['npm', 'run', 'gcp-build'])] : [];
  const prunes = installs && hasBuild && Object.keys(json.devDependencies).length > 0;
  const ahead = compiledPackages(installs ? packagesToLoad(json) : [], Number(node.version.split('.')[0]));
  const steps = [
    ...(installs ? installSteps(install, hasBuild) : []),
    ...build,
    ...compile,
    ...(prunes ? pruneSteps(install) : []),
    ...ahead.steps,
  ];
  const cacheKey = installs && !hasBuild ? await installKey(node, json, source, tool) : undefined;
  return {
    buildSteps: cacheKey === undefined ? steps : [...installSteps(install, false), ...ahead.steps],
    finishSteps: cacheKey === undefined ? [] : compile,
    ...(cacheKey === undefined ? {} : { buildCacheKey: cacheKey }),
    buildOutputs: installs ? [PACKAGES] : [],
    environment: ahead.environment,
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

/** Those that instances load. */
function packagesToLoad({ dependencies }: PackageJson): readonly string[] {
  return Object.keys(dependencies).filter((name) => name !== PLATFORM_PACKAGE);
}

interface Install {
  readonly tool: PackageTool;
  readonly environment: Readonly<Record<string, string>>;
  readonly declaresPlatform: boolean;
}

/** With the platform's entry taken out nothing is exact; all other versions still come from the lock file. */
function installSteps({ tool, environment, declaresPlatform }: Install, withDevelopment: boolean): BuildStep[] {
  const title = tool.title === 'npm' ? 'Installing packages' : `Installing packages with ${tool.title}`;
  const install = { title, command: tool.install({ withDevelopment, exact: !declaresPlatform }), environment };
  return declaresPlatform ? aroundPlatform(install) : [install];
}

function pruneSteps({ tool, environment, declaresPlatform }: Install): BuildStep[] {
  const prune = { title: 'Removing packages that only the build needed', command: tool.prune(), environment };
  return declaresPlatform ? aroundPlatform(prune) : [prune];
}

/** A variable of the operator's wins over .npmrc at npm, but here the app's own choice is meant. */
async function installEnvironment({ headers }: BuildNode, source: SourceTree): Promise<Record<string, string>> {
  const npmrc = source.paths.has(NPMRC) ? await source.readText(NPMRC) : '';
  const [, registry] = /^registry\s*=\s*"?([^\s"$]+)"?\s*$/m.exec(npmrc) ?? [];
  return {
    ...(registry === undefined ? {} : { npm_config_registry: registry }),
    ...(headers === undefined ? {} : { npm_config_nodedir: headers }),
  };
}

function aroundPlatform(inner: BuildStep): BuildStep[] {
  return [
    step(`Leaving out "${PLATFORM_PACKAGE}", which the platform provides`, ['node', '-e', HIDE_PLATFORM_PACKAGE]),
    inner,
    step('Restoring package.json', ['node', '-e', RESTORE_PACKAGE_FILES]),
  ];
}

/** Undefined where more than the two files decides what is installed. */
async function installKey(node: BuildNode, json: PackageJson, source: SourceTree, tool: PackageTool): Promise<string | undefined> {
  if (tool.lockFile === undefined || INSTALL_SCRIPTS.some((name) => json.scripts[name] !== undefined)) return undefined;
  if (declared(json).some(([name, version]) => name !== PLATFORM_PACKAGE && LOCAL_PACKAGE.test(version))) return undefined;
  const hash = createHash('sha256');
  // Packages may compile for, or pick files by, the machine too.
  for (const part of ['3', node.runtime, node.version, process.platform, process.arch, tool.title]) hash.update(`${part}\0`);
  for (const path of [PACKAGE_JSON, tool.lockFile, ...SETTINGS_FILES.filter((name) => source.paths.has(name))])
    hash.update(`${path}\0${await source.readText(path)}\0`);
  return hash.digest('hex');
}

function step(title: string, command: readonly string[]): BuildStep {
  return { title, command, environment: {} };
}
