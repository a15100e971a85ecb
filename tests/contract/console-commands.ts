// A console server with the ports of one test, and the command line that asks it.
import { type ConsoleApis } from '../../admin-console/console-app.ts';
import { ConsoleServer } from '../../admin-console/server.ts';
import { type AppsApi } from '../../admin-console/ports.ts';
import { runCommandLine } from '../../sdk/cli/main.ts';
import { Terminal } from '../../sdk/cli/terminal.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { systemClock, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';

const TOKEN = 'owner-token-of-the-test';

export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface ConsoleCommands {
  /** Runs `appengine` with these words. */
  readonly run: (...words: readonly string[]) => Promise<CommandResult>;
  readonly close: () => Promise<void>;
}

/** Knows the app `shop`, or `options.apps`, and what `apis` adds; a route of another port would fail. */
export async function startConsoleCommands(
  apis: Partial<ConsoleApis>,
  options: {
    readonly apps?: readonly string[];
    readonly askLine?: (question: string) => Promise<string>;
    /** Of the next command. */
    readonly signal?: () => AbortSignal;
    /** Instead of the owner's. */
    readonly token?: () => string;
  } = {},
): Promise<ConsoleCommands> {
  const apps: Partial<AppsApi> = {
    status: () => ({ release: '9.9.9', appUrlTemplate: 'http://{id}.localhost/', sandbox: 'process', warnings: [] }),
    app: (id) =>
      (options.apps ?? ['shop']).includes(id)
        ? Promise.resolve({ id, url: `http://${id}.localhost/`, createdAtMs: 0, services: [], dispatch: [] })
        : Promise.reject(new PlatformError('APP_NOT_FOUND', id)),
  };
  const server = new ConsoleServer({ apps, ...apis } as ConsoleApis, systemTimers, new MemoryLog(), { ownerToken: TOKEN });
  await server.start({ host: '127.0.0.1', port: 0 });
  const run = async (...words: readonly string[]): Promise<CommandResult> => {
    let [out, err] = ['', ''];
    const world = {
      terminal: new Terminal({
        stdout: { write: (text) => (out += text), isTerminal: false, columns: 80 },
        stderr: { write: (text) => (err += text), isTerminal: false, columns: 80 },
        environment: {},
      }),
      environment: { APPENGINE_SERVER: `http://127.0.0.1:${server.port}`, APPENGINE_TOKEN: options.token?.() ?? TOKEN },
      readInput: () => Promise.resolve(''),
      openBrowser: () => Promise.resolve(false),
      passwords: { ask: () => Promise.reject(new Error('nobody asks')), fromInput: () => Promise.reject(new Error('nobody reads')) },
      ...(options.askLine ? { askLine: options.askLine } : {}),
      ...{
        workingDirectory: '/nowhere',
        clock: systemClock,
        timers: systemTimers,
        signal: options.signal?.() ?? new AbortController().signal,
      },
    };
    const code = await runCommandLine(words, world, '9.9.9');
    return { code, out, err };
  };
  return { run, close: () => server.close() };
}
