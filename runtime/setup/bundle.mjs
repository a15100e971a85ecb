// Makes dist/ with esbuild: the platform and the command line in a few files, so that a role is back within a moment after
// it died, and what an app imports as 'appengine' in one file for each module system, so that an instance reads one file
// at its start instead of fifty; the console's page by Vite. Types are checked by `npm run check`, not here.
import { build } from 'esbuild';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleConsole } from './console-bundle.mjs';
import { compileForwarder } from './forwarder.mjs';
import { bundleImageWorker } from './image-worker.mjs';
import { root } from './steps.mjs';

const dist = join(root, 'dist');
const sdk = join(dist, 'app-sdk');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

rmSync(dist, { recursive: true, force: true });
// The console's page is bundled beside the rest: both take about a second.
const consoleBundle = bundleConsole();
const common = {
  ...{ absWorkingDir: root, bundle: true, platform: 'node', target: 'node20', logLevel: 'warning' },
  // An import of types alone is none: by the sources' own setting it would load the file, and what is to be loaded late would come first.
  tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: false } },
};

await build({
  ...common,
  entryPoints: { serve: 'runtime/main.ts', cli: 'sdk/cli/entry.ts' },
  outdir: join(dist, 'bin'),
  format: 'esm',
  splitting: true,
  sourcemap: true,
  // Packages with native parts find them beside their own files.
  external: ['level', 'classic-level', 'msgpackr', '@node-rs/argon2'],
  // Bundled CommonJS packages require Node's own modules.
  banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
});

// The emulator apart: what it shares with the platform would come in larger pieces, and it must be there at once.
await build({
  ...common,
  entryPoints: { command: 'sdk/cli/emulator-entry.ts', datastore: 'runtime/platform/datastore-emulator.ts' },
  outdir: join(dist, 'emulator'),
  format: 'esm',
  splitting: true,
  sourcemap: true,
  external: ['level', 'classic-level'],
  banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
});

const app = {
  ...common,
  entryPoints: ['sdk/index.ts'],
  // The codec's pure form: its optional native part is not worth a file outside the bundle.
  alias: { msgpackr: join(root, 'node_modules', 'msgpackr', 'index.js') },
};
await build({ ...app, format: 'esm', outfile: join(sdk, 'index.js') });
await build({ ...app, format: 'cjs', outfile: join(sdk, 'index.cjs') });
writeFileSync(
  join(sdk, 'package.json'),
  `${JSON.stringify({ name: 'appengine', version, type: 'module', exports: { '.': { require: './index.cjs', default: './index.js' } } }, null, 2)}\n`,
);

const ASSETS = [
  'nodejs/preload.cjs',
  'nodejs/egress.cjs',
  'nodejs/datastore-connection.cjs',
  'nodejs/request-lines.cjs',
  'nodejs/compile-typescript.mjs',
  'forwarder/forwarder.cjs',
  'python/inside',
];
for (const asset of ASSETS) {
  const target = join(dist, 'runtime', 'languages', asset);
  mkdirSync(join(target, '..'), { recursive: true });
  cpSync(join(root, 'runtime', 'languages', asset), target, { recursive: true });
}
compileForwarder(join(dist, 'runtime', 'languages', 'forwarder'));

// A directory deeper than its neighbours: where there is no sandbox, links for instances are made beside their code.
await bundleImageWorker(join(dist, 'image-worker', 'code'));
await consoleBundle;
