import { describe, expect, it } from 'vitest';
import { parseCgroupMounts } from './cgroup-mounts.ts';

describe('parseCgroupMounts', () => {
  it('finds version 1 hierarchies, shared ones under each name', () => {
    const mounts = [
      '31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755',
      '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct',
      '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory',
      '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw',
    ].join('\n');
    const { v1, v2 } = parseCgroupMounts(mounts, '9:name=systemd:/\n4:memory:/box/1\n2:cpu,cpuacct:/\n0::/user\n');
    const cpu = { mountPoint: '/sys/fs/cgroup/cpu,cpuacct', own: '/sys/fs/cgroup/cpu,cpuacct' };
    expect(v1).toEqual(
      new Map([
        ['memory', { mountPoint: '/sys/fs/cgroup/memory', own: '/sys/fs/cgroup/memory/box/1' }],
        ['cpu', cpu],
        ['cpuacct', cpu],
      ]),
    );
    expect(v2).toEqual({ mountPoint: '/sys/fs/cgroup/unified', own: '/sys/fs/cgroup/unified/user' });
  });

  it('finds the one hierarchy of version 2', () => {
    const { v1, v2 } = parseCgroupMounts(
      '30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n',
      '0::/system.slice/a.service\n',
    );
    expect(v1.size).toBe(0);
    expect(v2).toEqual({ mountPoint: '/sys/fs/cgroup', own: '/sys/fs/cgroup/system.slice/a.service' });
  });

  it('cuts the root of a mount that shows a part, as in a container', () => {
    const mounts = '35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n';
    expect(parseCgroupMounts(mounts, '4:memory:/docker/abc/in\n').v1.get('memory')?.own).toBe('/sys/fs/cgroup/memory/in');
    expect(parseCgroupMounts(mounts, '4:memory:/docker/abc\n').v1.get('memory')?.own).toBe('/sys/fs/cgroup/memory');
  });

  it('takes the mount itself for a group that lies outside it', () => {
    const mounts = '30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n';
    expect(parseCgroupMounts(mounts, '0::/../other\n').v2?.own).toBe('/sys/fs/cgroup');
  });

  it('finds nothing where there is nothing', () => {
    expect(parseCgroupMounts('', '')).toEqual({ v1: new Map(), v2: undefined });
  });
});
