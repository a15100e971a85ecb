#!/usr/bin/env node
// The command itself: `serve`, its roles and `doctor` belong to the runtime, everything else is a client of a running server; `dev`
// is such a client too, of a server in its own process. `emulator` is bundled by itself, to be there at once.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const words = process.argv.slice(2);
const isServer = ['serve', 'doctor', 'role'].includes(words[0]);
const bundle = (name) => join(root, 'dist', name);
const load = (name) => import(pathToFileURL(bundle(name)).href);

if (['bin/serve.js', 'bin/cli.js', 'emulator/command.js'].every((name) => existsSync(bundle(name)))) {
  process.exitCode = isServer
    ? await (await load('bin/serve.js')).runServer(words)
    : await (words[0] === 'emulator' ? emulator() : client());
} else {
  process.stderr.write('Error: this checkout is not built.\n  To mend it: run `npm run setup` in its directory.\n');
  process.exitCode = 1;
}

async function client() {
  const { runInProcess } = await load('bin/cli.js');
  const serve = async (flags, onReady) => (await load('bin/serve.js')).runPlatform(flags, onReady);
  return runInProcess(words, JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version, serve);
}

async function emulator() {
  const [{ runEmulator }, { startDatastoreEmulator, startCommand }] = await Promise.all([
    load('emulator/command.js'),
    load('emulator/datastore.js'),
  ]);
  return runEmulator(words.slice(1), startDatastoreEmulator, startCommand);
}
