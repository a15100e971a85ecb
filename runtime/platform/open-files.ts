import { readFileSync } from 'node:fs';

/** How many files this process may have open; undefined where the system does not say. Node raises it to the hard limit. */
export function openFilesMax(): number | undefined {
  try {
    return parseOpenFiles(readFileSync('/proc/self/limits', 'utf8'));
  } catch {
    return undefined;
  }
}

/** The soft limit in the words of Linux's /proc/PID/limits; undefined: none, or it is not said. */
export function parseOpenFiles(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+)\s/m.exec(limits)?.[1];
  return soft === undefined ? undefined : Number(soft);
}
