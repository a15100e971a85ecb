// Makes a user namespace with a mapping of our choice. It lives as long as the descriptor that stands for it is open.
//
//   inside                  on this host
//   0                       the first of the range     nobody; but some file systems cannot be mounted without a user 0
//   SANDBOX_USER_ID         the app's user
//   HOST_USER_ID            whoever runs the platform, so that bubblewrap may mount what belongs to that user
//
// It belongs to the app's user, as whom bubblewrap runs from its start: so it may enter, and its first process may end the
// others when it is ended itself (--die-with-parent), for which the kernel wants the same user. bubblewrap mounts, and drops
// every capability; from then on no process inside can become any of the others. Further user namespaces within it are
// forbidden by its own sysctl, whatever the filter of system calls says.
import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { SANDBOX_USER_ID } from './bubblewrap-arguments.ts';

/** The number that the kernel shows for users that are not mapped, so it tells an app nothing. */
const HOST_USER_ID = 65_534;

export interface NamespaceUsers {
  readonly nobody: number;
  readonly app: number;
}

/** Returns an open descriptor. Takes root. */
export async function makeUserNamespace({ nobody, app }: NamespaceUsers): Promise<number> {
  const child = spawn('unshare', ['--user', '--', '/bin/sh', '-c', 'echo && read line'], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe'],
    uid: app,
    gid: app,
  });
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.stdout.once('data', () => {
        resolve();
      });
      child.stderr.once('data', (text: Buffer) => {
        reject(new Error(text.toString().trim()));
      });
      child.once('exit', (code) => {
        reject(new Error(`unshare exited with code ${code ?? 0}`));
      });
    });
    const own = `/proc/${child.pid ?? 0}`;
    writeFileSync(`${own}/uid_map`, mapOf({ nobody, app }, process.getuid?.() ?? 0));
    writeFileSync(`${own}/gid_map`, mapOf({ nobody, app }, process.getgid?.() ?? 0));
    const descriptor = openSync(`${own}/ns/user`, 'r');
    try {
      const forbid = 'echo 0 > /proc/sys/user/max_user_namespaces';
      await promisify(execFile)('nsenter', [`--user=${own}/ns/user`, '/bin/sh', '-c', forbid]);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    return descriptor;
  } finally {
    child.kill('SIGKILL');
  }
}

/** The kernel takes the whole of it in one write. */
function mapOf({ nobody, app }: NamespaceUsers, host: number): string {
  return `0 ${nobody} 1\n${SANDBOX_USER_ID} ${app} 1\n${HOST_USER_ID} ${host} 1\n`;
}

/** Before a program that shall run as that user, with no groups beside. */
export function becomeUser(uid: number): readonly string[] {
  return ['setpriv', '--reuid', String(uid), '--regid', String(uid), '--clear-groups', '--'];
}
