import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, isListening } from '../contract/free-port.ts';

const LISTEN_TRIES_MAX = 1_000;
const LISTEN_LOOK_MS = 20;

/** The program of a bench app as `node server.js`, with nothing around it: no sandbox, no control group, no router. */
export class PlainApp {
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly #port: number;

  private constructor(child: ChildProcess, directory: string, port: number) {
    this.#child = child;
    this.#directory = directory;
    this.#port = port;
  }

  static async start(server: string): Promise<PlainApp> {
    const directory = await mkdtemp(join(tmpdir(), 'plain-app-'));
    await writeFile(join(directory, 'server.js'), server);
    const port = await freePort();
    // A process group of its own, so that its children end with it.
    const env = { PATH: process.env['PATH'], PORT: String(port) };
    const child = spawn(process.execPath, ['server.js'], { cwd: directory, env, stdio: 'ignore', detached: true });
    for (let tries = 0; tries < LISTEN_TRIES_MAX && !(await isListening(port)); tries++) {
      await new Promise((resolve) => setTimeout(resolve, LISTEN_LOOK_MS));
    }
    return new PlainApp(child, directory, port);
  }

  get target(): { readonly port: number; readonly host: string } {
    return { port: this.#port, host: 'localhost' };
  }

  async stop(): Promise<void> {
    const { pid } = this.#child;
    const ended = this.#child.exitCode === null && this.#child.signalCode === null ? once(this.#child, 'exit') : undefined;
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    await ended;
    await rm(this.#directory, { recursive: true, force: true });
  }
}
