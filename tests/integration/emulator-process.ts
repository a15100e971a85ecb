// The emulator as a user starts it: `appengine emulator datastore` in a process of its own. Tests speak to it over gRPC, and through what
// it prints.
import { type ChildProcess, spawn } from 'node:child_process';
import * as grpc from '@grpc/grpc-js';
import { decode, encode, messageType, type Plain } from '../../datastore/api/v1/messages/v1-fixture.ts';
import { type V1Method } from '../../datastore/api/v1/port.ts';
import { command, type CommandResult } from './platform-process.ts';

const READY_MS_MAX = 30_000;

export interface EmulatorSettings {
  readonly workingDirectory: string;
  readonly input?: string;
}

/** The test runner asks its children for colour, and the machine may name a project; a user's shell does neither. */
const ENVIRONMENT: NodeJS.ProcessEnv = {
  ...process.env,
  ...{ FORCE_COLOR: undefined, GOOGLE_CLOUD_PROJECT: undefined, DATASTORE_PROJECT_ID: undefined },
};

/** On a free port, as all of them are in tests. */
function spawnEmulator(words: readonly string[], { workingDirectory, input }: EmulatorSettings): ChildProcess {
  const child = spawn(process.execPath, [command, 'emulator', 'datastore', '--port', '0', ...words], {
    cwd: workingDirectory,
    env: ENVIRONMENT,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  child.stdin?.end(input);
  return child;
}

/** Runs one to its end. */
export async function runEmulator(words: readonly string[], settings: EmulatorSettings): Promise<CommandResult> {
  const emulator = new EmulatorProcess(spawnEmulator(words, settings));
  const code = await emulator.exited;
  return { code, stdout: emulator.stdout, stderr: emulator.stderr };
}

export class EmulatorProcess {
  readonly #child: ChildProcess;
  readonly #client: { current?: grpc.Client } = {};
  /** With the exit code when all that it printed is there; null after a signal. */
  readonly exited: Promise<number | null>;
  stdout = '';
  stderr = '';
  #onOutput: () => void = () => undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
      this.#onOutput();
    });
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.exited = new Promise((resolve) => {
      child.once('close', (code) => {
        this.#client.current?.close();
        resolve(code);
        this.#onOutput();
      });
    });
  }

  /** One that is ready. */
  static async start(words: readonly string[], settings: EmulatorSettings): Promise<EmulatorProcess> {
    const emulator = new EmulatorProcess(spawnEmulator(words, settings));
    await emulator.printed(/^# ready/m);
    return emulator;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** As the lines for a shell say. */
  get variables(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.stdout.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));
  }

  /** Waits until standard output has it. */
  async printed(pattern: RegExp): Promise<void> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), READY_MS_MAX);
    while (!pattern.test(this.stdout)) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`the emulator ended without ${String(pattern)}:\n${this.stdout}${this.stderr}`);
      }
      await new Promise<void>((resolve) => (this.#onOutput = resolve));
    }
    clearTimeout(timer);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Resolves with the exit code. */
  stop(name: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    this.signal(name);
    return this.exited;
  }

  /** One call over gRPC; `project` by default that of the variables. Rejects with grpc's error. */
  call(method: V1Method, request: Plain, project = this.variables['GOOGLE_CLOUD_PROJECT']): Promise<Plain> {
    this.#client.current ??= new grpc.Client(this.variables['DATASTORE_EMULATOR_HOST'] ?? '', grpc.credentials.createInsecure());
    const client = this.#client.current;
    const bytes = encode(messageType(`${method}Request`), { projectId: project, ...request });
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        `/google.datastore.v1.Datastore/${method}`,
        (message: Buffer) => message,
        (answer) => decode(messageType(`${method}Response`), answer),
        bytes,
        (error, answer) => {
          if (error) reject(error);
          else resolve(answer ?? {});
        },
      );
    });
  }

  /** The status of a POST without a body, and what it answers. */
  async post(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(`${this.variables['DATASTORE_HOST'] ?? ''}${path}`, { method: 'POST' });
    return { status: response.status, text: await response.text() };
  }
}
