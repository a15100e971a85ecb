// On plain files that stand for the kernel's: what is written where. The real thing is tested by tests/hostile.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemTimers } from '../../sdk/support/clock.ts';
import { CgroupV1 } from './cgroup-v1.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cgroup1-'));
  for (const name of ['memory', 'pids', 'cpu', 'cpuacct']) mkdirSync(join(root, name));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const build = () => {
  const places = new Map(
    ['memory', 'pids', 'cpu', 'cpuacct'].map((name) => [name, { mountPoint: join(root, name), own: join(root, name) }]),
  );
  return new CgroupV1(places, systemTimers, { parentName: 'appengine-x', cpus: 4 });
};

describe('CgroupV1', () => {
  it('limits an instance, and around it the app', async () => {
    const control = build();
    await control.start();
    const first = control.create('one');
    first.limit({ memoryBytesMax: 1_000, pidsMax: 20, cpuWeight: 2 });
    const second = control.create('two', first);
    second.limitShared({ pidsMax: 90, cpuWeight: 3 });
    expect(read('memory', 'appengine-x', 'app-one', 'one', 'memory.limit_in_bytes')).toBe('1000');
    expect(read('pids', 'appengine-x', 'app-one', 'one', 'pids.max')).toBe('20');
    expect(read('cpu', 'appengine-x', 'app-one', 'one', 'cpu.shares')).toBe('2048');
    expect(read('pids', 'appengine-x', 'app-one', 'pids.max')).toBe('90');
    expect(read('cpu', 'appengine-x', 'app-one', 'cpu.shares')).toBe('3072');
    expect(second.joinFiles).toEqual(
      ['memory', 'pids', 'cpu', 'cpuacct'].map((name) => join(root, name, 'appengine-x/app-one/two/cgroup.procs')),
    );
    expect(second.visible).toEqual([{ from: join(root, 'memory/appengine-x/app-one/two'), to: '/sys/fs/cgroup/memory' }]);
  });

  it('removes what instances share with the last of them', async () => {
    const control = build();
    await control.start();
    const first = control.create('one');
    const second = control.create('two', first);
    const shared = join(root, 'cpu', 'appengine-x', 'app-one');
    await first.close();
    expect(existsSync(shared)).toBe(true);
    await second.close();
    expect(existsSync(shared)).toBe(false);
  });

  it('sweeps what a dead host left, at any depth', async () => {
    mkdirSync(join(root, 'pids/elsewhere/appengine-x/app-one/one'), { recursive: true });
    await build().start();
    expect(existsSync(join(root, 'pids/elsewhere/appengine-x'))).toBe(false);
  });

  it('weighs all apps as one process of each CPU, and the platform more', async () => {
    writeFileSync(join(root, 'cpu/cgroup.procs'), '');
    const control = build();
    await control.start();
    expect(read('cpu/appengine-x/cpu.shares')).toBe('4096');
    control.favour(42);
    expect(read('cpu/appengine-x-platform/cgroup.procs')).toBe('42');
    expect(read('cpu/appengine-x-platform/cpu.shares')).toBe('32768');
    // Files of the kernel go with their directory; these do not.
    for (const name of ['appengine-x', 'appengine-x-platform']) rmSync(join(root, 'cpu', name), { recursive: true });
    await control.close();
    expect(read('cpu/cgroup.procs')).toBe('42');
  });
});
