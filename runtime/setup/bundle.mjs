// Bundles what an app imports as 'appengine' into one file for each module system, so that an instance reads one file
// instead of fifty at its start, and copies the files that the compiler leaves alone.
import { build } from 'esbuild';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './steps.mjs';

const out = join(root, 'dist', 'app-sdk');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const common = {
  absWorkingDir: root,
  entryPoints: ['sdk/index.ts'],
  bundle: true,
  platform: 'node',
  target: 'node20',
  // The codec's pure form: its optional native part is not worth a file outside the bundle.
  alias: { msgpackr: join(root, 'node_modules', 'msgpackr', 'index.js') },
  logLevel: 'warning',
};
await build({ ...common, format: 'esm', outfile: join(out, 'index.js') });
await build({ ...common, format: 'cjs', outfile: join(out, 'index.cjs') });
writeFileSync(
  join(out, 'package.json'),
  `${JSON.stringify({ name: 'appengine', version, type: 'module', exports: { '.': { require: './index.cjs', default: './index.js' } } }, null, 2)}\n`,
);

for (const asset of ['runtime/languages/nodejs/preload.cjs']) {
  const target = join(root, 'dist', asset);
  mkdirSync(join(target, '..'), { recursive: true });
  cpSync(join(root, asset), target);
}
