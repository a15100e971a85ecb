// The tool that installs an app's packages: the one whose lock file the app has. npm is there; pnpm and yarn are fetched by
// npm for the build, in the version that "packageManager" of package.json names, else one that reads the lock file.
import { type SourceTree } from '../port.ts';
import { type PackageJson } from './package-json.ts';

export interface InstallOptions {
  readonly withDevelopment: boolean;
  /** Exactly what the lock file says, or an error. Without, what the lock file says where it fits package.json. */
  readonly exact: boolean;
}

export interface PackageTool {
  /** For people: "pnpm 10.34.9"; npm has no version of its own to name. */
  readonly title: string;
  readonly lockFile: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
  install(options: InstallOptions): readonly string[];
  /** Takes away what only the build needed. */
  prune(): readonly string[];
}

const NPM_LOCK_FILES = ['npm-shrinkwrap.json', 'package-lock.json'];
const PNPM_LOCK_FILE = 'pnpm-lock.yaml';
const YARN_LOCK_FILE = 'yarn.lock';
const QUIET = ['--no-audit', '--no-fund', '--no-update-notifier', '--no-progress'];
/** Releases that read the lock files of apps that name no version. */
const PNPM_BY_LOCK_VERSION: readonly (readonly [RegExp, string])[] = [
  [/^lockfileVersion: '?9/m, '10.34.9'],
  [/^lockfileVersion: '?[56]/m, '8.9.2'],
];
const YARN_CLASSIC = '1.22.22';
const YARN_MODERN = '4.18.1';
const MODERN_LOCK = /^__metadata:/m;

export async function packageTool(json: PackageJson, source: SourceTree): Promise<PackageTool> {
  const npmLock = NPM_LOCK_FILES.find((path) => source.paths.has(path));
  if (npmLock !== undefined) return npm(npmLock);
  if (source.paths.has(PNPM_LOCK_FILE)) return pnpm(namedVersion(json, 'pnpm') ?? pnpmFor(await source.readText(PNPM_LOCK_FILE)));
  if (source.paths.has(YARN_LOCK_FILE)) {
    const named = namedVersion(json, 'yarn');
    const isModern = named === undefined ? MODERN_LOCK.test(await source.readText(YARN_LOCK_FILE)) : !named.startsWith('1.');
    return isModern ? modernYarn(named) : classicYarn(named ?? YARN_CLASSIC);
  }
  return npm(undefined);
}

function npm(lockFile: string | undefined): PackageTool {
  return {
    title: 'npm',
    lockFile,
    environment: {},
    install: ({ withDevelopment, exact }) => [
      ...['npm', exact && lockFile !== undefined ? 'ci' : 'install', withDevelopment ? '--include=dev' : '--omit=dev', ...QUIET],
    ],
    prune: () => ['npm', 'prune', '--omit=dev', ...QUIET],
  };
}

function pnpm(version: string): PackageTool {
  // Its store is thrown away with the build's /tmp, so packages are copied out of it.
  const options = ['--store-dir=/tmp/pnpm-store', '--package-import-method=copy', '--reporter=append-only'];
  return {
    title: `pnpm ${version}`,
    lockFile: PNPM_LOCK_FILE,
    environment: {},
    install: ({ withDevelopment, exact }) =>
      fetched(`pnpm@${version}`, [
        ...['pnpm', 'install', exact ? '--frozen-lockfile' : '--no-frozen-lockfile', ...(withDevelopment ? ['--prod=false'] : ['--prod'])],
        ...options,
      ]),
    prune: () => fetched(`pnpm@${version}`, ['pnpm', 'prune', '--prod', '--ignore-scripts']),
  };
}

function classicYarn(version: string): PackageTool {
  const install = (production: boolean, more: readonly string[]): readonly string[] =>
    fetched(`yarn@${version}`, ['yarn', 'install', `--production=${production}`, '--non-interactive', ...more]);
  return {
    title: `yarn ${version}`,
    lockFile: YARN_LOCK_FILE,
    environment: {},
    install: ({ withDevelopment, exact }) => install(!withDevelopment, exact ? ['--frozen-lockfile'] : []),
    prune: () => install(true, ['--frozen-lockfile', '--ignore-scripts', '--prefer-offline']),
  };
}

/** Without a named version its lock file may be of an older form, which it writes anew: then nothing can be exact. */
function modernYarn(named: string | undefined): PackageTool {
  const yarn = (args: readonly string[]): readonly string[] => fetched(`@yarnpkg/cli-dist@${named ?? YARN_MODERN}`, ['yarn', ...args]);
  return {
    title: `yarn ${named ?? YARN_MODERN}`,
    lockFile: YARN_LOCK_FILE,
    // Its own way of loading packages needs a start through yarn; a directory node_modules needs nothing.
    environment: { YARN_NODE_LINKER: 'node-modules', YARN_ENABLE_TELEMETRY: '0', YARN_ENABLE_PROGRESS_BARS: '0' },
    install: ({ withDevelopment, exact }) =>
      withDevelopment
        ? yarn(['install', exact && named !== undefined ? '--immutable' : '--no-immutable'])
        : yarn(['workspaces', 'focus', '--all', '--production']),
    prune: () => yarn(['workspaces', 'focus', '--all', '--production']),
  };
}

function fetched(packageSpec: string, command: readonly string[]): readonly string[] {
  return ['npm', 'exec', '--yes', '--no-update-notifier', `--package=${packageSpec}`, '--', ...command];
}

/** "pnpm@9.1.0+sha512.abc" names 9.1.0 of pnpm. */
function namedVersion({ packageManager }: PackageJson, tool: string): string | undefined {
  const [, name, version] = /^(\w+)@(\d+\.\d+\.\d+[\w.-]*)(\+.*)?$/.exec(packageManager ?? '') ?? [];
  return name === tool ? version : undefined;
}

function pnpmFor(lockText: string): string {
  return PNPM_BY_LOCK_VERSION.find(([pattern]) => pattern.test(lockText))?.[1] ?? '10.34.9';
}
