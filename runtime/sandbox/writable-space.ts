// Where an app may write: one tmpfs with a size and a number of files, which appears as /tmp, /dev/shm and the directory of its
// socket. bubblewrap gives a tmpfs a size alone, so it is mounted before, in a mount namespace of the sandbox's own. That
// ends with the last process in it, so nothing is ever unmounted, whichever dies first.
import { LIMITS } from '../../sdk/contract/limits.ts';
import { APP_SOCKET_DIRECTORY } from './port.ts';

export interface WritableSpace {
  /** A directory of this host that holds nothing: the sandbox alone sees the tmpfs there. */
  readonly place: string;
  readonly bytesMax: number;
}

/** In a space, by where they appear inside. */
export const SPACE_DIRECTORIES = { '/tmp': 'tmp', '/dev/shm': 'shm', [APP_SOCKET_DIRECTORY]: 'app' } as const;

/** Before a program that shall mount what no other sees. What this machine mounts later it still sees, and lets go. */
export function ownMounts(uid: number | undefined): readonly string[] {
  // Root stays who it is, to become the users of apps; others are root to a namespace that maps nobody but them.
  return ['unshare', ...(uid === 0 ? [] : ['--user', '--map-root-user']), '--mount', '--propagation', 'slave', '--'];
}

/** For mount(8). An inode takes about a KiB of memory that the size does not count. */
export function spaceOptions(bytesMax: number): string {
  return `size=${bytesMax},nr_inodes=${filesMax(bytesMax)},mode=0755,nosuid,nodev`;
}

/** Shell: mounts it at `$1`. Every user may write below, since in the sandbox there is one alone. */
export function mountSpace(bytesMax: number): string {
  const directories = Object.values(SPACE_DIRECTORIES).map((name) => `"$1/${name}"`);
  return `mount -t tmpfs -o ${spaceOptions(bytesMax)} tmpfs "$1" && mkdir -m 1777 ${directories.join(' ')}`;
}

/** Directories, links and sockets count as files. */
export function filesMax(bytesMax: number): number {
  return Math.max(1, Math.floor(bytesMax / LIMITS.tmpBytesPerFile));
}
