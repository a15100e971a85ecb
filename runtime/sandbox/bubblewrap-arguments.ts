// What an app sees of the machine, as bubblewrap's arguments. Pure: the file system is described by a HostLayout.
//
// Inside there is: /usr and the links to it, a few files of /etc, the platform's packages, the app's code, its sockets,
// /tmp, a /proc of its own, its own control group and a minimal /dev. Nothing else of the host; all of it read-only but
// writable-space.ts (and the code directory of a build).
//
// Which system calls it may make is system-calls/rules.ts. Who it is outside is app-users.ts.
import { APP_SOCKET_DIRECTORY, CODE_DIRECTORY, type SandboxSpec, SOCKETS_DIRECTORY } from './port.ts';
import { SPACE_DIRECTORIES } from './writable-space.ts';

export interface HostLayout {
  /** Top-level directories such as /lib: with a link's target where it is a link, as on merged-/usr systems. */
  readonly topDirectories: readonly { readonly path: string; readonly linkTo?: string }[];
  /** Files of /etc that exist and tell nothing of the host's users. */
  readonly etcFiles: readonly string[];
  /** Files that exist and that only builds, which have the network, need. */
  readonly networkFiles: readonly string[];
  /** Holds passwd, group, hosts and nsswitch.conf, made for the sandbox. */
  readonly generatedEtc: string;
  /** Where Node is installed when that is not below /usr: appears as NODE_PREFIX. */
  readonly nodePrefix?: string;
  /** Where Java is installed when that is not below /usr: appears by the same path. */
  readonly javaHome?: string;
}

export const SANDBOX_USER_ID = 10_001;
/** Where bubblewrap finds the user namespace of `spec.user`. */
export const NAMESPACE_DESCRIPTOR = 6;
/** Where Node appears when the host has it outside /usr. */
const NODE_PREFIX = '/opt/node';

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Of its own where there is no writable space that all share. */
const APP_SOCKET_DIRECTORY_BYTES = 65_536;
const GENERATED_ETC = ['passwd', 'group', 'nsswitch.conf'];

/**
 * All options before the command. They reach bubblewrap by a pipe, because argument vectors are readable by every user.
 * `space`: where the writable space is mounted. Without one bubblewrap mounts what has a size, and any number of files.
 */
export function bubblewrapOptions(spec: SandboxSpec, host: HostLayout, space?: string): readonly string[] {
  const namespace = String(NAMESPACE_DESCRIPTOR);
  return [
    // A namespace that was made for the app forbids further ones by itself.
    // bubblewrap leaves its descriptor open; what it blocks on, which this ends at once, it closes.
    ...(spec.user === undefined ? ['--unshare-user', '--disable-userns'] : ['--userns', namespace, '--block-fd', namespace]),
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...(spec.network ? [] : ['--unshare-net']),
    ...['--uid', String(SANDBOX_USER_ID), '--gid', String(SANDBOX_USER_ID), '--cap-drop', 'ALL'],
    ...['--die-with-parent', '--new-session', '--hostname', 'localhost'],
    ...host.topDirectories.flatMap(({ path, linkTo }) => (linkTo === undefined ? ['--ro-bind', path, path] : ['--symlink', linkTo, path])),
    ...host.etcFiles.flatMap((path) => ['--ro-bind', path, path]),
    ...GENERATED_ETC.flatMap((name) => ['--ro-bind', `${host.generatedEtc}/${name}`, `/etc/${name}`]),
    ...(spec.network
      ? host.networkFiles.flatMap((path) => ['--ro-bind', path, path])
      : ['--ro-bind', `${host.generatedEtc}/hosts`, '/etc/hosts']),
    ...(host.nodePrefix === undefined ? [] : ['--ro-bind', host.nodePrefix, NODE_PREFIX]),
    ...(host.javaHome === undefined ? [] : ['--ro-bind', host.javaHome, host.javaHome]),
    ...['--proc', '/proc', '--dev', '/dev', ...writable('/dev/shm', { space, bytesMax: spec.tmpBytesMax }), '--remount-ro', '/dev'],
    ...writable('/tmp', { space, bytesMax: spec.tmpBytesMax }),
    ...[spec.code.writable ? '--bind' : '--ro-bind', spec.code.directory, CODE_DIRECTORY],
    ...spec.readOnlyMounts.flatMap(({ from, to }) => ['--ro-bind', from, to]),
    ...(spec.socketDirectory === undefined ? [] : socketOptions(spec.socketDirectory, space)),
    ...['--remount-ro', '/', '--chdir', CODE_DIRECTORY],
    ...['--clearenv', ...environmentOptions(spec, host)],
  ];
}

/** A file system of its own for the app's socket: on the host's, files made there would fill the host's disk. */
function socketOptions(directory: string, space: string | undefined): readonly string[] {
  const own = writable(APP_SOCKET_DIRECTORY, { space, bytesMax: APP_SOCKET_DIRECTORY_BYTES });
  return ['--ro-bind', directory, SOCKETS_DIRECTORY, ...own];
}

interface WritableOptions {
  readonly space: string | undefined;
  /** Where there is no space. */
  readonly bytesMax: number;
}

function writable(directory: keyof typeof SPACE_DIRECTORIES, { space, bytesMax }: WritableOptions): readonly string[] {
  if (space !== undefined) return ['--bind', `${space}/${SPACE_DIRECTORIES[directory]}`, directory];
  return ['--perms', '1777', '--size', String(bytesMax), '--tmpfs', directory];
}

function environmentOptions(spec: SandboxSpec, host: HostLayout): readonly string[] {
  const path = host.nodePrefix === undefined ? SYSTEM_PATH : `${NODE_PREFIX}/bin:${SYSTEM_PATH}`;
  const environment: Record<string, string> = { PATH: path, HOME: '/tmp', ...spec.environment };
  environment['PATH'] = [...(spec.programDirectories ?? []), environment['PATH'] ?? path].join(':');
  return Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value]);
}
