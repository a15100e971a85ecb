// What of a machine is good enough, each from plain facts. Pure; examination.ts gathers the facts.
import { type UserRange } from '../sandbox/user-range.ts';
import { type Finding, missing, ok, warning } from './finding.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

const NODE_FLOOR = [20, 20] as const;
const BUBBLEWRAP_FLOOR = [0, 8] as const;
/** The platform takes about 300 MiB, and an instance of class F1 384. */
const MEMORY_BYTES_LOW = 768 * MiB;
const DISK_BYTES_LOW = 2 * GiB;
/** LevelDB refuses to open with less: its memory tables and logs need room. */
const DISK_BYTES_MIN = 64 * MiB;
/** Each commit waits for one; 20 ms is a slow disk that turns. */
const FSYNC_MS_HIGH = 20;
/** A request takes two descriptors, one of the client and one of the instance. */
const DESCRIPTORS_LOW = 4_096;

export interface Judge {
  /** Put before a command that takes root: `sudo ` or nothing. */
  readonly sudo: string;
}

/** How Debian's packages are installed. */
export const install = ({ sudo }: Judge, packages: string): string => `${sudo}apt-get install -y --no-install-recommends ${packages}`;

export function judgeNode(version: string): Finding {
  const found = `Node ${version}`;
  return atLeast(version, NODE_FLOOR) ? ok('Node', found) : missing('Node', found, `install Node ${NODE_FLOOR.join('.')} or newer`);
}

export interface BubblewrapFacts {
  /** As `bwrap --version` says it; undefined when there is no such program. */
  readonly version: string | undefined;
  /** Why a sandbox could not be started, if it could not. */
  readonly failure: string | undefined;
  /** Whether the operator wants none. */
  readonly unwanted: boolean;
}

export function judgeBubblewrap({ version, failure, unwanted }: BubblewrapFacts, judge: Judge): Finding {
  const name = 'sandbox';
  if (unwanted) return warning(name, 'none is asked for: apps run WITHOUT ISOLATION (--sandbox=process)', 'leave out --sandbox=process');
  if (version === undefined)
    return missing(name, 'bubblewrap is not installed: apps would run WITHOUT ISOLATION', install(judge, 'bubblewrap'));
  if (!atLeast(version, BUBBLEWRAP_FLOOR))
    return missing(name, `bubblewrap ${version} is too old`, `install bubblewrap ${BUBBLEWRAP_FLOOR.join('.')} or newer`);
  if (failure === undefined) return ok(name, `bubblewrap ${version} with namespaces and a filter of system calls`);
  return missing(
    name,
    failure,
    `${judge.sudo}sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0, whichever this kernel has`,
  );
}

/** `range`: or why there are no users of their own for apps, and what mends it. */
export function judgeUsers(range: UserRange | { readonly missing: string; readonly mend: string }): Finding {
  const name = 'users of apps';
  if ('missing' in range) return warning(name, `all apps would run as one user: ${range.missing}`, range.mend);
  return ok(name, `each app is one of ${range.first} to ${range.first + range.count - 1}`);
}

/** `lacking`: why what apps write cannot be mounted with a number of files, if so. */
export function judgeSpace(lacking: string | undefined, isRoot: boolean): Finding {
  const name = 'files of apps';
  if (lacking === undefined) return ok(name, 'the size of /tmp and the number of files in it have a cap');
  return warning(
    name,
    `an app with too many files in /tmp would be ended, rather than told ENOSPC: ${lacking}`,
    isRoot ? 'give the container CAP_SYS_ADMIN' : 'run as root, or let unshare(1) mount (kernel.apparmor_restrict_unprivileged_userns)',
  );
}

export function judgeControlGroups(kind: 'cgroup-v1' | 'cgroup-v2' | 'unlimited', lacking: readonly string[], judge: Judge): Finding {
  const name = 'control groups';
  const version = { 'cgroup-v1': 'version 1', 'cgroup-v2': 'version 2', unlimited: 'none that can be written' }[kind];
  if (lacking.length === 0) return ok(name, `${version}: memory, processes, CPU share and CPU metering`);
  return warning(
    name,
    `${version}: apps would run without ${lacking.join(', ')}`,
    `${judge.sudo}systemd-run --pty --property=Delegate=yes appengine serve, or run as root`,
  );
}

