// A real PostgreSQL server for tests and benches: a fresh cluster in a temporary folder, on a free port of 127.0.0.1, with
// a random password. It ends with `stop`, and also when the test's process dies: a guard process sees its pipe close.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { freePort } from './free-port.ts';

const DEBIAN_FOLDER = '/usr/lib/postgresql';
const USER = 'appengine';
const DATABASE = 'postgres';
const START_MS_MAX = 60_000;
const PORT_ATTEMPTS_MAX = 5;

export interface PostgresServerOptions {
  /**
   * Whether commits wait for the disk (default: no). Without it a killed server still loses nothing, since its writes are with
   * the operating system: only a power cut would show. Benches want it.
   */
  readonly fsync?: boolean;
  /** More of postgresql.conf, by name. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Undefined when PostgreSQL is there; else why suites are skipped, with the command that installs it. */
export function postgresSkip(): string | undefined {
  if (findBinaries() !== undefined) return undefined;
  const why = `PostgreSQL is missing. To install it: apt-get install -y --no-install-recommends postgresql`;
  console.warn(`SKIPPED: suites that need a PostgreSQL server. ${why}`);
  return why;
}

export class PostgresServer {
  readonly #binaries: string;
  readonly #folder: string;
  readonly #account: Account;
  readonly #password: string;
  readonly #port: number;
  readonly #options: PostgresServerOptions;
  readonly #guard: ChildProcess;
  #server: ChildProcess | undefined;

  private constructor(binaries: string, folder: string, password: string, port: number, options: PostgresServerOptions) {
    this.#binaries = binaries;
    this.#folder = folder;
    this.#account = serverAccount();
    this.#password = password;
    this.#port = port;
    this.#options = options;
    this.#guard = startGuard(folder, this.#account);
  }

  /** A server that answers. The caller must `stop` it. */
  static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    const binaries = findBinaries();
    if (binaries === undefined) throw new Error(postgresSkip());
    const password = randomBytes(16).toString('hex');
    for (let attempt = 1; ; attempt++) {
      const folder = await createCluster(binaries, password);
      const server = new PostgresServer(binaries, folder, password, await freePort(), options);
      try {
        await server.resume();
        return server;
      } catch (error) {
        await server.stop();
        // Somebody may have taken the port meanwhile.
        if (attempt === PORT_ATTEMPTS_MAX || !String(error).includes('could not bind')) throw error;
      }
    }
  }

  /** Of a role that may do everything. */
  get url(): string {
    return this.#url(DATABASE);
  }

  /** The URL of a new, empty database. */
  async createDatabase(): Promise<string> {
    const name = `d${randomBytes(8).toString('hex')}`;
    await this.query(`CREATE DATABASE ${name}`);
    return this.#url(name);
  }

  /** The URL of a new, empty schema: to a store as good as a database of its own, and made ten times as fast. */
  async createSchema(): Promise<string> {
    const name = `s${randomBytes(8).toString('hex')}`;
    await this.query(`CREATE SCHEMA ${name}`);
    return `${this.url}?options=-csearch_path%3D${name}`;
  }

