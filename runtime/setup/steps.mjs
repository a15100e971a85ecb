// What a fresh clone needs before anything can run: packages, system programs, a build. Plain JavaScript, because it
// runs before there is a compiler. It must not start the platform: start.mjs does.
// Read next: start.mjs, test.mjs.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

const NODE_FLOOR = [20, 20];
const say = (text) => process.stderr.write(`${text}\n`);

/** System programs that make the platform better, and how Debian names them. */
export const systemPrograms = {
  bubblewrap: { program: 'bwrap', why: 'runs every app in a sandbox of its own', without: 'apps run as plain processes WITHOUT ISOLATION' },
};

/** The database server of another storage adapter: tests and benches start one of their own in a temporary folder. */
export const databasePrograms = {
  postgresql: {
    program: 'initdb',
    folders: postgresFolders,
    prepare: forbidCluster,
    why: 'is what the storage adapter for it is tested and measured against',
    without: 'its tests and benches are skipped',
  },
};

/** What only benches are measured against. Those of the first two also bring services: see `withoutServices`. */
export const benchPrograms = {
  nginx: { program: 'nginx', folders: () => ['/usr/sbin'], why: 'is a peer of the router', without: 'the bench has no rows for it' },
  haproxy: { program: 'haproxy', folders: () => ['/usr/sbin'], why: 'is a peer of the router', without: 'the bench has no rows for it' },
  ...databasePrograms,
};

/** System programs that only tests use. */
export const testPrograms = {
  chromium: { program: 'chromium', why: 'drives the console as a user would', without: 'the tests in tests/browser are skipped' },
  gcc: { program: 'gcc', why: 'compiles the faulty disk that the datastore is tested on', without: 'those tests are skipped' },
  'libc6-dev': {
    program: 'stdio.h',
    folders: () => ['/usr/include'],
    why: 'is what the faulty disk is compiled against',
    without: 'those tests are skipped',
  },
  'python3-venv': pythonTestPackage('ensurepip', pythonLibraries),
  'python3-flask': pythonTestPackage('flask'),
  'python3-uvicorn': pythonTestPackage('uvicorn'),
  gunicorn: pythonTestPackage('gunicorn'),
  ...databasePrograms,
};

function pythonTestPackage(program, folders = () => ['/usr/lib/python3/dist-packages']) {
  return {
    program,
    folders,
    why: 'is what apps in Python are tested with',
    without: 'those tests in tests/integration/languages.test.ts are skipped',
  };
}

/** One for each Python of the machine. */
function pythonLibraries() {
  return readdirSync('/usr/lib')
    .filter((name) => /^python3\.\d+$/.test(name))
    .map((name) => join('/usr/lib', name));
}

/** Stops with a message for people; the exit code is 1. */
function stop(what, mend) {
  say(`appengine: ${what}\n  To mend it: ${mend}`);
  process.exit(1);
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  return result.status === 0;
}

export function has(program, moreFolders = []) {
  return [...moreFolders, ...(process.env.PATH ?? '').split(':')].some(
    (directory) => directory !== '' && existsSync(join(directory, program)),
  );
}

/** Debian keeps PostgreSQL's programs out of PATH, a folder for each version. */
function postgresFolders() {
  const home = '/usr/lib/postgresql';
  return existsSync(home) ? readdirSync(home).map((version) => join(home, version, 'bin')) : [];
}

/** Debian's package creates and starts a cluster of its own, unless a file that is there before it says not to. */
function forbidCluster() {
  const folder = '/etc/postgresql-common';
  if (existsSync(folder)) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'createcluster.conf'),
    '# Written by appengine: its tests start servers of their own.\ncreate_main_cluster = false\n',
  );
}

/** Debian starts a service as soon as it is installed, unless this file says not to; it is gone again afterwards. */
export function withoutServices(action) {
  const file = '/usr/sbin/policy-rc.d';
  if (process.getuid?.() !== 0 || !has('apt-get') || existsSync(file)) {
    action();
    return;
  }
  writeFileSync(file, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    action();
  } finally {
    rmSync(file, { force: true });
  }
}

export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NODE_FLOOR[0] || (major === NODE_FLOOR[0] && minor >= NODE_FLOOR[1])) return;
  stop(
    `Node ${process.versions.node} is too old, ${NODE_FLOOR.join('.')} is the floor.`,
    'install Node 20.20 or later, then run this again.',
  );
}

