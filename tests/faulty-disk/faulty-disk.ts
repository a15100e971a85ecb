// A disk that fails and that loses its power, under a real LevelDB: compiles the library beside this file, tells it what is to
// fail, and makes of what a killed process leaves what a power loss would have left.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Random } from '../../sdk/support/clock.ts';

const here = dirname(fileURLToPath(import.meta.url));
const build = join(here, '..', '..', 'build');
const ERRNO = { slow: 0, EIO: 5, ENOSPC: 28 } as const;
const NEVER = '0 none 0 0 0';
/** Kept by the library to itself, or not of interest. */
const LEFT_ALONE = ['LOG', 'LOG.old', 'LOCK'];

export interface Fault {
  readonly operation: 'sync' | 'dirsync' | 'write' | 'open' | 'rename' | 'space';
  /** So many of them go well first. */
  readonly after: number;
  /** slow: it goes well, but takes a fifth of a second; of sync and dirsync only. */
  readonly error: keyof typeof ERRNO;
  /** So many fail; absent for all. */
  readonly times?: number;
}

export interface PowerLoss {
  /** Bytes that were written and never synced, and are gone. */
  readonly bytesLost: number;
  /** Changes of names that are undone. */
  readonly namesLost: number;
}

/** Undefined when the library can be compiled; else why tests are skipped, with the command that helps. */
export function faultyDiskSkip(): string | undefined {
  const probe = join(build, `faulty-disk-probe-${process.pid}.so`);
  const isThere = process.platform === 'linux' && compile(probe);
  rmSync(probe, { force: true });
  if (isThere) return undefined;
  const why = 'a C compiler for Linux with glibc is missing. To install it: apt-get install -y --no-install-recommends gcc libc6-dev';
  console.warn(`SKIPPED: tests with a faulty disk. ${why}`);
  return why;
}

function compile(target: string): boolean {
  mkdirSync(build, { recursive: true });
  const flags = ['-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-Werror'];
  return spawnSync('gcc', [...flags, '-o', target, join(here, 'faulty-disk.c'), '-ldl', '-lpthread'], { stdio: 'ignore' }).status === 0;
}

export class FaultyDisk {
  readonly #folder: string;
  readonly #library: string;
  readonly #files = new Map<number, TrackedFile>();
  #names = new Map<string, number>();
  #syncedNames = 0;
  #life = 0;
  #generation = 0;

  /** Everything lies below `folder`; the store's own directory is `data`. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#library = join(build, `faulty-disk-${process.pid}.so`);
    if (!compile(this.#library)) throw new Error('the library of the faulty disk cannot be compiled');
    mkdirSync(folder, { recursive: true });
    this.#begin();
  }

  /** The directory of this life: another one after each power loss. */
  get data(): string {
    return join(this.#folder, `data-${this.#life}`);
  }

  /** For the process that has the directory open. */
  get environment(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: this.#library,
      FAULTY_DISK_DIRECTORY: this.data,
      FAULTY_DISK_JOURNAL: this.#journal,
      FAULTY_DISK_GRAVES: this.#graves,
      FAULTY_DISK_CONTROL: this.#control,
    };
  }

  /** What is to fail from now on, instead of what was said before. */
  fail({ operation, after, error, times = 1_000_000_000 }: Fault): void {
    this.#setControl(`${operation} ${after} ${ERRNO[error]} ${times}`);
  }

  /** Works from now on. */
  mend(): void {
    this.#setControl('none 0 0 0');
  }