  /** Runs one statement, of whoever calls: nothing is escaped. */
  async query(sql: string, url: string = this.url): Promise<readonly Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: url });
    // A server that is being stopped breaks its connections.
    client.on('error', () => undefined);
    await client.connect();
    try {
      const { rows } = await client.query<Record<string, unknown>>(sql);
      return rows;
    } finally {
      await client.end();
    }
  }

  /** Ends the server as a crash (SIGKILL) or an operator (SIGTERM waits for clients, SIGINT does not) would; the data stay. */
  async kill(signal: 'SIGKILL' | 'SIGINT' | 'SIGTERM' | 'SIGQUIT'): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server?.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill(signal);
    await exited;
  }

  /** Starts the server again after `kill`, at the same address. */
  async resume(): Promise<void> {
    const settings = {
      listen_addresses: '127.0.0.1',
      port: String(this.#port),
      unix_socket_directories: '',
      fsync: this.#options.fsync ? 'on' : 'off',
      shared_buffers: '64MB',
      max_connections: '100',
      jit: 'off',
      lc_messages: 'C',
      ...this.#options.settings,
    };
    for (const deadlineMs = Date.now() + START_MS_MAX; ;) {
      const server = spawn(
        join(this.#binaries, 'postgres'),
        ['-D', join(this.#folder, 'data'), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
        { cwd: this.#folder, stdio: ['ignore', 'ignore', 'pipe'], ...this.#account },
      );
      const problem = await readiness(server);
      if (problem === undefined) {
        this.#server = server;
        return;
      }
      // The processes of a killed server may still be letting go of its memory.
      if (!problem.includes('pre-existing shared memory block') || Date.now() > deadlineMs) throw new Error(problem);
    }
  }

  /** Ends the server and removes its data, twice without harm. */
  async stop(): Promise<void> {
    await this.kill('SIGQUIT');
    if (this.#guard.exitCode === null && this.#guard.signalCode === null) {
      const exited = once(this.#guard, 'exit');
      this.#guard.ref();
      this.#guard.stdin?.end();
      await exited;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  #url(database: string): string {
    return `postgres://${USER}:${this.#password}@127.0.0.1:${this.#port}/${database}`;
  }
}

/** Whom the server runs as; it refuses to be root. */
interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

function serverAccount(): Account {
  if (process.getuid?.() !== 0) return {};
  for (const name of ['postgres', 'nobody']) {
    const ids = ['-u', '-g'].map((option) => spawnSync('id', [option, name], { encoding: 'utf8' }));
    const [uid, gid] = ids.map(({ status, stdout }) => (status === 0 ? Number(stdout) : undefined));
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user postgres nor nobody');
}

/** The folder of the newest server's programs. */
function findBinaries(): string | undefined {
  const versions = existsSync(DEBIAN_FOLDER) ? readdirSync(DEBIAN_FOLDER).sort((left, right) => Number(right) - Number(left)) : [];
  const folders = [...versions.map((version) => join(DEBIAN_FOLDER, version, 'bin')), ...(process.env.PATH ?? '').split(delimiter)];
  return folders.find((folder) => ['initdb', 'postgres'].every((program) => isExecutable(join(folder, program))));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A new cluster in the folder that it returns. */
async function createCluster(binaries: string, password: string): Promise<string> {
  const account = serverAccount();
  const folder = await mkdtemp(join(tmpdir(), 'ae-postgres-'));
  try {
    const passwordFile = join(folder, 'password');
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (account.uid !== undefined && account.gid !== undefined) {
      await chown(folder, account.uid, account.gid);
      await chown(passwordFile, account.uid, account.gid);
    }
    await chmod(folder, 0o700);
    const result = spawnSync(
      join(binaries, 'initdb'),
      ['--pgdata', join(folder, 'data'), '--username', USER, '--pwfile', passwordFile, '--auth', 'scram-sha-256'].concat([
        ...['--encoding', 'UTF8', '--no-locale', '--no-sync', '--no-instructions'],
      ]),
      { cwd: folder, encoding: 'utf8', ...account },
    );
    if (result.status !== 0) throw new Error(`initdb failed (${dirname(folder)} must be open to its user): ${result.stderr}`);
    await rm(passwordFile);
    return folder;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Waits for this process to end (its standard input closes), then ends the server and removes its folder. */
function startGuard(folder: string, account: Account): ChildProcess {
  const script = `
    read -r _
    pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null
    for round in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$1" 2>/dev/null && break; sleep 0.3; done`;
  const guard = spawn('sh', ['-c', script, 'guard', folder], {
    cwd: '/',
    // A process group of its own: Ctrl-C must not end it first.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    ...account,
  });
  guard.unref();
  return guard;
}

/** Undefined once the server takes connections; else what it said before it ended. */
async function readiness(server: ChildProcess): Promise<string | undefined> {
  const said: string[] = [];
  const { stderr } = server;
  if (!stderr) return 'the server has no output';
  for await (const line of createInterface({ input: stderr })) {
    said.push(line);
    if (line.includes('ready to accept connections')) {
      stderr.resume();
      return undefined;
    }
  }
  return `PostgreSQL did not start: ${said.join('\n')}`;
}
