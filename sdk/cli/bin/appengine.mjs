#!/usr/bin/env node
// The command itself: `serve`, its roles and `doctor` belong to the runtime, everything else is a client of a running server; `dev`
// is such a client too, of a server in its own process.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const words = process.argv.slice(2);
const isServer = ['serve', 'doctor', 'role'].includes(words[0]);
const bundle = (name) => join(root, 'dist', 'bin', name);
const load = (name) => import(pathToFileURL(bundle(name)).href);

if (existsSync(bundle('serve.js')) && existsSync(bundle('cli.js'))) {
  process.exitCode = isServer ? await (await load('serve.js')).runServer(words) : await client();
} else {
  process.stderr.write('Error: this checkout is not built.\n  To mend it: run `npm run setup` in its directory.\n');
  process.exitCode = 1;
}

async function client() {
  const { runInProcess } = await load('cli.js');
  const serve = async (flags, onReady) => (await load('serve.js')).runPlatform(flags, onReady);
  return runInProcess(words, JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version, serve);
}
