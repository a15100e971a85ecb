import { describe, expect, it } from 'vitest';
import { parseAppManifest } from '../../../sdk/contract/app-manifest/app-yaml.ts';
import { type AppManifest } from '../../../sdk/contract/app-manifest/manifest.ts';
import { findLanguage, RUNTIME_TABLE } from '../language-table.ts';
import { type SourceTree } from '../port.ts';
import { nodePackages } from './node-releases.ts';

const manifest = parseAppManifest('runtime: nodejs20\n', 'app.yaml');

type Files = Record<string, string | object>;

function tree(files: Files): SourceTree {
  return {
    paths: new Set(Object.keys(files)),
    readText: (path) => {
      const text = files[path];
      if (text === undefined) return Promise.reject(new Error(`no ${path}`));
      return Promise.resolve(typeof text === 'string' ? text : JSON.stringify(text));
    },
  };
}

const plan = (files: Files, change: Partial<AppManifest> = {}, at = '2026-01-01') => {
  const full = { ...manifest, ...change };
  return findLanguage(full.runtime).plan(full, tree(files), { nowMs: Date.parse(at) });
};
const shell = (text: string) => ['sh', '-c', `export PATH="$PWD/node_modules/.bin:$PATH"; ${text}`];
const commands = async (files: Files) => (await plan(files)).buildSteps.map(({ command }) => command.slice(0, 3).join(' '));

describe('language table', () => {
  it('names the runtimes that it knows when asked for another', () => {
    expect(() => findLanguage('cobol')).toThrow(
      'This runtime is not known: "cobol"; known are nodejs, nodejs20, nodejs22, nodejs24, python3, python38, python39, python310, python311, python312, python313, python314, java17, java21, java25, custom',
    );
  });
});

