// Which process a number means: numbers are used again, so one that was written down needs its start time beside it.
import { readFileSync } from 'node:fs';

/** Opaque; differs between two processes that ever had the same number. Undefined when there is no such process. */
export function processIdentity(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  if (stat === undefined) return isAlive(pid) ? 'alive' : undefined;
  // Field 22 is the start in ticks since boot; the command in field 2 may hold spaces and brackets.
  const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  return `${readText('/proc/sys/kernel/random/boot_id')?.trim() ?? ''}/${ticks}`;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** For systems without /proc. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