/** Installs the packages that package-lock.json names, when they are not there as it names them. */
export function installPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = join(root, 'node_modules', '.appengine-packages');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  say('Installing packages (npm install), about 20 seconds …');
  // An install that is interrupted must not pass for a complete one.
  rmSync(stamp, { force: true });
  // Not `npm ci`: it refuses a lock file that leaves out optional packages of other systems, as one does that was written
  // against a mirror without them. This installs the locked versions just so, and writes nothing.
  if (!run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'])) {
    stop('npm could not install the packages.', 'check the network and what npm printed above, then run this again.');
  }
  writeFileSync(stamp, lock);
}

/** Makes `npx appengine` in the repository find the command of this checkout. */
export function linkCommand() {
  const link = join(root, 'node_modules', '.bin', 'appengine');
  const target = join('..', '..', 'sdk', 'cli', 'bin', 'appengine.mjs');
  if (existsSync(link)) return;
  mkdirSync(dirname(link), { recursive: true });
  rmSync(link, { force: true });
  symlinkSync(target, link);
}

/** Installs missing system programs through apt-get when root, else prints the command. Never fails. */
export function installSystemPrograms(programs = systemPrograms) {
  if (process.platform !== 'linux') return;
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = (...names) =>
    run('apt-get', ['-qq', 'install', '-y', '--no-install-recommends', ...names], { env: environment, stdio: 'ignore' });
  const canInstall = process.getuid?.() === 0 && has('apt-get');
  const missing = Object.entries(programs).filter(([, { program, folders = () => [] }]) => !has(program, folders()));
  if (canInstall && missing.length > 1) {
    // All at once takes a quarter of the time; where that fails, one after another says which it is.
    say(`Installing ${missing.map(([name]) => name).join(', ')} …`);
    for (const [, { prepare: prepareInstall = () => undefined }] of missing) prepareInstall();
    const all = missing.map(([name]) => name);
    if (!install(...all)) {
      run('apt-get', ['-qq', 'update'], { env: environment, stdio: 'ignore' });
      install(...all);
    }
  }
  for (const [name, { program, folders = () => [], prepare: prepareInstall = () => undefined, why, without }] of missing) {
    if (has(program, folders())) continue;
    const command = `apt-get install -y --no-install-recommends ${name}`;
    if (!canInstall) {
      say(`\n  *** ${name} is missing: it ${why}. Until it is there, ${without}.\n  *** To install it: sudo ${command}\n`);
      continue;
    }
    say(`Installing ${name} (${command}) …`);
    prepareInstall();
    if (!install(name)) {
      run('apt-get', ['-qq', 'update'], { env: environment, stdio: 'ignore' });
      install(name);
    }
    if (!has(program, folders()))
      say(`\n  *** ${name} could not be installed: it ${why}. Until it is there, ${without}.\n  *** To install it by hand: ${command}\n`);
  }
}

const sourceFolders = ['sdk', 'gql', 'datastore', 'router', 'runtime', 'admin-console'];

/** Builds dist/ when a source is newer or other than what was built last. */
export function build({ quiet = false } = {}) {
  if (!run(process.execPath, ['gql/compile-grammar.mjs'])) stop('The GQL grammar does not compile.', 'look at the lines above.');
  const stamp = join(root, 'dist', '.sources');
  const sources = fingerprint();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return;
  if (!quiet) say('Building …');
  rmSync(stamp, { force: true });
  if (!run(process.execPath, [join('runtime', 'setup', 'bundle.mjs')]))
    stop('The sources could not be bundled.', 'look at the lines above.');
  writeFileSync(stamp, sources);
}

function fingerprint() {
  const hash = createHash('sha256');
  // With a compiler, part of it is compiled: see forwarder.mjs.
  hash.update(`${has('cc') || has('gcc') || has('clang')}\n`);
  for (const file of ['package-lock.json', 'tsconfig.json']) hash.update(readFileSync(join(root, file)));
  for (const folder of sourceFolders) {
    for (const path of filesBelow(join(root, folder))) {
      const { mtimeMs, size } = statSync(path);
      hash.update(`${relative(root, path)}\0${mtimeMs}\0${size}\n`);
    }
  }
  return hash.digest('hex');
}

function filesBelow(directory) {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** Everything that a fresh clone needs, each part only when it is missing or stale. */
export function prepare() {
  checkNode();
  installPackages();
  linkCommand();
  installSystemPrograms();
  build();
}
