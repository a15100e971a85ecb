// What processes take of the machine's memory, each shared page by its share: the kernel's own sum (Pss).
import { readFileSync } from 'node:fs';
import { processesBelow } from '../../integration/platform-process.ts';

/** Of a process and all below it, in bytes. */
export function residentBytes(pid: number): number {
  return [pid, ...processesBelow(pid).map((row) => row.pid)].reduce((sum, each) => sum + pssOf(each), 0);
}

function pssOf(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0) * 1_024;
  } catch {
    // It ended while we looked.
    return 0;
  }
}