describe('how a Node.js app is started', () => {
  it.each<[string, Files, Partial<AppManifest>, readonly string[]]>([
    [
      'entrypoint first',
      { 'server.js': '', 'package.json': { scripts: { start: 'node a.js' } } },
      { entrypoint: 'node b.js --x=1' },
      ['node', 'b.js', '--x=1'],
    ],
    ['entrypoint through a shell', {}, { entrypoint: 'tsx "a b.ts" $X' }, shell('exec tsx "a b.ts" $X')],
    ['several commands without exec', {}, { entrypoint: 'node migrate.js && node server.js' }, shell('node migrate.js && node server.js')],
    ['a leading variable without exec', {}, { entrypoint: 'MODE=x node server.js' }, shell('MODE=x node server.js')],
    ['start script', { 'package.json': { scripts: { start: 'node ./src/app.js' }, main: 'm.js' } }, {}, ['node', './src/app.js']],
    ['start script with tools', { 'package.json': { scripts: { start: 'next start -p $PORT' } } }, {}, shell('exec next start -p $PORT')],
    ['main', { 'package.json': { main: './lib/index.js' }, 'lib/index.js': '', 'server.js': '' }, {}, ['node', 'lib/index.js']],
    ['main without extension', { 'package.json': { main: 'lib' }, 'lib/index.js': '' }, {}, ['node', 'lib/index.js']],
    ['main that the build makes', { 'package.json': { main: 'dist/x.js', scripts: { 'gcp-build': 'tsc' } } }, {}, ['node', 'dist/x.js']],
    ['server.js where main is missing', { 'package.json': { main: 'gone.js' }, 'server.js': '' }, {}, ['node', 'server.js']],
    ['server.js', { 'server.js': '', 'server.ts': '' }, {}, ['node', 'server.js']],
    ['server.ts without server.js', { 'server.ts': `import 'a';` }, {}, ['node', 'server.mjs']],
    ['main of TypeScript', { 'package.json': { main: './src/a.ts' }, 'src/a.ts': '' }, {}, ['node', 'src/a.js']],
    ['main of TypeScript without extension', { 'package.json': { main: 'src' }, 'src/index.ts': '' }, {}, ['node', 'src/index.js']],
    [
      'start script of TypeScript',
      { 'package.json': { type: 'module', scripts: { start: 'node a.ts' } }, 'a.ts': '' },
      {},
      ['node', 'a.js'],
    ],
    ['entrypoint of TypeScript', { 'a.cts': '' }, { entrypoint: 'node a.cts -v' }, ['node', 'a.cjs', '-v']],
  ])('%s', async (_name, files, change, command) => {
    expect((await plan(files, change)).command).toEqual(command);
  });

  it('says what to add when there is nothing to start', async () => {
    await expect(plan({ 'index.html': '' })).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      message: expect.stringContaining('a file server.js or server.ts'),
    });
  });

  it('says what is wrong with package.json', async () => {
    await expect(plan({ 'package.json': '{"main": ' })).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      message: expect.stringContaining('package.json: '),
    });
    await expect(plan({ 'package.json': { dependencies: { a: 1 } } })).rejects.toMatchObject({
      message: expect.stringContaining('"dependencies.a"'),
    });
  });

  it.each<[string, Files, boolean]>([
    ['node server.js', {}, false],
    ['MODE=x exec node --enable-source-maps server.js', {}, false],
    ['npm start', {}, false],
    ['./node_modules/.bin/next start', {}, false],
    ['next start -p $PORT', { 'package.json': { dependencies: { next: '16' } } }, false],
    ['serve dist', { 'package.json': { devDependencies: { '@me/serve': '1' } } }, false],
    ['./server.mjs', {}, false],
    ['python3 -m http.server $PORT', {}, true],
    ['./start.sh', {}, true],
    ['/usr/bin/env ruby app.rb', {}, true],
    ['next start', {}, true],
  ])('%s: whether it is put behind the forwarder', async (entrypoint, files, isForwarded) => {
    const { command, environment } = await plan(files, { entrypoint });
    expect(command[0] === '/srv/platform/forwarder/forwarder').toBe(isForwarded);
    expect('HTTP_PROXY' in environment).toBe(isForwarded);
    expect(environment['NODE_OPTIONS']).toContain('preload.cjs');
  });

  it('loads the preload', async () => {
    const { environment } = await plan({ 'server.js': '' });
    expect(environment).toEqual({ NODE_OPTIONS: '--require="/srv/platform/nodejs/preload.cjs"' });
  });

  it('names lines of TypeScript in stack traces', async () => {
    const { environment } = await plan({ 'server.ts': '' });
    expect(environment).toEqual({ NODE_OPTIONS: '--require="/srv/platform/nodejs/preload.cjs" --enable-source-maps' });
  });

  it('keeps the preload when the app has options of its own', async () => {
    const { command } = await plan({ 'server.js': '' }, { environment: { NODE_OPTIONS: '--enable-source-maps' } });
    expect(command).toEqual(['env', 'NODE_OPTIONS=--require="/srv/platform/nodejs/preload.cjs" --enable-source-maps', 'node', 'server.js']);
  });
});

describe('the Node that an app runs on', () => {
  const own = `nodejs${process.versions.node.split('.')[0] ?? ''}`;

  it("is the major that the runtime names, and without one the platform's own", async () => {
    const named = await Promise.all(
      ['nodejs', 'nodejs20', 'nodejs22', 'nodejs24'].map((runtime) => plan({ 'server.js': '' }, { runtime })),
    );
    expect(named.map(({ runtime }) => runtime)).toEqual([undefined, 'nodejs20', 'nodejs22', 'nodejs24']);
    expect(RUNTIME_TABLE.own).toEqual([own]);
  });

  it('is pinned for both kinds of processor', () => {
    for (const arch of ['x64', 'arm64']) {
      const packages = nodePackages('linux', arch);
      expect(packages.map(({ name }) => name)).toEqual(['nodejs20', 'nodejs22', 'nodejs24']);
      for (const { npmPackage, integrity, version, name } of packages) {
        expect(npmPackage).toBe(`node-linux-${arch}`);
        expect(integrity).toMatch(/^sha512-[\w+/]{86}==$/);
        expect(name).toBe(`nodejs${version.split('.')[0] ?? ''}`);
      }
    }
    expect(nodePackages('darwin', 'arm64')).toEqual([]);
    expect(nodePackages('linux', 'riscv64')).toEqual([]);
  });

  it('is noted when it is past its end of life', async () => {
    const notes = async (runtime: string, at: string) => (await plan({ 'server.js': '' }, { runtime }, at)).notes;
    expect(await notes('nodejs20', '2026-04-29')).toEqual([]);
    expect(await notes('nodejs20', '2026-05-01')).toEqual([
      'Node 20 is past its end of life (2026-04-30): it gets no security fixes; runtime: nodejs24 is current',
    ]);
    expect(await notes('nodejs', '2026-05-01')).toEqual([]);
  });

  it('is noted when package.json wants another', async () => {
    const notes = async (node: unknown) =>
      (await plan({ 'server.js': '', 'package.json': { engines: { node } } }, { runtime: 'nodejs24' })).notes;
    expect(await notes('>=22')).toEqual([]);
    expect(await notes('lts/*')).toEqual([]);
    expect(await notes(24)).toEqual([]);
    expect(await notes('^20.1')).toEqual([expect.stringContaining('package.json wants Node ^20.1')]);
  });
});

