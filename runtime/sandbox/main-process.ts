// Finds the app's own processes, to send them SIGTERM.
import { readText } from './cgroup-files.ts';

const SHELLS = new Set(['sh', 'dash', 'bash', 'ash', 'busybox']);

/**
 * `pid`, or where that is a shell that waits for a command of the entrypoint, that command: a shell would neither pass
 * the signal on nor wait for its command to end in order.
 */
export function mainProcesses(pid: number): readonly number[] {
  const children = isShell(pid) ? childrenOf(pid) : [];
  return children.length === 0 ? [pid] : children.flatMap(mainProcesses);
}

export function childrenOf(pid: number): readonly number[] {
  const text = readText(`/proc/${pid}/task/${pid}/children`) ?? '';
  return text
    .split(' ')
    .map(Number)
    .filter((child) => child > 0);
}

function isShell(pid: number): boolean {
  return SHELLS.has(readText(`/proc/${pid}/comm`)?.trim() ?? '');
}
