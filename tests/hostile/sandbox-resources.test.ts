// Hostile apps that take what they can get, in the real sandbox. Numbers are those of docs/security.md.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findGroups } from '../../runtime/sandbox/cgroup-files.ts';
import { HostFixture, MiB, type StartedApp } from '../contract/host-fixture.ts';
import { bubblewrapSkip } from '../contract/sandbox-skip.ts';

const skip = await bubblewrapSkip();

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
           const child = spawn('sleep', ['1000']);
           child.once('error', (error) => resolve(running + ' ' + error.code));
           child.once('spawn', () => { running++; next() });
         };
         next();
       }));`,
      { pidsMax: 40 },
    );
    await app.reached('ready');
    const [running, code] = (await app.get()).split(' ');
    expect(code).toBe('EAGAIN');
    expect(Number(running)).toBeLessThan(40);
    await fixture.host.stop(app.id, { graceMs: 100 });
    await app.exited();
    expect(processesNamed('sleep', '1000')).toEqual([]);
  });

  test.each([
    ['heap', `const all = []; for (;;) all.push(new Array(1e6).fill(1.5))`],
    ['Buffers', `const all = []; for (;;) all.push(Buffer.alloc(8e6, 1))`],
    ['a child process', `require('child_process').execFileSync('node', ['-e', 'const all = []; for (;;) all.push(Buffer.alloc(8e6, 1))'])`],
    ['tmpfs', `const fs = require('fs'); for (let n = 0; ; n++) fs.writeFileSync('/tmp/' + n, Buffer.alloc(8e6, 1))`],
  ])('2 a memory bomb of %s ends that instance, and the log says why', async (_kind, bomb) => {
    if (!limited()) return;
    const neighbour = await fixture.start(`serve(() => 'well')`);
    const app = await fixture.start(`serve(() => { ${bomb} })`, { memoryBytesMax: 128 * MiB, tmpBytesMax: 512 * MiB });
    await Promise.all([app.reached('ready'), neighbour.reached('ready')]);
    // A child's death is seen within a second, so this request may still get an answer.
    await app.get().catch(() => 'killed');
    expect(await app.exited()).toMatchObject({ errorCode: 'INSTANCE_EXITED', reason: 'was killed: over its memory limit of 128 MiB' });
    expect(app.log()).toContain('system The instance was killed: over its memory limit of 128 MiB');
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
       serve(() => { for (let n = 0; n < 20000; n++) { fs.writeFileSync(file, ''); fs.unlinkSync(file) } return 'done' });`,
    );
    await app.reached('ready');
    expect(await app.get()).toBe('done');
    expect(await app.get()).toBe('done');
    await fixture.host.stop(app.id, { graceMs: 100 });
  });

  test('4 a million small files in /tmp end that instance at the latest', async (context) => {
    if (!limited()) context.skip('control groups cannot be written here: run as root');
    const app = await fixture.start(
      `const fs = require('fs');
       serve(() => { let n = 0; try { for (; n < 1e6; n++) fs.closeSync(fs.openSync('/tmp/' + n, 'w')) } catch (error) { return error.code } return 'all of them' });`,
      { memoryBytesMax: 96 * MiB, tmpBytesMax: 8 * MiB },
    );
    await app.reached('ready');
    const answer = await app.get().catch(() => 'killed');
    expect(['killed', 'ENOSPC', 'ENOMEM']).toContain(answer);
    await fixture.host.stop(app.id, { graceMs: 100 });
    await app.exited();
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
    // Many threads in one instance: without a share by group they would crowd the neighbour out.
    const apps = [await fixture.start(busy(2), { appId: 'neighbour' }), await fixture.start(busy(12), { appId: 'hog' })];
    await Promise.all(apps.map((app) => app.reached('ready')));
    const [neighbour = 0, hog = 0] = await competing(apps);
    await Promise.all(apps.map((app) => fixture.host.stop(app.id, { graceMs: 0 })));
    await Promise.all(apps.map((app) => app.exited()));
    expect(neighbour / (neighbour + hog)).toBeGreaterThan(0.4);
  });

  test('5 an app with many busy instances has the share of one app', async (context) => {
    if (!limited()) context.skip('control groups cannot be written here: run as root');
    const neighbour = await fixture.start(busy(2), { appId: 'neighbour' });
    const hogs = await Promise.all(Array.from({ length: 6 }, () => fixture.start(busy(2), { appId: 'hog' })));
    await Promise.all([neighbour, ...hogs].map((app) => app.reached('ready')));
    const [one = 0, ...others] = await competing([neighbour, ...hogs]);
    await Promise.all([neighbour, ...hogs].map((app) => fixture.host.stop(app.id, { graceMs: 0 })));
    await Promise.all([neighbour, ...hogs].map((app) => app.exited()));
    const many = others.reduce((sum, micros) => sum + micros);
    expect(one / (one + many)).toBeGreaterThan(0.4);
  });

  test('7 descriptors run out inside only', async () => {
    const app = await fixture.start(
      `const fs = require('fs'); serve(() => { try { for (;;) fs.openSync('/dev/null') } catch (error) { return error.code } })`,
    );
    await app.reached('ready');
    expect(['EMFILE', 'ENFILE']).toContain(await app.get().catch(() => 'EMFILE'));
    const next = await fixture.start(`serve(() => 'well')`);
    await next.reached('ready');
    expect(await next.get()).toBe('well');
    await Promise.all([app, next].map(({ id }) => fixture.host.stop(id, { graceMs: 100 })));
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
       serve(() => { spawn('setsid', ['sh', '-c', 'sleep 2001 & sleep 2002'], { detached: true, stdio: 'ignore' }).unref(); return 'left behind' });`,
    );
    await app.reached('ready');
    await app.get();
    await vi.waitFor(() => expect(processesNamed('sleep', '2001').length).toBe(1), { timeout: 5_000 });
    await fixture.host.stop(app.id, { graceMs: 1_000 });
    await app.exited();
    expect([...processesNamed('sleep', '2001'), ...processesNamed('sleep', '2002')]).toEqual([]);
  });

  test('9 nothing outlives a host that was killed, and the next one removes its control groups', async (context) => {
    if (!limited()) context.skip('control groups cannot be written here: run as root');
    const directory = await mkdtemp(join(tmpdir(), 'ae-'));
    const script = `
      import { HostFixture } from ${JSON.stringify(new URL('../contract/host-fixture.ts', import.meta.url).href)};
      const fixture = await HostFixture.open('bubblewrap', {}, ${JSON.stringify(directory)});
      const app = await fixture.start("require('child_process').spawn('setsid', ['sleep', '3001']); serve(() => '')");
      await app.reached('ready');
      process.kill(process.pid, 'SIGKILL');`;
    await new Promise<void>((resolve) => {
      execFile(process.execPath, ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', script], () => {
        resolve();
      });
    });
    await vi.waitFor(() => expect(processesNamed('sleep', '3001')).toEqual([]), { timeout: 5_000 });
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