describe('how a Node.js app is built', () => {
  const dependencies = { express: '^5' };
  const start = { start: 'node a.js' };
  const lock = { 'package-lock.json': '{"lockfileVersion":3}' };

  it.each<[string, Files, string[]]>([
    ['nothing without packages', { 'server.js': '' }, []],
    ['npm ci with a lock file', { 'package.json': { scripts: start, dependencies }, ...lock }, ['npm ci --omit=dev']],
    ['npm ci with a shrinkwrap', { 'package.json': { scripts: start, dependencies }, 'npm-shrinkwrap.json': '{}' }, ['npm ci --omit=dev']],
    ['npm install without a lock file', { 'package.json': { scripts: start, dependencies } }, ['npm install --omit=dev']],
    [
      'nothing when node_modules was uploaded',
      { 'package.json': { scripts: start, dependencies }, 'node_modules/express/index.js': '' },
      [],
    ],
    ['nothing for development packages alone', { 'package.json': { scripts: start, devDependencies: { vitest: '4' } } }, []],
    [
      'the build script with all packages, then only those of production',
      { 'package.json': { scripts: { ...start, 'gcp-build': 'tsc' }, dependencies, devDependencies: { typescript: '6' } }, ...lock },
      ['npm ci --include=dev', 'npm run gcp-build', 'npm prune --omit=dev'],
    ],
    ['the build script alone', { 'package.json': { scripts: { ...start, 'gcp-build': 'make' } } }, ['npm run gcp-build']],
    ['nothing for the package of the platform', { 'package.json': { scripts: start, dependencies: { appengine: '^1' } } }, []],
  ])('%s', async (_name, files, expected) => {
    expect(await commands(files)).toEqual(expected);
  });

  it('leaves out the package of the platform while npm runs', async () => {
    const { buildSteps } = await plan({ 'package.json': { scripts: start, dependencies: { ...dependencies, appengine: '*' } }, ...lock });
    expect(buildSteps.map(({ command }) => command.slice(0, 2))).toEqual([
      ['node', '-e'],
      ['npm', 'install'],
      ['node', '-e'],
    ]);
  });

  it('installs with the tool of the lock file, and says which', async () => {
    const { buildSteps } = await plan({ 'package.json': { scripts: start, dependencies }, 'yarn.lock': '' });
    expect(buildSteps[0]?.title).toBe('Installing packages with yarn 1.22.22');
  });

  it("asks the app's own registry, and gives packages that compile the headers of the app's Node", async () => {
    const json = { scripts: start, dependencies };
    const environmentOf = async (npmrc: string, runtime: string) =>
      (await plan({ 'package.json': json, '.npmrc': npmrc }, { runtime })).buildSteps[0]?.environment;
    const own = `nodejs${process.versions.node.split('.')[0] ?? ''}`;
    const other = own === 'nodejs22' ? 'nodejs24' : 'nodejs22';
    expect(await environmentOf('//r.example/:_authToken=${TOKEN}\nregistry = https://r.example/\n', own)).toEqual({
      npm_config_registry: 'https://r.example/',
    });
    expect(await environmentOf('registry=${MINE}\n@mine:registry=https://r.example/\n', other)).toEqual({
      npm_config_nodedir: `/opt/runtimes/${other}`,
    });
  });

  it('compiles TypeScript with all packages there, and apart from what is shared', async () => {
    const json = { scripts: { start: 'node a.ts' }, dependencies };
    const typescript = { 'a.ts': '', ...lock };
    const shared = await plan({ ...typescript, 'package.json': json }, { runtime: 'nodejs22' });
    expect(shared.buildSteps.map(({ title }) => title)).toEqual(['Installing packages', 'Compiling packages ahead']);
    expect(shared.finishSteps?.map(({ command }) => command[2])).toEqual(['node22']);
    const own = { ...json, scripts: { ...json.scripts, 'gcp-build': 'x' }, devDependencies: { tool: '1' } };
    const built = await plan({ ...typescript, 'package.json': own });
    expect(built.buildSteps.map(({ title }) => title)).toEqual([
      ...['Installing packages', 'Building', 'Compiling TypeScript', 'Removing packages that only the build needed'],
    ]);
    expect(built.finishSteps).toEqual([]);
  });

  describe('compiled packages', () => {
    const json = { scripts: start, dependencies: { express: '^5', appengine: '*' } };
    const build = async (files: Files, runtime: string) => {
      const { buildSteps, environment } = await plan({ ...files, ...lock }, { runtime });
      return { titles: buildSteps.map(({ title }) => title), last: buildSteps.at(-1), directory: environment['NODE_COMPILE_CACHE'] };
    };

    it('are made of what the app declares, and read by its instances alone', async () => {
      const { last, directory } = await build({ 'package.json': json }, 'nodejs24');
      expect(directory).toBe('/srv/app/node_modules/.cache/appengine-compiled');
      expect(last).toMatchObject({ title: 'Compiling packages ahead', environment: { NODE_COMPILE_CACHE: directory } });
      expect(last?.command.slice(4)).toEqual(['express']);
    });

    it('come last, when packages that only the build needs are gone', async () => {
      const built = { ...json, scripts: { ...start, 'gcp-build': 'x' }, devDependencies: { typescript: '6' } };
      expect((await build({ 'package.json': built }, 'nodejs22')).titles.at(-1)).toBe('Compiling packages ahead');
    });

    it('are not made for a Node that has no such cache, nor without packages', async () => {
      for (const [files, runtime] of [
        [{ 'package.json': json }, 'nodejs20'],
        [{ 'server.js': '' }, 'nodejs24'],
      ] as const) {
        const { titles, directory } = await build(files, runtime);
        expect(titles).not.toContain('Compiling packages ahead');
        expect(directory).toBeUndefined();
      }
    });
  });

  describe('sharing', () => {
    const keyOf = async (files: Files, change: Partial<AppManifest> = {}) => (await plan(files, change)).buildCacheKey;
    const base: Files = { 'package.json': { scripts: start, dependencies }, ...lock };

    it('is by package.json, lock file and runtime', async () => {
      const key = await keyOf(base);
      expect(key).toMatch(/^[0-9a-f]{64}$/);
      expect(await keyOf({ ...base, 'a.js': 'anything' })).toBe(key);
      const others = await Promise.all([
        keyOf({ ...base, 'package-lock.json': '{}' }),
        keyOf({ ...base, 'package.json': { scripts: start, dependencies: { express: '^4' } } }),
        keyOf(base, { runtime: 'nodejs22' }),
        keyOf({ ...base, '.npmrc': 'omit=optional' }),
        keyOf({ 'package.json': base['package.json'] ?? '', 'yarn.lock': '' }),
      ]);
      expect(new Set([key, ...others]).size).toBe(6);
      expect((await plan(base)).buildOutputs).toEqual(['node_modules']);
    });

    it.each<[string, Files]>([
      ['there is no lock file', { 'package.json': { scripts: start, dependencies } }],
      ['the build script reads the app', { ...base, 'package.json': { scripts: { ...start, 'gcp-build': 'tsc' }, dependencies } }],
      ['an install script reads the app', { ...base, 'package.json': { scripts: { ...start, postinstall: 'patch' }, dependencies } }],
      ['a package lies within the app', { ...base, 'package.json': { scripts: start, dependencies: { mine: 'file:./mine' } } }],
    ])('is off when %s', async (_name, files) => {
      expect(await keyOf(files)).toBeUndefined();
    });
  });
});
