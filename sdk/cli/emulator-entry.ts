// `appengine emulator` in its own process. It is bundled apart from the rest of the command line, so that it starts at once.
import { type StartCommand, type StartEmulator } from '../contract/emulator.ts';
import { keepProcess, systemTimers } from '../support/clock.ts';
import { keepOutOfGit } from './data-ignored.ts';
import { runEmulatorCommand } from './emulator.ts';
import { streamOf } from './process-stream.ts';
import { Terminal } from './terminal.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Resolves with the exit code, when everything has ended. */
export async function runEmulator(words: readonly string[], start: StartEmulator, startCommand: StartCommand): Promise<number> {
  // A reader that went away, as in `appengine emulator datastore | head`, has seen what it wanted; the emulator goes on.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const letGo = keepProcess();
  try {
    return await runEmulatorCommand(words, {
      terminal: new Terminal({ stdout: streamOf(process.stdout), stderr: streamOf(process.stderr), environment: process.env }),
      environment: process.env,
      workingDirectory: process.cwd(),
      timers: systemTimers,
      start,
      startCommand,
      keepOutOfGit,
      onSignal: (listener) => {
        for (const name of SIGNALS) process.on(name, listener);
        return () => {
          for (const name of SIGNALS) process.off(name, listener);
        };
      },
    });
  } finally {
    letGo();
  }
}
