// Gives apps users of their own where this machine lets us, and says loudly where it does not.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { promisify } from 'node:util';
import { type Log } from '../../sdk/support/log.ts';
import { type AppUsers, SharedUser } from './app-users.ts';
import { SANDBOX_USER_ID } from './bubblewrap-arguments.ts';
import { readText } from './cgroup-files.ts';
import { type Sandbox } from './port.ts';
import { SeparateUsers } from './separate-users.ts';
import { becomeUser, makeUserNamespace } from './user-namespace.ts';
import { type UserRange, userRange } from './user-range.ts';

/** With the subordinate ids that most systems give each user, a shell that is root to them alone does: unshare(1), newuidmap(1). */
const WITHOUT_ROOT = 'run as root, or: unshare --map-root-user --map-auto appengine serve (apt-get install uidmap)';

export interface AppUsersOptions {
  /** Stands for this platform among others of the machine. */
  readonly dataDirectory: string;
  /** Where the numbers are kept. */
  readonly recordFile: string;
}

/** Started. */
export async function startAppUsers(sandbox: Sandbox, log: Log, options: AppUsersOptions): Promise<AppUsers> {
  // The process adapter has said already that it separates nothing.
  if (sandbox.kind === 'process') return new SharedUser();
  const found = await findUserRange(options.dataDirectory);
  if ('missing' in found) {
    log.warn('All apps run as one user: only the sandbox keeps them apart', { ...found });
    return new SharedUser([`All apps run as one user (${found.missing}). To mend it: ${found.mend}.`]);
  }
  // What groups this process is in is of no use to it, and would go down to every app.
  process.setgroups?.([]);
  const users = new SeparateUsers({ recordFile: options.recordFile, range: found });
  await users.start();
  return users;
}

export interface UsersMissing {
  readonly missing: string;
  readonly mend: string;
}

/** Tries it with a user of the range; also what `appengine doctor` asks. */
export async function findUserRange(dataDirectory: string): Promise<UserRange | UsersMissing> {
  if (process.getuid?.() !== 0) return { missing: 'the platform does not run as root', mend: WITHOUT_ROOT };
  const part = createHash('sha256').update(dataDirectory).digest().readUInt16LE();
  const range = userRange(readText('/proc/self/uid_map') ?? '', part);
  if (!range) return { missing: 'this container has too few user ids', mend: 'give the container 65,536 user ids or more' };
  try {
    const app = range.first + range.count - 1;
    const descriptor = await makeUserNamespace({ nobody: range.first, app });
    try {
      const ids = ['--uid', String(SANDBOX_USER_ID), '--gid', String(SANDBOX_USER_ID)];
      const script = `exec "$@" 3</proc/${process.pid}/fd/${descriptor}`;
      const trial = [...becomeUser(app), 'bwrap', '--userns', '3', ...ids, '--ro-bind', '/', '/', '--', 'true'];
      await promisify(execFile)('/bin/sh', ['-c', script, 'sh', ...trial]);
    } finally {
      closeSync(descriptor);
    }
    return range;
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return { missing: said.trim().split('\n').at(-1) ?? said, mend: 'apt-get install util-linux' };
  }
}
