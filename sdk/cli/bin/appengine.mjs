#!/usr/bin/env node
// The command itself: `serve` and its roles belong to the runtime, everything else is a client of a running server.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const words = process.argv.slice(2);
const built = (path) => {
  const file = join(root, 'dist', path);
  if (existsSync(file)) return import(pathToFileURL(file).href);
  process.stderr.write('Error: this checkout is not built.\n  To mend it: run `npm run setup` in its directory.\n');
  process.exit(1);
};

if (words[0] === 'serve' || words[0] === 'role') {
  const { runServer } = await built('runtime/main.js');
  process.exitCode = await runServer(words);
} else {
  const [{ runCommandLine }, { Terminal }, { systemClock, systemTimers }] = await Promise.all([
    built('sdk/cli/main.js'),
    built('sdk/cli/terminal.js'),
    built('sdk/support/clock.js'),
  ]);
  const stream = (target) => ({ write: (text) => target.write(text), isTerminal: target.isTTY === true, columns: target.columns ?? 80 });
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort());
  // A reader that went away, as in `appengine logs tail | head`, is an end and no error.
  process.stdout.on('error', () => process.exit(0));
  const world = {
    terminal: new Terminal({ stdout: stream(process.stdout), stderr: stream(process.stderr), environment: process.env }),
    environment: process.env,
    workingDirectory: process.cwd(),
    clock: systemClock,
    timers: systemTimers,
    signal: interrupt.signal,
  };
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  process.exitCode = await runCommandLine(words, world, version);
}
