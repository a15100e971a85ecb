// Picks what limits and meters processes on this machine, and warns once, loudly, of what it cannot.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { readText } from './cgroup-files.ts';
import { type CgroupMounts, parseCgroupMounts } from './cgroup-mounts.ts';
import { CgroupV1 } from './cgroup-v1.ts';
import { CgroupV2 } from './cgroup-v2.ts';
import { type ResourceControl } from './resource-control.ts';
import { UnlimitedResources } from './unlimited.ts';

/** Started; its groups lie under a parent that no other data directory shares. */
export async function startResourceControl(dataDirectory: string, timers: Timers, log: Log): Promise<ResourceControl> {
  const control = choose(readMounts(), dataDirectory, timers);
  await control.start();
  if (control.missing.length > 0) {
    log.warn('Instances run without some limits on this machine: do not run code here that you do not trust', {
      missing: control.missing.join(', '),
      mend: 'run as root, or as a systemd service with Delegate=yes, on a kernel with the memory, pids and cpu control groups',
    });
  }
  return control;
}

function choose(mounts: CgroupMounts, dataDirectory: string, timers: Timers): ResourceControl {
  const parentName = `appengine-${createHash('sha256').update(dataDirectory).digest('hex').slice(0, 12)}`;
  // Where both versions are mounted, the one that has the memory controller is the one in use.
  if (mounts.v1.has('memory')) return new CgroupV1(mounts.v1, timers, { parentName, cpus: availableParallelism() });
  const { v2 } = mounts;
  if (v2 && readText(join(v2.mountPoint, 'cgroup.controllers'))?.includes('memory')) {
    return new CgroupV2(v2, timers, { parentName, pid: process.pid });
  }
  return new UnlimitedResources();
}

function readMounts(): CgroupMounts {
  try {
    return parseCgroupMounts(readFileSync('/proc/self/mountinfo', 'utf8'), readFileSync('/proc/self/cgroup', 'utf8'));
  } catch {
    return { v1: new Map(), v2: undefined };
  }
}
