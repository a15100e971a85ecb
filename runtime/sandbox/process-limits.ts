// Limits of single processes (setrlimit(2)), beside those of groups in resource-control.ts.
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type SandboxSpec } from './port.ts';

/** What `ulimit -f` counts in. */
const BLOCK_BYTES = 512;

/** For the launcher: each is a letter of `ulimit` and a number. */
export function processLimits({ code, user }: Pick<SandboxSpec, 'code' | 'user'>): readonly string[] {
  return [
    // A memory image would hold an app's secrets, and fill a disk.
    'c 0',
    `n ${LIMITS.instanceDescriptorsMax}`,
    ...(code.writable ? [`f ${LIMITS.buildFileBytesMax / BLOCK_BYTES}`] : []),
    // Counted for each user, so it must not count what else this machine's user does. dash calls it p, other shells u.
    ...(user === undefined ? [] : [`p ${LIMITS.appPidsMax}`, `u ${LIMITS.appPidsMax}`]),
  ];
}
