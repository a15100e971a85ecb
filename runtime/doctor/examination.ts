// Gathers the facts that judgements.ts judges. What it makes to try things out it removes again, and it leaves a platform
// that runs alone.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { freemem, tmpdir, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type Clock, type Timers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { toPlatformError } from '../../sdk/contract/errors.ts';
import { DataDirectory } from '../host/data-directory.ts';
import { findUserRange } from '../sandbox/app-users-choice.ts';
import { BubblewrapSandbox } from '../sandbox/bubblewrap-sandbox.ts';
import { bubblewrapVersion } from '../sandbox/bubblewrap-version.ts';
import { startResourceControl } from '../sandbox/resource-control-choice.ts';
import { type ServeConfig } from '../config.ts';
import { type Finding, ok } from './finding.ts';
import {
  type DiskFacts,
  type Judge,
  judgeBubblewrap,
  judgeClock,
  judgeControlGroups,
  judgeDescriptors,
  judgeDisk,
  judgeMemory,
  judgeNode,
  judgePort,
  judgeProgram,
  judgeSpace,
  judgeUsers,
} from './judgements.ts';

/** Where programs are that apps see, and then those that the platform and its tests run. */
const INSIDE = ['/usr/local/bin', '/usr/bin', '/bin'];
const PROGRAMS = [
  { name: 'python3', program: 'python3', packages: 'python3-minimal', inside: true, use: 'apps in Python cannot run' },
  { name: 'java', program: 'java', packages: 'openjdk-17-jre-headless', inside: true, use: 'apps in Java cannot run' },
  {
    name: 'gcc',
    program: 'gcc',
    packages: 'gcc libc6-dev',
    inside: false,
    use: 'languages beside Node start more slowly, and some tests are skipped',
  },
  { name: 'chromium', program: 'chromium', packages: 'chromium', inside: false, use: 'the tests in tests/browser are skipped' },
  {
    name: 'PostgreSQL',
    program: 'initdb',
    packages: 'postgresql',
    inside: false,
    use: 'tests and benches of the PostgreSQL store are skipped',
  },
];
const TMPFS_MAGIC = 0x01_02_19_94;
const FSYNC_ROUNDS = 5;

export interface Examiner {
  readonly clock: Clock;
  readonly timers: Timers;
  /** PATH in particular. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** When this release was built. */
  readonly builtAtMs: number;
}

/** One finding for each thing, in the order in which one would mend them. */
export async function examine(config: ServeConfig, { clock, timers, variables, builtAtMs }: Examiner): Promise<readonly Finding[]> {
  const judge: Judge = { sudo: process.getuid?.() === 0 ? '' : 'sudo ' };
  const directory = resolve(config.dataDirectory);
  const sandbox = await examineSandbox(config, directory, timers, judge);
  const ports = [
    ['--port', config.port, 'router'],
    ['--console-port', config.consolePort, 'console'],
    ['--datastore-port', config.datastorePort, 'datastore'],
  ] as const;
  const held = DataDirectory.holder(directory)?.ports ?? {};
  const portFindings = await Promise.all(
    ports.map(async ([flag, port, name]) =>
      judgePort({ flag, port, error: await portError(config.bind, port), ours: port !== 0 && held[name] === port }),
    ),
  );
  return [
    judgeNode(process.versions.node),
    ...sandbox,
    ...(config.ephemeral ? [ok('data directory', 'none is kept (--ephemeral)')] : judgeDisk(await examineDisk(directory, clock))),
    ...portFindings,
    judgeMemory(availableBytes(), totalmem()),
    judgeDescriptors(...descriptorLimits()),
    judgeClock(clock.nowMs(), builtAtMs, textOf('/sys/devices/system/clocksource/clocksource0/current_clocksource')?.trim()),
    ...PROGRAMS.map((program) => judgeProgram({ ...program, path: find(program, variables['PATH'] ?? '') }, judge)),
  ];
}

