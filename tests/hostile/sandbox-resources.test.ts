// Hostile apps that take what they can get, in the real sandbox. Numbers are those of docs/security.md.
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { BubblewrapSandbox } from '../../runtime/sandbox/bubblewrap-sandbox.ts';
import { findGroups, readText } from '../../runtime/sandbox/cgroup-files.ts';
import { startResourceControl } from '../../runtime/sandbox/resource-control-choice.ts';
import { HostFixture, MiB, type StartedApp } from '../contract/host-fixture.ts';
import { bubblewrapSkip } from '../contract/sandbox-skip.ts';
import { type FrontOptions, HttpFront, statuses } from './http-front.ts';

const skip = await bubblewrapSkip();

/** Seconds to sleep, by which a process is known as this run's among all of the machine. */
const SLEEP = {
  bomb: `1${process.pid}`,
  background: `2${process.pid}`,
  child: `3${process.pid}`,
  orphan: `4${process.pid}`,
};

describe.skipIf(skip !== undefined)(`an app that hogs${skip === undefined ? '' : ` (SKIPPED: ${skip})`}`, () => {
  let fixture: HostFixture;
  beforeAll(async () => {
    fixture = await HostFixture.open('bubblewrap');
  });
  afterAll(() => fixture.close());

  const limited = (): boolean => fixture.resources.missing.length === 0;

  test('1 a fork bomb stops at the limit of processes, and ends with its instance', async (context) => {
    if (!limited()) context.skip('control groups cannot be written here: run as root');
    const app = await fixture.start(
      `const { spawn } = require('child_process');
       serve(() => new Promise((resolve) => {
         let running = 0;
         const next = () => {
           const child = spawn('sleep', ['${SLEEP.bomb}']);
           child.once('error', (error) => resolve(running + ' ' + error.code));
           child.once('spawn', () => { running++; next() });
         };
         next();
       }));`,
      { pidsMax: 40 },
    );
    await app.reached('ready');
    const neighbour = await fixture.start(`serve(() => require('child_process').execFileSync('echo', ['well']).toString())`, {
      appId: 'neighbour',
    });
    await neighbour.reached('ready');
    const bomb = app.get();
    // Those of its neighbour can still be started, one in each request.
    for (let n = 0; n < 25; n++) expect(await neighbour.get()).toBe('well\n');
    const [running, code] = (await bomb).split(' ');
    for (let n = 0; n < 25; n++) expect(await neighbour.get()).toBe('well\n');
    await fixture.host.stop(neighbour.id, { graceMs: 0 });
    expect(code).toBe('EAGAIN');
    expect(Number(running)).toBeLessThan(40);
    await fixture.host.stop(app.id, { graceMs: 100 });
    await app.exited();
    expect(processesNamed('sleep', SLEEP.bomb)).toEqual([]);
  });

  test.each([
    ['heap', `const all = []; for (;;) all.push(new Array(1e6).fill(1.5))`],
    ['Buffers', `const all = []; for (;;) all.push(Buffer.alloc(8e6, 1))`],
    ['a child process', `require('child_process').execFileSync('node', ['-e', 'const all = []; for (;;) all.push(Buffer.alloc(8e6, 1))'])`],
    ['mapped memory', `const all = []; for (;;) all.push(new Uint8Array(new WebAssembly.Memory({ initial: 160 }).buffer).fill(1))`],
    ['tmpfs', `const fs = require('fs'); for (let n = 0; ; n++) fs.writeFileSync('/tmp/' + n, Buffer.alloc(8e6, 1))`],
  ])('2 a memory bomb of %s ends that instance, and the log says why', async (_kind, bomb) => {
    if (!limited()) return;
    const neighbour = await fixture.start(`serve(() => 'well')`);
    const app = await fixture.start(`serve(() => { ${bomb} })`, {
      memoryBytesMax: 128 * MiB,
      tmpBytesMax: 512 * MiB,
      instanceClass: 'F1',
    });
    await Promise.all([app.reached('ready'), neighbour.reached('ready')]);
    // A child's death is seen within a second, so this request may still get an answer.
    await app.get().catch(() => 'killed');
    expect(await app.exited()).toMatchObject({
      errorCode: 'INSTANCE_EXITED',
      reason: 'was killed: over its memory limit of 128 MiB (class F1; try instance_class: F2)',
    });
    expect(app.log()).toContain('system The instance was killed: over its memory limit of 128 MiB (class F1; try instance_class: F2)');
    expect(await neighbour.get()).toBe('well');
    await fixture.host.stop(neighbour.id, { graceMs: 100 });
  });

  test.each(['/tmp', '/dev/shm'])('3 %s is full at its cap', async (directory) => {
    const app = await fixture.start(
      `const fs = require('fs');
       serve(() => { let n = 0; try { for (;; n++) fs.appendFileSync('${directory}/fill', Buffer.alloc(2 ** 20)) } catch (error) { return n + ' ' + error.code } });`,
      { tmpBytesMax: 8 * MiB },
    );
    await app.reached('ready');
    expect(await app.get()).toBe('8 ENOSPC');
    await fixture.host.stop(app.id, { graceMs: 100 });
  });

  test('3 the directory of its socket is no way to fill the disk', async () => {
    const app = await fixture.start(
      `const fs = require('fs');
       serve(() => { try { for (;;) fs.appendFileSync(require('path').dirname(process.env.APPENGINE_LISTEN) + '/fill', Buffer.alloc(4096)) } catch (error) { return error.code } });`,
    );
    await app.reached('ready');
    expect(await app.get()).toBe('ENOSPC');
    await fixture.host.stop(app.id, { graceMs: 100 });
  });

  test('3 8 an app that changes that directory without end is not followed, and still answers', async () => {
    const app = await fixture.start(
      `const fs = require('fs'); const file = require('path').dirname(process.env.APPENGINE_LISTEN) + '/x';
       const another = () => new Promise((resolve) => {
         fs.unlinkSync(process.env.APPENGINE_LISTEN);
         require('http').createServer((request, response) => response.end('another')).listen(process.env.APPENGINE_LISTEN, resolve);
       });
       serve(async () => { for (let n = 0; n < 20000; n++) { fs.writeFileSync(file, ''); fs.unlinkSync(file) } await another(); return 'done' });`,
    );
    await app.reached('ready');
    expect(await app.get()).toBe('done');
    // The last it made: was it looked at, the next requests would go there.
    for (let n = 0; n < 3; n++) expect(await app.get()).toBe('done');
    await fixture.host.stop(app.id, { graceMs: 100 });
  });

  // Files, directories and both kinds of links in turn, each in the same place.
  const filling = (directory: string) => `
    const fs = require('fs'); const file = (n) => '${directory}/' + n; let made = 0;
    const make = [(n) => fs.closeSync(fs.openSync(file(n), 'w')), (n) => fs.mkdirSync(file(n)), (n) => fs.symlinkSync('x', file(n)), (n) => fs.linkSync(file(n - 3), file(n))];
    const fill = (max) => { try { for (const end = made + max; made < end; made++) make[made % 4](made) } catch (error) { return error.code } };
    const empty = () => { while (made > 0) fs.rmSync(file(--made), { recursive: true }) };`;

  test.each([
    ['/tmp', LIMITS.instanceTmpBytesMax],
    ['/tmp', 8 * MiB],
    ['/dev/shm', 8 * MiB],
    ['/run/appengine/app', 8 * MiB],
  ])('4 files without number in %s of %d bytes meet ENOSPC, and the app goes on', async (directory, tmpBytesMax) => {
    const neighbour = await fixture.start(`serve(() => { require('fs').writeFileSync('${directory}/new', 'well'); return 'well' })`, {
      appId: 'neighbour',
    });
    const app = await fixture.start(
      `${filling(directory)}
       serve((url) => url === '/fill' ? fill(Infinity) + ' ' + made : (empty(), String(fill(100))));`,
      { memoryBytesMax: 512 * MiB, tmpBytesMax },
    );
    await Promise.all([app.reached('ready'), neighbour.reached('ready')]);
    const filesMax = tmpBytesMax / LIMITS.tmpBytesPerFile;
    const [code, made] = (await app.get('/fill')).split(' ');
    expect(code).toBe('ENOSPC');
    // The platform's own are a few: the three directories, the socket and what the language leaves beside it.
    expect(Number(made)).toBeGreaterThan(filesMax - 16);
    expect(Number(made)).toBeLessThan(filesMax);
    expect(await neighbour.get()).toBe('well');
    expect(await app.get('/empty')).toBe('undefined');
    expect(app.view().state).toBe('ready');
    // What was mounted is the sandbox's alone, so nothing of it can be left behind.
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(fixture.directory);
    await Promise.all([app, neighbour].map(({ id }) => fixture.host.stop(id, { graceMs: 100 })));
  });

  test('3 4 a build has the size of a build', async () => {
    const lines: string[] = [];
    const build = { appId: 'hello', command: ['stat', '-f', '-c', '%b %S %c', '/tmp'], environment: {}, timeoutMs: 10_000 };
    const directory = await fixture.code({});
    await fixture.host.build({ ...build, directory, memoryBytesMax: 2 ** 27 }, { onOutput: (line) => lines.push(line) });
    const [blocks = 0, blockBytes = 0, files] = (lines[0] ?? '').split(' ').map(Number);
    expect(blocks * blockBytes).toBe(LIMITS.buildTmpBytesMax);
    expect(files).toBe(LIMITS.buildTmpBytesMax / LIMITS.tmpBytesPerFile);
  });

  test('4 where a machine does not let their number be capped, too many end that instance, and the log says why', async () => {
    const counting = await HostFixture.open((scratchDirectory) => new BubblewrapSandbox({ scratchDirectory, ownMounts: ['false'] }));
    try {
      await Promise.all(
        ['/tmp', '/dev/shm', '/run/appengine/app'].map(async (directory) => {
          const app = await counting.start(
            `${filling(directory)}
             const go = () => { if (fill(2000) === undefined && made < 100000) setImmediate(go) };
             serve(() => { go(); return 'filling' });`,
            { memoryBytesMax: 512 * MiB },
          );
          await app.reached('ready');
          await app.get().catch(() => 'ended');
          const reason = 'was killed: more than 8192 files in /tmp';
          expect(await app.exited()).toMatchObject({ errorCode: 'INSTANCE_EXITED', reason });
          expect(app.log()).toContain(`system The instance ${reason}`);
        }),
      );
    } finally {
      await counting.close();
    }
  });

  /** CPU time of each while all of them compete, until together they had a second: of the machine others may want a part too. */
  async function competing(apps: readonly StartedApp[]): Promise<number[]> {
    const used = async () => {
      const views = await fixture.host.list();
      return apps.map(({ id }) => views.find((view) => view.id === id)?.cpuMicros ?? 0);
    };
    const since = async (before: readonly number[]) => (await used()).map((micros, index) => micros - (before[index] ?? 0));
    // The host reads the counters every 400 ms, so the first reading may be of before they all ran.
    const earlier = await used();
    await vi.waitFor(async () => expect(Math.min(...(await since(earlier)))).toBeGreaterThan(0), { timeout: 20_000 });
    const begun = await used();
    await vi.waitFor(async () => expect((await since(begun)).reduce((sum, micros) => sum + micros)).toBeGreaterThan(1_000_000), {
      timeout: 30_000,
    });
    return since(begun);
  }

  const busy = (threads: number) =>
    `const { Worker } = require('worker_threads');
     for (let n = 0; n < ${threads}; n++) new Worker('for (;;);', { eval: true });
     serve(() => '');`;

  test('5 an endless loop leaves its neighbour at least 40 % of the CPU', async (context) => {
    if (!limited()) context.skip('control groups cannot be written here: run as root');
    // Without a share by group they would crowd the neighbour out. In sessions of their own: Linux may share by session, too.
    const sessions = `const { spawn } = require('child_process');
      for (let n = 0; n < 12; n++) spawn('sh', ['-c', 'while :; do :; done'], { detached: true, stdio: 'ignore' });
      serve(() => '');`;
    const apps = [await fixture.start(busy(4), { appId: 'neighbour' }), await fixture.start(sessions, { appId: 'hog' })];
    await Promise.all(apps.map((app) => app.reached('ready')));
    const [neighbour = 0, hog = 0] = await competing(apps);
    await Promise.all(apps.map((app) => fixture.host.stop(app.id, { graceMs: 0 })));
    await Promise.all(apps.map((app) => app.exited()));
    expect(neighbour / (neighbour + hog)).toBeGreaterThan(0.4);
  });

  test('5 an app with many busy instances has the share of one app', async (context) => {
    if (!limited()) context.skip('control groups cannot be written here: run as root');
    // As many threads as of the other app, so that each CPU has some of both.
    const neighbour = await fixture.start(busy(12), { appId: 'neighbour' });
    const hogs = await Promise.all(Array.from({ length: 6 }, () => fixture.start(busy(2), { appId: 'hog' })));
    await Promise.all([neighbour, ...hogs].map((app) => app.reached('ready')));
    const [one = 0, ...others] = await competing([neighbour, ...hogs]);
    await Promise.all([neighbour, ...hogs].map((app) => fixture.host.stop(app.id, { graceMs: 0 })));
    await Promise.all([neighbour, ...hogs].map((app) => app.exited()));
    const many = others.reduce((sum, micros) => sum + micros);
    expect(one / (one + many)).toBeGreaterThan(0.4);
  });

  test('5 the processes of the platform are in a group with more weight than all apps', async (context) => {
    if (!limited()) context.skip('control groups cannot be written here: run as root');
    const role = spawn('sleep', ['5001']);
    const groupOf = () => readFileSync(`/proc/${role.pid ?? 0}/cgroup`, 'utf8');
    const before = groupOf();
    const directory = await mkdtemp(join(tmpdir(), 'ae-'));
    const resources = await startResourceControl(directory, systemTimers, new MemoryLog());
    resources.favour(role.pid ?? 0);
    const [, place = ''] = /^\d+:(?:[^:]*\bcpu\b[^:]*)?:(.*-platform)$/m.exec(groupOf()) ?? [];
    expect(place).toContain('appengine-');
    const weight = (path: string) => {
      const found = findGroups('/sys/fs/cgroup', basename(path)).flatMap(
        (group) => readText(join(group, 'cpu.shares')) ?? readText(join(group, 'cpu.weight')) ?? [],
      );
      return Number(found[0]);
    };
    expect(weight(place)).toBe(8 * weight(place.replace('-platform', '')));
    await resources.close();
    // What was moved is where it was, and the group is gone.
    expect(groupOf()).toBe(before);
    expect(findGroups('/sys/fs/cgroup', basename(place))).toEqual([]);
    role.kill('SIGKILL');
    await rm(directory, { recursive: true });
  });

  /** The router before an app that runs. */
  async function frontOf(app: StartedApp, options: FrontOptions = {}): Promise<HttpFront> {
    const front = await HttpFront.start(options);
    onTestFinished(() => front.close());
    front.instances.socketPaths.push(join(app.view().socketDirectory, 'app.sock'));
    return front;
  }
  const request = 'POST / HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

  test('2 a request whose instance goes over its memory gets 500', async (context) => {
    if (!limited()) context.skip('control groups cannot be written here: run as root');
    const app = await fixture.start(`serve(() => { const all = []; for (;;) all.push(Buffer.alloc(8e6, 1)) })`, {
      memoryBytesMax: 64 * MiB,
    });
    await app.reached('ready');
    const front = await frontOf(app);
    expect(statuses(await front.send(request))).toEqual([500]);
    expect(front.instances.released.map(({ outcome }) => outcome)).toEqual(['failed']);
    expect((await app.exited()).reason).toContain('over its memory limit of 64 MiB');
  });

  test.each([
    ['an endless loop', 'for (;;);'],
    ['a regular expression', `/^(a+)+$/.test('a'.repeat(60) + 'b')`],
  ])('5 6 a request that ends in %s meets its deadline', async (_what, code) => {
    const app = await fixture.start(`serve(() => { ${code} })`);
    await app.reached('ready');
    const time = new VirtualTime();
    const front = await frontOf(app, { timers: time, version: { requestDeadlineMs: 1 } });
    const answer = front.send(request);
    await vi.waitFor(
      () => {
        time.advance(1_000);
        expect(front.instances.released.map(({ outcome }) => outcome)).toEqual(['failed']);
      },
      { timeout: 10_000 },
    );
    expect(statuses(await answer)).toEqual([504]);
    await fixture.host.stop(app.id, { graceMs: 0 });
  });

  test('7 descriptors run out inside only', async () => {
    const app = await fixture.start(
      `const fs = require('fs');
       serve(() => { const held = []; try { for (;;) held.push(fs.openSync('/dev/null')) } catch (error) { for (const one of held) fs.closeSync(one); return held.length + ' ' + error.code } })`,
    );
    await app.reached('ready');
    const [opened, error] = (await app.get()).split(' ');
    expect(error).toBe('EMFILE');
    expect(Number(opened)).toBeLessThan(LIMITS.instanceDescriptorsMax);
    expect(Number(opened)).toBeGreaterThan(LIMITS.instanceDescriptorsMax - 200);
    const next = await fixture.start(`serve(() => 'well')`);
    await next.reached('ready');
    expect(await next.get()).toBe('well');
    await Promise.all([app, next].map(({ id }) => fixture.host.stop(id, { graceMs: 100 })));
  });

  test('11 idle sockets stop at the limit of descriptors, and nobody else notices', async () => {
    const app = await fixture.start(
      `const net = require('net'); const held = [];
       const server = net.createServer((socket) => held.push(socket)).listen(4000);
       server.on('error', () => undefined);
       serve(() => new Promise((resolve) => {
         const next = () => {
           const socket = net.connect(4000, '127.0.0.1');
           socket.once('error', (error) => { const sockets = held.length; for (const one of held.splice(0)) one.destroy(); resolve(sockets + ' ' + error.code) });
           socket.once('connect', () => { held.push(socket); next() });
         };
         next();
       }));`,
    );
    const neighbour = await fixture.start(`serve(() => 'well')`, { appId: 'neighbour' });
    await Promise.all([app.reached('ready'), neighbour.reached('ready')]);
    const [sockets, error] = (await app.get()).split(' ');
    expect(error).toBe('EMFILE');
    expect(Number(sockets)).toBeLessThan(LIMITS.instanceDescriptorsMax);
    expect(await neighbour.get()).toBe('well');
    await Promise.all([app, neighbour].map(({ id }) => fixture.host.stop(id, { graceMs: 0 })));
  });

  test('10 work after the response, in the app or in a child, is still metered', async (context) => {
    if (!limited()) context.skip('control groups cannot be written here: run as root');
    const app = await fixture.start(
      `const work = 'const end = Date.now() + 400; while (Date.now() < end);';
       serve(() => { setImmediate(() => { new Function(work)(); require('child_process').spawn('node', ['-e', work], { detached: true }) }); return '' });`,
    );
    await app.reached('ready');
    const used = async () => (await fixture.host.list()).find(({ id }) => id === app.id)?.cpuMicros ?? 0;
    const before = await used();
    await app.get();
    // On a busy machine 800 ms of time are less of CPU; without the child, and without what came after the response, next to nothing.
    await vi.waitFor(async () => expect((await used()) - before).toBeGreaterThan(200_000), { timeout: 20_000 });
    await fixture.host.stop(app.id, { graceMs: 0 });
  });

  test('8 a flood of log lines is cut, counted, and slows nobody else', async () => {
    const app = await fixture.start(
      `serve(() => { const line = 'flood\\n'.repeat(20000); setInterval(() => process.stdout.write(line), 5); return '' })`,
    );
    const neighbour = await fixture.start(`serve(() => 'well')`);
    await Promise.all([app.reached('ready'), neighbour.reached('ready')]);
    await app.get();
    await vi.waitFor(() => expect(app.log().some((line) => /^system \d+ log lines were dropped/.test(line))).toBe(true), {
      timeout: 10_000,
    });
    expect(await neighbour.get()).toBe('well');
    await Promise.all([app, neighbour].map(({ id }) => fixture.host.stop(id, { graceMs: 0 })));
    await app.exited();
    expect(app.log().filter((line) => line === 'stdout flood').length).toBeLessThan(10_000);
  });

  test('9 children that outlive the request or daemonise die with the instance', async () => {
    const app = await fixture.start(
      `const { spawn } = require('child_process');
       serve(() => { spawn('setsid', ['sh', '-c', 'sleep ${SLEEP.background} & sleep ${SLEEP.child}'], { detached: true, stdio: 'ignore' }).unref(); return 'left behind' });`,
    );
    await app.reached('ready');
    await app.get();
    await vi.waitFor(() => expect(processesNamed('sleep', SLEEP.background).length).toBe(1), { timeout: 5_000 });
    await fixture.host.stop(app.id, { graceMs: 1_000 });
    await app.exited();
    expect([...processesNamed('sleep', SLEEP.background), ...processesNamed('sleep', SLEEP.child)]).toEqual([]);
  });

  test('9 nothing outlives a host that was killed, and the next one removes its control groups', async (context) => {
    if (!limited()) context.skip('control groups cannot be written here: run as root');
    const directory = await mkdtemp(join(tmpdir(), 'ae-'));
    const script = `
      import { HostFixture } from ${JSON.stringify(new URL('../contract/host-fixture.ts', import.meta.url).href)};
      const fixture = await HostFixture.open('bubblewrap', {}, ${JSON.stringify(directory)});
      const app = await fixture.start("require('child_process').spawn('setsid', ['sleep', '${SLEEP.orphan}']); serve(() => '')");
      await app.reached('ready');
      process.kill(process.pid, 'SIGKILL');`;
    await new Promise<void>((resolve) => {
      execFile(process.execPath, ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', script], () => {
        resolve();
      });
    });
    await vi.waitFor(() => expect(processesNamed('sleep', SLEEP.orphan)).toEqual([]), { timeout: 5_000 });
    const groups = () =>
      readFileSync('/proc/self/mountinfo', 'utf8')
        .match(/(?<= )\/sys\/fs\/cgroup\S*/g)
        ?.flatMap((mount) => findGroups(mount, name)) ?? [];
    const name = `appengine-${createHash('sha256').update(directory).digest('hex').slice(0, 12)}`;
    expect(groups()).not.toEqual([]);
    await (await HostFixture.open('bubblewrap', {}, directory)).close();
    expect(groups()).toEqual([]);
  });
});

function processesNamed(...command: string[]): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8') === `${command.join('\0')}\0`;
    } catch {
      return false;
    }
  });
}
