// Where control groups are mounted, and which of them this process is in, from two files of /proc. No I/O here.

export interface CgroupMounts {
  /** Controller → directory of this process's own group in that hierarchy, and the hierarchy's mount point. */
  readonly v1: ReadonlyMap<string, CgroupPlace>;
  readonly v2: CgroupPlace | undefined;
}

export interface CgroupPlace {
  readonly mountPoint: string;
  /** Absolute directory of the group that this process is in: new groups go below it, so that outer limits hold. */
  readonly own: string;
}

interface Mount {
  readonly root: string;
  readonly mountPoint: string;
  readonly kind: 'cgroup' | 'cgroup2';
  readonly controllers: readonly string[];
}

/** `mountinfo` is /proc/self/mountinfo, `cgroup` is /proc/self/cgroup: see proc(5) and cgroups(7). */
export function parseCgroupMounts(mountinfo: string, cgroup: string): CgroupMounts {
  const mounts = mountinfo.split('\n').flatMap(parseMount);
  const v1 = new Map<string, CgroupPlace>();
  let v2: CgroupPlace | undefined;
  for (const line of cgroup.split('\n')) {
    const match = /^(\d+):([^:]*):(.*)$/.exec(line);
    if (!match) continue;
    const [, number = '', names = '', path = ''] = match;
    if (number === '0') {
      const mount = mounts.find(({ kind }) => kind === 'cgroup2');
      if (mount) v2 = placeOf(mount, path);
      continue;
    }
    for (const name of names.split(',')) {
      const mount = mounts.find(({ kind, controllers }) => kind === 'cgroup' && controllers.includes(name));
      if (mount) v1.set(name, placeOf(mount, path));
    }
  }
  return { v1, v2 };
}

function parseMount(line: string): Mount[] {
  // 36 35 98:0 ROOT MOUNTPOINT options [optional fields] - TYPE source superoptions
  const [left = '', right = ''] = line.split(' - ');
  const [, , , root, mountPoint] = left.split(' ');
  const [kind, , options = ''] = right.split(' ');
  if (root === undefined || mountPoint === undefined || (kind !== 'cgroup' && kind !== 'cgroup2')) return [];
  return [{ root, mountPoint: unescapeOctal(mountPoint), kind, controllers: options.split(',') }];
}

/** In a container the mount shows a part of the hierarchy: its root is cut from the path. */
function placeOf({ root, mountPoint }: Mount, path: string): CgroupPlace {
  const within = root !== '/' && (path === root || path.startsWith(`${root}/`)) ? path.slice(root.length) : path;
  const outside = within === '/' || within === '' || within.startsWith('/..');
  return { mountPoint, own: outside ? mountPoint : `${mountPoint}${within}` };
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