async function examineSandbox(config: ServeConfig, directory: string, timers: Timers, judge: Judge): Promise<readonly Finding[]> {
  const unwanted = config.sandbox === 'process';
  const version = unwanted ? undefined : await bubblewrapVersion();
  const { failure, spaceMissing } = unwanted || version === undefined ? {} : await trySandbox();
  const bubblewrap = judgeBubblewrap({ version, failure, unwanted }, judge);
  // A name that no platform has: the groups of one that runs stay as they are.
  const trial = createHash('sha256').update(`doctor of ${directory}`).digest('hex');
  const resources = await startResourceControl(trial, timers, new MemoryLog());
  const groups = judgeControlGroups(resources.kind, resources.missing, judge);
  await resources.close();
  if (bubblewrap.state !== 'ok') return [bubblewrap, groups];
  return [bubblewrap, judgeUsers(await findUserRange(directory)), judgeSpace(spaceMissing, process.getuid?.() === 0), groups];
}

async function trySandbox(): Promise<{ readonly failure?: string; readonly spaceMissing?: string | undefined }> {
  const scratchDirectory = await mkdtemp(join(tmpdir(), 'ae-doctor-'));
  try {
    const sandbox = new BubblewrapSandbox({ scratchDirectory });
    await sandbox.start();
    return { spaceMissing: sandbox.spaceMissing };
  } catch (error) {
    return { failure: toPlatformError(error).message };
  } finally {
    await rm(scratchDirectory, { recursive: true, force: true });
  }
}

/** In the data directory, or where it would be made. */
async function examineDisk(directory: string, clock: Clock): Promise<DiskFacts> {
  const there = firstThere(directory);
  const facts = { directory, failure: undefined, freeBytes: 0, fsyncMs: 0, inMemory: false };
  try {
    const trial = await mkdtemp(join(there, '.appengine-doctor-'));
    try {
      const { bavail, bsize, type } = await statfs(trial);
      return { ...facts, freeBytes: bavail * bsize, inMemory: type === TMPFS_MAGIC, fsyncMs: await fsyncMs(join(trial, 'file'), clock) };
    } finally {
      await rm(trial, { recursive: true, force: true });
    }
  } catch (error) {
    return { ...facts, failure: (error as NodeJS.ErrnoException).code ?? String(error) };
  }
}

/** The middle one of a few. */
async function fsyncMs(path: string, clock: Clock): Promise<number> {
  const file = await open(path, 'w');
  try {
    const times: number[] = [];
    for (let round = 0; round < FSYNC_ROUNDS; round++) {
      await file.writeFile('x'.repeat(4_096));
      const begin = clock.monotonicMs();
      await file.datasync();
      times.push(clock.monotonicMs() - begin);
    }
    return times.sort((a, b) => a - b)[Math.floor(FSYNC_ROUNDS / 2)] ?? 0;
  } finally {
    await file.close();
  }
}

function firstThere(directory: string): string {
  return existsSync(directory) || dirname(directory) === directory ? directory : firstThere(dirname(directory));
}

function portError(host: string, port: number): Promise<string | undefined> {
  return new Promise((answer) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      answer(error.code ?? error.message);
    });
    probe.listen({ host, port }, () => {
      probe.close(() => {
        answer(undefined);
      });
    });
  });
}

/** What programs may still take, caches that would give way included. */
function availableBytes(): number {
  const match = /^MemAvailable: +(\d+) kB$/m.exec(textOf('/proc/meminfo') ?? '');
  return match?.[1] === undefined ? freemem() : Number(match[1]) * 1_024;
}

function descriptorLimits(): [soft: number, hard: number] {
  const match = /^Max open files +(\w+) +(\w+)/m.exec(textOf('/proc/self/limits') ?? '');
  const numberOf = (text: string | undefined): number => (text === undefined || text === 'unlimited' ? Infinity : Number(text));
  return [numberOf(match?.[1]), numberOf(match?.[2])];
}

function find({ program, inside }: { readonly program: string; readonly inside: boolean }, path: string): string | undefined {
  // Debian keeps PostgreSQL's programs out of PATH, a folder for each version.
  const more = program === 'initdb' ? ['/usr/lib/postgresql'] : [];
  const directories = inside ? INSIDE : [...path.split(':'), ...INSIDE];
  return [...directories.map((directory) => join(directory, program)), ...more].find((candidate) => existsSync(candidate));
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
