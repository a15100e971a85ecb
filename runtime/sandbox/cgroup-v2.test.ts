// On plain files that stand for the kernel's, because few machines have both versions; version 1 or 2, whichever the
// machine has, is tested for real by tests/hostile.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemTimers } from '../../sdk/support/clock.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { GroupV2 } from './cgroup-v2-group.ts';
import { CgroupV2 } from './cgroup-v2.ts';

let mountPoint: string;
let own: string;
beforeEach(() => {
  mountPoint = mkdtempSync(join(tmpdir(), 'cgroup2-'));
  own = join(mountPoint, 'service');
  mkdirSync(own);
});
afterEach(() => {
  rmSync(mountPoint, { recursive: true, force: true });
});

const build = () => new CgroupV2({ mountPoint, own }, systemTimers, { parentName: 'appengine-x', pid: 42 });
const read = (...path: string[]) => readFileSync(join(mountPoint, ...path), 'utf8');

describe('CgroupV2', () => {
  it('names what it cannot limit', async () => {
    const control = build();
    expect(control.missing).toEqual(['memory limit', 'process limit', 'CPU share', 'CPU metering']);
    await control.start();
    // Only the last controller written stands in the file, and it has a plus sign that the kernel would not show.
    expect(control.missing).toEqual(['memory limit', 'process limit', 'CPU share']);
  });

  it('turns controllers on for its groups, below the group of this process', async () => {
    await build().start();
    expect(read('service', 'cgroup.subtree_control')).toBe('+cpu');
    expect(read('service', 'appengine-x', 'cgroup.subtree_control')).toBe('+cpu');
  });

  it('reads usage and limits as the kernel writes them', async () => {
    const control = build();
    await control.start();
    const group = control.create('one');
    const directory = join(mountPoint, 'appengine-x', 'app-one', 'one');
    expect(group.joinFiles).toEqual([join(directory, 'cgroup.procs')]);
    expect(group.visible).toEqual([{ from: directory, to: '/sys/fs/cgroup' }]);
    expect(group.usage()).toEqual({ outOfMemory: false });
    writeFileSync(join(directory, 'cpu.stat'), 'usage_usec 1234\nuser_usec 1000\nsystem_usec 234\n');
    writeFileSync(join(directory, 'memory.current'), '4096\n');
    writeFileSync(join(directory, 'memory.events'), 'low 0\noom 2\noom_kill 1\noom_group_kill 1\n');
    expect(group.usage()).toEqual({ cpuMicros: 1234, memoryBytes: 4096, outOfMemory: true });
  });

  it('puts instances of one app into a group that they share, which goes with the last', async () => {
    const control = build();
    await control.start();
    const first = control.create('one');
    const second = control.create('two', first);
    const other = control.create('three');
    expect(readdirSync(join(mountPoint, 'appengine-x')).filter((name) => name.startsWith('app-'))).toEqual(['app-one', 'app-three']);
    expect(second.joinFiles).toEqual([join(mountPoint, 'appengine-x', 'app-one', 'two', 'cgroup.procs')]);
    await other.close();
    expect(existsSync(join(mountPoint, 'appengine-x', 'app-three'))).toBe(false);
    expect(existsSync(join(mountPoint, 'appengine-x', 'app-one'))).toBe(true);
  });

  it('gives the platform a leaf of its own with more weight, and takes it out again', async () => {
    writeFileSync(join(mountPoint, 'cgroup.procs'), '');
    const control = build();
    await control.start();
    control.favour(42);
    expect(read('appengine-x-platform', 'cgroup.procs')).toBe('42');
    expect(read('appengine-x-platform', 'cpu.weight')).toBe('800');
    // Files of the kernel go with their directory; these do not.
    for (const name of ['appengine-x', 'appengine-x-platform']) rmSync(join(mountPoint, name), { recursive: true });
    await control.close();
    expect(read('cgroup.procs')).toBe('42');
  });

  it('writes limits only for controllers that are on', () => {
    const limits = { memoryBytesMax: 1_000, pidsMax: 20, cpuWeight: 2 };
    new GroupV2(own, new Set(['memory', 'pids', 'cpu']), systemTimers, () => undefined).limit(limits);
    const files = ['memory.max', 'memory.swap.max', 'memory.oom.group', 'pids.max', 'cpu.weight'];
    expect(files.map((name) => read('service', name))).toEqual(['1000', '0', '1', '20', '200']);
    new GroupV2(join(own, 'one'), new Set(['memory', 'pids', 'cpu']), systemTimers, () => undefined).limitShared({
      pidsMax: 100,
      cpuWeight: 3,
    });
    expect(['pids.max', 'cpu.weight'].map((name) => read('service', name))).toEqual(['100', '300']);

    const bare = join(mountPoint, 'bare');
    mkdirSync(bare);
    new GroupV2(bare, new Set(), systemTimers, () => undefined).limit(limits);
    expect(readdirSync(bare)).toEqual([]);
  });

  it('kills the whole group at once, and removes it when all are gone', async () => {
    const time = new VirtualTime();
    const directory = join(mountPoint, 'doomed');
    mkdirSync(directory);
    writeFileSync(join(directory, 'cgroup.kill'), '');
    const closing = new GroupV2(directory, new Set(), time, () => undefined).close();
    expect(readFileSync(join(directory, 'cgroup.kill'), 'utf8')).toBe('1');
    // A plain directory with a file in it cannot be removed, as a group with members cannot.
    rmSync(join(directory, 'cgroup.kill'));
    await time.advanceAsync(2);
    await closing;
    expect(existsSync(directory)).toBe(false);
  });
});
