// The data directory: everything durable of one platform, held by one process at a time.
//
//   store/ blobs/ bundles/ logs/ cache/ mail/ runtimes/     what the other parts keep
//   credentials/owner-token                 mode 0600, made once
//   credentials/sign-in-codes, console-sessions    hashes, written by the control role
//   credentials/session-key                 the same; signs the sessions of people at apps
//   credentials/store-holder                the same; names this platform to a database server (serve --store)
//   lock                                    who holds the directory; see LockRecord
import { linkSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { type Clock, type Random } from '../../sdk/support/clock.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { processIdentity } from './process-identity.ts';

const lockRecord = z.object({
  pid: z.number(),
  /** See process-identity.ts. */
  identity: z.string(),
  startedAtMs: z.number(),
  ports: z.record(z.string(), z.number()),
  runDirectory: z.string(),
});
type LockRecord = z.infer<typeof lockRecord>;

export interface DataPaths {
  readonly root: string;
  readonly store: string;
  readonly blobs: string;
  readonly bundles: string;
  readonly logs: string;
  readonly credentials: string;
  readonly cache: string;
  readonly mail: string;
  /** See runtime-directory.ts. */
  readonly runtimes: string;
}

const RUN_PREFIX = 'ae-';
const SECRET_BYTES = 32;
/** A unix socket's path may have 107 bytes; below a run directory come `/i/`, 12 digits and `/app/app.sock`. */
const RUN_DIRECTORY_BYTES_MAX = 107 - '/i/000000000000/app/app.sock'.length;

export class DataDirectory {
  readonly paths: DataPaths;
  /** Short and private (0700), for sockets; gone after `close`. */
  readonly runDirectory: string;
  readonly #random: Random;
  #record: LockRecord;
  #closed = false;

  private constructor(paths: DataPaths, record: LockRecord, random: Random) {
    this.paths = paths;
    this.runDirectory = record.runDirectory;
    this.#record = record;
    this.#random = random;
  }

  /**
   * Makes the directory where it is missing, with those of its `parts` that are wanted (default all), and takes its lock. A lock left
   * by a process that is gone is taken over, and the run directory that it left is removed. Throws DATA_DIR_HELD naming who holds it.
   */
  static open(
    root: string,
    clock: Clock,
    random: Random,
    { parts }: { readonly parts?: readonly (keyof DataPaths)[] } = {},
  ): DataDirectory {
    const paths = pathsOf(resolve(root));
    const wanted = parts ? [paths.root, ...parts.map((part) => paths[part])] : Object.values<string>({ ...paths });
    for (const path of wanted) mkdirSync(path, { recursive: true, mode: 0o700 });
    const record: LockRecord = {
      pid: process.pid,
      identity: processIdentity(process.pid) ?? '',
      startedAtMs: clock.nowMs(),
      ports: {},
      runDirectory: makeRunDirectory(),
    };
    try {
      takeLock(paths.root, record, random);
    } catch (error) {
      rmSync(record.runDirectory, { recursive: true, force: true });
      throw error;
    }
    return new DataDirectory(paths, record, random);
  }

  /** Who holds the directory now; undefined when nobody does who is alive. */
  static holder(root: string): { readonly pid: number; readonly ports: Readonly<Record<string, number>> } | undefined {
    const holder = readLock(resolve(root));
    return holder && processIdentity(holder.pid) === holder.identity ? holder : undefined;
  }

  /** Writes into the lock where this platform answers, for whoever finds the directory held. */
  announce(ports: Readonly<Record<string, number>>): void {
    this.#record = { ...this.#record, ports };
    const temporary = temporaryFile(this.paths.root, this.#record, this.#random);
    renameSync(temporary, lockFile(this.paths.root));
  }

  /** The token that makes its bearer the platform's owner: 32 random bytes as base64url, made by the first call ever. */
  ownerToken(): string {
    return this.#secret('owner-token');
  }

  /** The key that signs sessions, in the same form. Deleting its file, then starting anew, ends every session. */
  sessionKey(): string {
    return this.#secret('session-key');
  }

  /** Who this platform is to a database server that it shares with others. */
  storeHolder(): string {
    return this.#secret('store-holder');
  }

  #secret(name: string): string {
    const path = join(this.paths.credentials, name);
    try {
      return readFileSync(path, 'utf8').trim();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    const secret = this.#random.bytes(SECRET_BYTES).toString('base64url');
    const temporary = `${path}.new`;
    writeFileSync(temporary, `${secret}\n`, { mode: 0o600, flush: true });
    renameSync(temporary, path);
    return secret;
  }

  /** Gives the directory free and removes the run directory. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    rmSync(this.runDirectory, { recursive: true, force: true });
    if (isSame(readLock(this.paths.root), this.#record)) rmSync(lockFile(this.paths.root), { force: true });
  }
}

function pathsOf(root: string): DataPaths {
  return {
    root,
    store: join(root, 'store'),
    blobs: join(root, 'blobs'),
    bundles: join(root, 'bundles'),
    logs: join(root, 'logs'),
    credentials: join(root, 'credentials'),
    cache: join(root, 'cache'),
    mail: join(root, 'mail'),
    runtimes: join(root, 'runtimes'),
  };
}

function makeRunDirectory(): string {
  const preferred = tmpdir();
  const parent = Buffer.byteLength(join(preferred, `${RUN_PREFIX}000000`)) <= RUN_DIRECTORY_BYTES_MAX ? preferred : '/tmp';
  return mkdtempSync(join(parent, RUN_PREFIX));
}

const lockFile = (root: string): string => join(root, 'lock');

/** The lock appears whole or not at all: a finished file is linked to its name, which fails when the name is taken. */
function takeLock(root: string, record: LockRecord, random: Random): void {
  const temporary = temporaryFile(root, record, random);
  try {
    if (tryLink(temporary, lockFile(root))) return;
    const holder = readLock(root);
    if (holder && processIdentity(holder.pid) === holder.identity) throw heldBy(root, holder);
    removeStale(root, holder, random);
    if (!tryLink(temporary, lockFile(root))) throw heldBy(root, readLock(root));
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Of two that find the same stale lock one may move away the other's fresh one: so it looks at what it moved. */
function removeStale(root: string, stale: LockRecord | undefined, random: Random): void {
  const moved = `${lockFile(root)}.${random.bytes(6).toString('hex')}`;
  try {
    renameSync(lockFile(root), moved);
  } catch {
    return;
  }
  const found = parseLock(moved);
  if (found && !isSame(found, stale)) {
    tryLink(moved, lockFile(root));
    rmSync(moved, { force: true });
    throw heldBy(root, found);
  }
  rmSync(moved, { force: true });
  if (stale) removeRunDirectory(stale.runDirectory);
}

/** The path comes from a file, so it is removed only when it is what makeRunDirectory makes: our own and private. */
function removeRunDirectory(path: string): void {
  const isOurs = [tmpdir(), '/tmp'].includes(dirname(path)) && basename(path).startsWith(RUN_PREFIX);
  const found = isOurs ? lstatSync(path, { throwIfNoEntry: false }) : undefined;
  if (found?.isDirectory() && found.uid === process.getuid?.()) rmSync(path, { recursive: true, force: true });
}

function temporaryFile(root: string, record: LockRecord, random: Random): string {
  const path = `${lockFile(root)}.${random.bytes(6).toString('hex')}`;
  writeFileSync(path, `${JSON.stringify(record)}\n`, { mode: 0o600, flag: 'wx' });
  return path;
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readLock(root: string): LockRecord | undefined {
  return parseLock(lockFile(root));
}

/** Undefined when it is missing or damaged: a damaged lock holds nothing. */
function parseLock(path: string): LockRecord | undefined {
  try {
    return lockRecord.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}

function isSame(one: LockRecord | undefined, other: LockRecord | undefined): boolean {
  // A run directory is made anew at every start, so its name alone would do; the process is compared for clarity.
  return one?.pid === other?.pid && one?.identity === other?.identity && one?.runDirectory === other?.runDirectory;
}

function heldBy(root: string, holder: LockRecord | undefined): PlatformError {
  if (!holder) return new PlatformError('DATA_DIR_HELD', root);
  const since = new Date(holder.startedAtMs).toISOString();
  const ports = Object.entries(holder.ports).map(([name, port]) => `${name} ${port}`);
  const where = ports.length === 0 ? '' : `, on ports ${ports.join(', ')}`;
  return new PlatformError('DATA_DIR_HELD', `${root} is held by process ${holder.pid} since ${since}${where}`, {
    details: { pid: holder.pid, since, directory: root, ports },
  });
}
