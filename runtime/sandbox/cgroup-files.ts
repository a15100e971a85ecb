// What both versions of control groups share: small files, members that must die, directories that go when they have.
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep, type Timers } from '../../sdk/support/clock.ts';
import { holdOpen } from './hold-open.ts';
import { signalQuietly } from './signal.ts';

/** Undefined when the file cannot be read, as after the group was removed. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

export function readNumber(path: string): number | undefined {
  const text = readText(path)?.trim();
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** The number after `key ` in a file of `key value` lines. */
export function readKeyed(path: string, key: string): number | undefined {
  const text = readText(path);
  const match = text === undefined ? undefined : new RegExp(`^${key} (\\d+)$`, 'm').exec(text);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

export function write(path: string, value: number | string): void {
  writeFileSync(path, String(value));
}

/** As `write`, for settings that not every kernel has; says whether it worked. */
export function tryWrite(path: string, value: number | string): boolean {
  try {
    write(path, value);
    return true;
  } catch {
    return false;
  }
}

export function tryMakeDirectory(path: string): boolean {
  try {
    mkdirSync(path, { recursive: true });
    return true;
  } catch {
    return false;
  }
}

const KILL_ROUNDS_MAX = 500;
const KILL_ROUND_MS = 2;

/**
 * Kills all that is in `directory` (and, on version 1, in its twins of other hierarchies) and removes it. A member may
 * fork while it is killed, so it goes round until none is left, for at most a second; then the group stays for the next sweep.
 */
export async function killAndRemove(directories: readonly string[], timers: Timers): Promise<void> {
  let left = directories.filter((directory) => !removed(directory));
  if (left.length === 0) return;
  const release = holdOpen();
  for (let round = 0; round < KILL_ROUNDS_MAX && left.length > 0; round++) {
    for (const directory of left) {
      if (!tryWrite(join(directory, 'cgroup.kill'), 1)) killMembers(directory);
    }
    await sleep(timers, KILL_ROUND_MS);
    left = left.filter((directory) => !removed(directory));
  }
  release();
}

function removed(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

function killMembers(directory: string): void {
  const pids = readText(join(directory, 'cgroup.procs'))?.split('\n') ?? [];
  for (const text of pids) {
    const pid = Number(text);
    if (pid > 0) signalQuietly(pid, 'SIGKILL');
  }
}

/** Directories named `name` anywhere below `directory`, not looking inside those: what a dead host left elsewhere. */
export function findGroups(directory: string, name: string, depthMax = 8): string[] {
  if (depthMax === 0) return [];
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap((entry) => {
        const path = join(directory, entry.name);
        return entry.name === name ? [path] : findGroups(path, name, depthMax - 1);
      });
  } catch {
    return [];
  }
}

/** All groups below, those that lie deepest first. */
export function groupsBelow(directory: string): string[] {
  return childGroups(directory).flatMap((child) => [...groupsBelow(child), child]);
}

/** Groups in which others are left stay. */
export function removeIfEmpty(directories: Iterable<string>): void {
  for (const directory of directories) removed(directory);
}

function childGroups(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(directory, entry.name));
  } catch {
    return [];
  }
}
