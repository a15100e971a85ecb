// The command line in its own process: the real terminal, the real clock, Ctrl-C.
import { text } from 'node:stream/consumers';
import { createInterface } from 'node:readline/promises';
import { isatty } from 'node:tty';
import { keepProcess, systemClock, systemTimers } from '../support/clock.ts';
import { openBrowser } from './browser.ts';
import { type ServePlatform } from './command-context.ts';
import { runCommandLine } from './main.ts';
import { TerminalPasswordSource } from './password-source.ts';
import { streamOf } from './process-stream.ts';
import { Terminal } from './terminal.ts';

/** Resolves with the exit code. */
export async function runInProcess(words: readonly string[], release: string, serve: ServePlatform): Promise<number> {
  const interrupt = new AbortController();
  process.once('SIGINT', () => {
    interrupt.abort();
  });
  // A reader that went away, as in `appengine logs tail | head`, is an end and no error.
  process.stdout.on('error', () => process.exit(0));
  const world = {
    terminal: new Terminal({ stdout: streamOf(process.stdout), stderr: streamOf(process.stderr), environment: process.env }),
    passwords: new TerminalPasswordSource(process.stdin, (text) => process.stderr.write(text)),
    environment: process.env,
    workingDirectory: process.cwd(),
    clock: systemClock,
    timers: systemTimers,
    signal: interrupt.signal,
    openBrowser,
    readInput: () => text(process.stdin),
    ...(isatty(process.stdin.fd) ? { askLine } : {}),
    serve,
  };
  // A command that sleeps until it asks again has nothing else that keeps the process.
  const letGo = keepProcess();
  try {
    return await runCommandLine(words, world, release);
  } finally {
    letGo();
  }
}

async function askLine(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}