export function judgeMemory(availableBytes: number, totalBytes: number): Finding {
  const found = `${size(availableBytes)} of ${size(totalBytes)} free`;
  return availableBytes < MEMORY_BYTES_LOW ? warning('memory', found, 'end other programs, or give the machine more') : ok('memory', found);
}

export interface DiskFacts {
  readonly directory: string;
  /** Why nothing can be written, if so. */
  readonly failure: string | undefined;
  readonly freeBytes: number;
  readonly fsyncMs: number;
  readonly inMemory: boolean;
}

export function judgeDisk({ directory, failure, freeBytes, fsyncMs, inMemory }: DiskFacts): readonly Finding[] {
  const name = 'data directory';
  if (failure !== undefined)
    return [missing(name, `${directory} cannot be written: ${failure}`, 'choose another with --data-dir, or change who owns it')];
  const found = `${directory}, ${size(freeBytes)} free`;
  const room =
    freeBytes < DISK_BYTES_MIN
      ? missing(name, found, 'make room, or choose another disk with --data-dir')
      : freeBytes < DISK_BYTES_LOW
        ? warning(name, found, 'make room, or choose another disk with --data-dir')
        : ok(name, found);
  if (inMemory)
    return [
      room,
      warning('durability', 'the data directory is in memory: nothing survives a restart of the machine', 'choose a disk with --data-dir'),
    ];
  const sync = `fsync takes ${fsyncMs.toFixed(1)} ms, and so does each commit at least`;
  return [
    room,
    fsyncMs > FSYNC_MS_HIGH
      ? warning('durability', sync, 'choose a disk with a write cache that survives power loss')
      : ok('durability', sync),
  ];
}

export interface PortFacts {
  readonly flag: string;
  readonly port: number;
  /** Undefined when it is free. */
  readonly error: string | undefined;
  /** Held by the platform of this very data directory. */
  readonly ours: boolean;
}

export function judgePort({ flag, port, error, ours }: PortFacts): Finding {
  const name = `port ${port}`;
  if (ours) return ok(name, `the platform that runs on this data directory has it (${flag})`);
  if (error === undefined) return ok(name, port === 0 ? `any (${flag})` : `free (${flag})`);
  return missing(
    name,
    error === 'EACCES' ? 'only root may listen there' : `in use (${error})`,
    `appengine serve ${flag} PORT, 0 for any that is free`,
  );
}

export function judgeDescriptors(soft: number, hard: number): Finding {
  const name = 'open files';
  const found = `up to ${soft} a process`;
  if (soft >= DESCRIPTORS_LOW) return ok(name, found);
  return warning(name, found, hard >= DESCRIPTORS_LOW ? `ulimit -n ${hard}` : 'LimitNOFILE=65536 in the service, or limits.conf(5)');
}

/** `builtAtMs`: when this release was built, before which it cannot be. */
export function judgeClock(nowMs: number, builtAtMs: number, source: string | undefined): Finding {
  const found = `${new Date(nowMs).toISOString()}${source === undefined ? '' : `, from ${source}`}`;
  if (nowMs < builtAtMs) return missing('clock', `${found}: before this release was built`, 'timedatectl set-ntp true');
  // These are read by asking a chip, in microseconds instead of tens of nanoseconds.
  if (source === 'acpi_pm' || source === 'jiffies')
    return warning('clock', found, 'boot with another clocksource= that the kernel lists in /sys/devices/system/clocksource');
  return ok('clock', found);
}

export interface ProgramFacts {
  readonly name: string;
  readonly packages: string;
  readonly path: string | undefined;
  /** What it is for, and what lacks without it. */
  readonly use: string;
}

export function judgeProgram({ name, packages, path, use }: ProgramFacts, judge: Judge): Finding {
  return path === undefined ? warning(name, `not here: ${use}`, install(judge, packages)) : ok(name, path);
}

function atLeast(version: string, [majorMin, minorMin]: readonly [number, number]): boolean {
  const [major = 0, minor = 0] = version.replace(/^\D+/, '').split('.').map(Number);
  return major > majorMin || (major === majorMin && minor >= minorMin);
}

function size(bytes: number): string {
  return bytes >= GiB ? `${(bytes / GiB).toFixed(1)} GiB` : `${Math.round(bytes / MiB)} MiB`;
}