  /**
   * Call it when the process was killed. Makes the directory of the next life: of the names those that were synced, and the first few
   * changes after that, in their order; of each file the bytes that were synced, and some from the front of the others. No file has
   * grown by what was written after a change of names that is lost: file systems with a journal keep that order.
   */
  async losePower(random: Random): Promise<PowerLoss> {
    const operations = this.#read();
    const kept = this.#syncedNames + Math.floor(random.fraction() * (operations.length - this.#syncedNames + 1));
    const names = new Map(this.#names);
    for (const operation of operations.slice(0, kept)) operation(names);
    const places = this.#places();
    const [before, graves, journal] = [this.data, this.#graves, this.#journal];
    this.#life++;
    mkdirSync(this.data);
    let bytesLost = 0;
    for (const [name, inode] of names) {
      const place = places.get(inode);
      if (place === undefined) throw new Error(`the bytes of ${name} are nowhere`);
      const file = this.#files.get(inode) ?? newFile();
      const { content, lost } = survivingBytes(readFileSync(place), file, kept < operations.length ? kept : Infinity, random);
      bytesLost += lost;
      writeFileSync(join(this.data, name), content);
    }
    await Promise.all([before, graves, journal].map((path) => rm(path, { recursive: true, force: true })));
    this.#begin();
    return { bytesLost, namesLost: operations.length - kept };
  }

  async remove(): Promise<void> {
    await Promise.all([this.#folder, this.#library].map((path) => rm(path, { recursive: true, force: true })));
  }

  get #journal(): string {
    return join(this.#folder, `journal-${this.#life}`);
  }

  get #graves(): string {
    return join(this.#folder, `graves-${this.#life}`);
  }

  get #control(): string {
    return join(this.#folder, 'control');
  }

  /** All that is in the directory now is on disk. */
  #begin(): void {
    mkdirSync(this.data, { recursive: true });
    mkdirSync(this.#graves, { recursive: true });
    writeFileSync(this.#control, NEVER.padEnd(64));
    // A process may be killed before it has begun one.
    writeFileSync(this.#journal, '');
    this.#files.clear();
    this.#names = new Map();
    this.#syncedNames = 0;
    for (const name of readdirSync(this.data)) {
      if (LEFT_ALONE.includes(name)) continue;
      const { ino, size } = statSync(join(this.data, name));
      this.#names.set(name, ino);
      this.#files.set(ino, { ...newFile(), synced: size });
    }
  }

  /** Changes of names in order. Counts on the way how many of them are on disk, and which bytes. */
  #read(): readonly ((names: Map<string, number>) => void)[] {
    const operations: ((names: Map<string, number>) => void)[] = [];
    const operationsAt: number[] = [];
    let offset = 0;
    for (const line of readFileSync(this.#journal, 'utf8').split('\n').slice(0, -1)) {
      offset += Buffer.byteLength(line) + 1;
      const [kind, ...words] = line.split(' ');
      const [first = '', second = ''] = words;
      const file = (): TrackedFile => {
        const known = this.#files.get(Number(first));
        if (!known) throw new Error(`the journal tells of a file that was never made: ${line}`);
        return known;
      };
      if (kind === 'C') {
        this.#files.set(Number(first), newFile());
        operations.push((names) => names.set(second, Number(first)));
      } else if (kind === 'W') file().grown.push({ after: operations.length, bytes: Number(second) });
      else if (kind === 'S') file().synced = Math.max(file().synced, Number(second));
      else if (kind === 'F') Object.assign(file(), { lostFrom: file().synced, lostTo: Number(second) });
      else if (kind === 'D') this.#syncedNames = operationsAt.filter((at) => at <= Number(first)).length;
      else if (kind === 'R') {
        operations.push((names) => {
          names.set(second, names.get(first) ?? 0);
          names.delete(first);
        });
      } else if (kind === 'U') operations.push((names) => names.delete(first));
      else throw new Error(`not a line of the journal: ${line}`);
      if (operations.length > operationsAt.length) operationsAt.push(offset);
    }
    return operations;
  }

  /** Where the bytes of each file are, under whatever name. */
  #places(): ReadonlyMap<number, string> {
    const folders = [this.#graves, this.data];
    return new Map(folders.flatMap((folder) => readdirSync(folder).map((name) => [statSync(join(folder, name)).ino, join(folder, name)])));
  }

  #setControl(what: string): void {
    writeFileSync(this.#control, `${++this.#generation} ${what}`.padEnd(64), { flag: 'r+' });
  }
}

interface TrackedFile {
  synced: number;
  /** Its sizes, each with the number of changes of names before. */
  readonly grown: { readonly after: number; readonly bytes: number }[];
  /** A failed sync leaves a hole, whatever is synced later. */
  lostFrom: number | undefined;
  lostTo: number;
}

const newFile = (): TrackedFile => ({ synced: 0, grown: [], lostFrom: undefined, lostTo: 0 });

function survivingBytes(
  content: Buffer,
  { synced, grown, lostFrom, lostTo }: TrackedFile,
  namesKept: number,
  random: Random,
): { readonly content: Buffer; readonly lost: number } {
  const before = grown.filter(({ after }) => after <= namesKept).map(({ bytes }) => bytes);
  const written = namesKept === Infinity ? content.length : Math.max(synced, ...before);
  const unsynced = written - synced;
  const dice = random.fraction();
  const more = dice < 0.3 ? 0 : dice < 0.5 ? unsynced : Math.floor(random.fraction() * (unsynced + 1));
  const left = Buffer.from(content.subarray(0, synced + more));
  if (lostFrom !== undefined) left.fill(0, lostFrom, Math.min(lostTo, left.length));
  return { content: left, lost: content.length - left.length };
}
