#!/usr/bin/env node
// The command itself: `serve` and its roles belong to the runtime, everything else is a client of a running server.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const words = process.argv.slice(2);
const isServer = words[0] === 'serve' || words[0] === 'role';
const bundle = join(root, 'dist', 'bin', isServer ? 'serve.js' : 'cli.js');

if (existsSync(bundle)) {
  const { runServer, runInProcess } = await import(pathToFileURL(bundle).href);
  process.exitCode = isServer
    ? await runServer(words)
    : await runInProcess(words, JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version);
} else {
  process.stderr.write('Error: this checkout is not built.\n  To mend it: run `npm run setup` in its directory.\n');
  process.exitCode = 1;
}
