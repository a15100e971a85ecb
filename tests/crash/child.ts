// Starts and kills the datastore process of server.ts.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const READY_MS_MAX = 20_000;

/** The server in one file, so that a start takes as long as that of the datastore role. */
export class ServerProgram {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async build(): Promise<ServerProgram> {
    // Below the repository, where it finds the packages with native parts.
    const path = join(root, 'build', `crash-server-${process.pid}.mjs`);
    await build({
      absWorkingDir: root,
      entryPoints: ['tests/crash/server.ts'],
      outfile: path,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      logLevel: 'warning',
      external: ['level', 'classic-level', 'msgpackr', 'pg'],
      banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
    });
    return new ServerProgram(path);
  }

  remove(): Promise<void> {
    return rm(this.path, { force: true });
  }
}

export interface ChildOptions {
  /** A tablet with more is cut. */
  readonly splitBytes?: number;
  /** On top of our own. */
  readonly environment?: Readonly<Record<string, string>>;
}

export class DatastoreChild {
  /** A directory for sockets: their paths must be short. */
  static async socketDirectory(): Promise<string> {
    return mkdtemp(join(tmpdir(), 'crash-'));
  }

  readonly socket: string;
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #ready: Promise<boolean>;
  #errors = '';

  /** Starts the process on the data in `directory`. */
  constructor(program: ServerProgram, directory: string, socket: string, { splitBytes = 48 * 1024, environment = {} }: ChildOptions = {}) {
    this.socket = socket;
    const child = spawn(process.execPath, [program.path, directory, socket, String(splitBytes)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    this.#child = child;
    child.stderr.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()));
    this.exited = new Promise((resolve) => child.once('close', (code) => resolve(code)));
    this.#ready = new Promise((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        if (chunk.includes('ready')) resolve(true);
      });
      void this.exited.then(() => resolve(false));
    });
  }

  /** What it wrote to stderr. */
  get errors(): string {
    return this.#errors;
  }

  get hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Throws with what the process had to say when it ends first. */
  async ready(): Promise<void> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), READY_MS_MAX);
    const isReady = await this.#ready;
    clearTimeout(timer);
    if (!isReady) throw new Error(`The datastore did not start: exit code ${await this.exited}\n${this.#errors}`);
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }
}
