// A whole platform as a user starts it: `appengine serve` in a process of its own, on free ports, in a temporary
// directory. Tests talk to it over sockets and through the command line only.
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const command = join(root, 'sdk', 'cli', 'bin', 'appengine.mjs');

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Waits until `check` returns something, for at most `msMax`; `what` names it when it never does. */
export async function waitFor<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  msMax = 20_000,
): Promise<T> {
  const endMs = Date.now() + msMax;
  for (;;) {
    const found = await check();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > endMs) throw new Error(`Not within ${msMax} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** The test runner asks its children for colour; a user's shell does not. */
const PLAIN_ENVIRONMENT: NodeJS.ProcessEnv = { ...process.env, FORCE_COLOR: undefined };

/** Runs a program to its end. */
export function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv; readonly msMax?: number } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd ?? root,
      env: options.env ?? PLAIN_ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const timer = setTimeout(() => child.kill('SIGKILL'), options.msMax ?? 120_000);
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    });
  });
}

export interface HttpOptions {
  readonly method?: string;
  readonly form?: Readonly<Record<string, string>>;
  /** Sent as it is, instead of a form. */
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly msMax?: number;
  readonly agent?: Agent;
}

/** A request to a port of this machine with a Host header of its own. */
export function httpByHost(port: number, host: string, path: string, options: HttpOptions = {}): Promise<Answer> {
  const body = options.form === undefined ? options.body : new URLSearchParams(options.form).toString();
  const type = options.form === undefined ? 'application/octet-stream' : 'application/x-www-form-urlencoded';
  const form = body === undefined ? {} : { 'content-type': type, 'content-length': String(Buffer.byteLength(body)) };
  const method = options.method ?? (body === undefined ? 'GET' : 'POST');
  const agent = options.agent === undefined ? {} : { agent: options.agent };
  return new Promise((resolve, reject) => {
    const settings = {
      host: '127.0.0.1',
      port,
      path,
      method,
      headers: { host, ...form, ...options.headers },
      timeout: options.msMax ?? 30_000,
      ...agent,
    };
    const outgoing = request(settings, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }),
      );
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('the client waited too long')));
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly commandLine: string;
}

/** Every process below `ancestor`, from /proc. */
export function processesBelow(ancestor: number): ProcessRow[] {
  const rows: ProcessRow[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      rows.push({ pid: Number(name), parent, commandLine: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() });
    } catch {
      // It ended while we looked.
    }
  }
  const below = new Set([ancestor]);
  for (let before = 0; before !== below.size;) {
    before = below.size;
    for (const row of rows) if (below.has(row.parent)) below.add(row.pid);
  }
  return rows.filter((row) => row.pid !== ancestor && below.has(row.pid));
}

export function isAlive(pid: number): boolean {
  try {
    // A zombie still answers kill(0): only its parent's wait is missing.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^\s*Z/.test(stat.slice(stat.lastIndexOf(')') + 1));
  } catch {
    return false;
  }
}

export class PlatformProcess {
  readonly dataDirectory: string;
  readonly #options: readonly string[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #child: ChildProcess | undefined;
  #exited: Promise<number | null> = Promise.resolve(null);
  #output = '';
  routerPort = 0;
  consoleUrl = '';
  datastoreAddress = '';

  private constructor(dataDirectory: string, options: readonly string[]) {
    this.dataDirectory = dataDirectory;
    this.#options = options;
  }

  /** A platform in a new data directory, started and ready. */
  static async start(...options: readonly string[]): Promise<PlatformProcess> {
    const platform = new PlatformProcess(await mkdtemp(join(tmpdir(), 'ae-test-')), options);
    await platform.start();
    return platform;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Everything that it printed, stderr included: for the message of a failed test. */
  get output(): string {
    return this.#output;
  }

  async start(): Promise<void> {
    const ports = this.routerPort === 0 ? ['--port', '0', '--console-port', '0', '--datastore-port', '0'] : this.#samePorts();
    const child = spawn(process.execPath, [command, 'serve', '--data-dir', this.dataDirectory, ...ports, ...this.#options], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own, as a shell gives to a command.
      detached: true,
    });
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
    child.stderr.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    const ready = new Promise<string>((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.#output += `${line}\n`;
        if (line.startsWith('ready ')) resolve(line);
      });
    });
    const failed = this.#exited.then((code) =>
      Promise.reject(new Error(`serve exited with ${code} before it was ready:\n${this.#output}`)),
    );
    failed.catch(() => undefined);
    const timer = new Promise<never>((_resolve, reject) => {
      setTimeout(() => reject(new Error(`serve was not ready in 30 s:\n${this.#output}`)), 30_000).unref();
    });
    const line = await Promise.race([ready, failed, timer]);
    const match = /^ready router=http:\/\/127\.0\.0\.1:(\d+) console=(http:\/\/127\.0\.0\.1:\d+) datastore=(127\.0\.0\.1:\d+)$/.exec(line);
    if (!match) throw new Error(`not a ready line: ${line}`);
    this.routerPort = Number(match[1]);
    this.consoleUrl = match[2]!;
    this.datastoreAddress = match[3]!;
  }

  /** The exit code, once it has ended. */
  get exited(): Promise<number | null> {
    return this.#exited;
  }

  /** The status of a POST without a body to the datastore's port. */
  async postToDatastore(path: string): Promise<number> {
    return (await fetch(`http://${this.datastoreAddress}${path}`, { method: 'POST' })).status;
  }

  /** Orderly end; resolves with the exit code. */
  async stop(): Promise<number | null> {
    this.#child?.kill('SIGTERM');
    return this.#exited;
  }

  /** What a terminal does: SIGINT to every process of the group. */
  async pressCtrlC(): Promise<number | null> {
    process.kill(-this.pid, 'SIGINT');
    return this.#exited;
  }

  /** kill -9 of every process of the platform at once, the apps' included. */
  async killTree(): Promise<void> {
    for (const row of [{ pid: this.pid }, ...processesBelow(this.pid)]) {
      try {
        process.kill(row.pid, 'SIGKILL');
      } catch {
        // Gone with its parent.
      }
    }
    await this.#exited;
  }

  /** The process of a role. */
  rolePid(role: string): number | undefined {
    return processesBelow(this.pid).find((row) => new RegExp(`\\brole ${role}\\b`).test(row.commandLine))?.pid;
  }

  /** A request to an app, by its host name. */
  http(host: string, path: string, options: HttpOptions = {}): Promise<Answer> {
    return httpByHost(this.routerPort, `${host}.localhost`, path, { agent: this.#agent, ...options });
  }

  /** `appengine ARGS` against this platform. */
  appengine(...args: readonly string[]): Promise<CommandResult> {
    return run(process.execPath, [command, ...args, '--server', this.consoleUrl, '--data-dir', this.dataDirectory]);
  }

  /** As `appengine`, failing the test unless it succeeds; returns stdout parsed as JSON. */
  async appengineJson<T>(...args: readonly string[]): Promise<T> {
    const result = await this.appengine(...args, '--json');
    if (result.code !== 0)
      throw new Error(`appengine ${args.join(' ')} exited with ${result.code}:\n${result.stdout}${result.stderr}\n${this.#output}`);
    return JSON.parse(result.stdout) as T;
  }

  /** Stops what still runs and removes the data directory. */
  async remove(): Promise<void> {
    this.#agent.destroy();
    if (this.#child?.exitCode === null && this.#child.signalCode === null) await this.stop();
    await rm(this.dataDirectory, { recursive: true, force: true });
  }

  #samePorts(): string[] {
    const portOf = (address: string): string => address.slice(address.lastIndexOf(':') + 1);
    return [
      '--port',
      String(this.routerPort),
      '--console-port',
      portOf(this.consoleUrl),
      '--datastore-port',
      portOf(this.datastoreAddress),
    ];
  }
}
