// Hostile apps that look for files that are not theirs. Numbers are those of docs/security.md.
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HostFixture, MiB, type StartedApp } from '../contract/host-fixture.ts';
import { bubblewrapSkip } from '../contract/sandbox-skip.ts';

const skip = await bubblewrapSkip();

describe.skipIf(skip !== undefined)(`an app that looks around${skip === undefined ? '' : ` (SKIPPED: ${skip})`}`, () => {
  let fixture: HostFixture;
  let app: StartedApp;
  let neighbour: StartedApp;

  beforeAll(async () => {
    fixture = await HostFixture.open('bubblewrap');
    // Evaluates what it is asked to, which makes it the most hostile app there is.
    app = await fixture.start(
      `const fs = require('fs'); const cp = require('child_process'); serve((url) => eval('(async () => ' + decodeURIComponent(url.slice(1)) + ')()'))`,
      { memoryBytesMax: 384 * MiB },
    );
    neighbour = await fixture.start(`serve(() => 'mine')`, {
      environment: { NODE_OPTIONS: '--require="/srv/platform/nodejs/preload.cjs"', SECRET: 'of the neighbour' },
    });
    await Promise.all([app.reached('ready'), neighbour.reached('ready')]);
  });
  afterAll(() => fixture.close());

  const evaluate = (code: string) => app.get(`/${encodeURIComponent(code)}`);
  const shell = (command: string) => evaluate(`cp.execSync(${JSON.stringify(`${command} 2>&1 || true`)}).toString()`);

  test.each([
    '/etc/shadow',
    '/root',
    '/home',
    '/sys/class',
    '/sys/kernel',
    '/sys/fs/cgroup/cpu',
    '/boot',
    '/var/log',
    '/etc/ssl/private',
    '/run/systemd',
    '/dev/vda',
    '/dev/mem',
    '/proc/kcore/x',
  ])('12 %s is not there', async (path) => {
    expect(await evaluate(`String(fs.existsSync('${path}'))`)).toBe('false');
  });

  test("12 another app's code, data and sockets are not there", async () => {
    const { socketDirectory } = neighbour.view();
    for (const path of [fixture.directory, socketDirectory, join(socketDirectory, 'app.sock')]) {
      expect(await evaluate(`String(fs.existsSync(${JSON.stringify(path)}))`)).toBe('false');
    }
    expect(JSON.parse(await evaluate(`JSON.stringify(fs.readdirSync('/run/appengine'))`))).toEqual(['app', 'app.sock']);
  });

  test('12 of the control groups it sees its own, and cannot write it', async () => {
    expect(await evaluate(`fs.readFileSync('/proc/self/cgroup', 'utf8')`)).not.toContain('appengine');
    const found = await shell('find /sys -name "memory.limit_in_bytes" -o -name "memory.max"');
    if (fixture.resources.missing.includes('memory limit')) return;
    expect(found.trim().split('\n').length).toBe(1);
    expect(Number(await shell(`cat ${found.trim()}`))).toBe(384 * MiB);
    expect(await evaluate(`fs.writeFileSync('${found.trim()}', '1000000000')`)).toContain('EROFS');
    // So that Node does not wait with collecting until it is killed.
    expect(Number(await evaluate(`require('v8').getHeapStatistics().heap_size_limit`))).toBeLessThan(300 * MiB);
  });

  test.each([
    ['writing its code', `fs.writeFileSync('/srv/app/app.cjs', '')`, 'EROFS'],
    ['adding to its code', `fs.writeFileSync('/srv/app/new.txt', '')`, 'EROFS'],
    ['removing its code', `fs.unlinkSync('/srv/app/app.cjs')`, 'EROFS'],
    ["writing the platform's code", `fs.writeFileSync('/srv/platform/nodejs/preload.cjs', '')`, 'EROFS'],
    ['adding packages', `fs.mkdirSync('/srv/node_modules/evil')`, 'EROFS'],
    ['adding to the root', `fs.mkdirSync('/evil')`, 'EROFS'],
    ['writing /usr', `fs.writeFileSync('/usr/bin/evil', '')`, 'EROFS'],
    ['writing /etc', `fs.writeFileSync('/etc/passwd', '')`, 'EROFS'],
    ['writing /dev', `fs.writeFileSync('/dev/evil', '')`, 'EROFS'],
    ["replacing the platform's sockets", `fs.writeFileSync('/run/appengine/api.sock', '')`, 'EROFS'],
    ['changing modes', `fs.chmodSync('/srv/app/app.cjs', 0o777)`, 'EROFS'],
  ])('13 %s is refused', async (_what, code, error) => {
    expect(await evaluate(code)).toContain(error);
  });

  test('13 a socket of its own that leads elsewhere is not followed', async () => {
    const other = join(fixture.directory, 'host-service.sock');
    const server = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret')).listen(other);
    await new Promise((resolve) => server.once('listening', resolve));
    const liar = await fixture.start(
      `require('fs').symlinkSync(${JSON.stringify(other)}, process.env.APPENGINE_LISTEN); setInterval(() => {}, 1000)`,
      { readyMsMax: 400 },
    );
    expect(await liar.exited()).toMatchObject({ errorCode: 'INSTANCE_NEVER_LISTENED' });
    const swapper = await fixture.start(
      `serve(() => { const fs = require('fs'); fs.unlinkSync(process.env.APPENGINE_LISTEN); fs.symlinkSync(${JSON.stringify(other)}, process.env.APPENGINE_LISTEN); return 'swapped' })`,
    );
    await swapper.reached('ready');
    expect(await swapper.get()).toBe('swapped');
    expect(await swapper.get().catch(() => 'nobody')).not.toBe('secret');
    server.close();
  });

  test('14 a link in the code directory leads nowhere on the host', async () => {
    const codeDirectory = await fixture.code({ 'app.cjs': `console.log(require('fs').existsSync('secret'))` });
    await mkdir(join(fixture.directory, 'private'));
    await writeFile(join(fixture.directory, 'private/secret'), 'x');
    await symlink(join(fixture.directory, 'private/secret'), join(codeDirectory, 'secret'));
    const linked = await fixture.startSpec({ codeDirectory });
    await linked.exited();
    expect(linked.log()).toContain('stdout false');
  });

  test('17 /proc shows only its own processes', async () => {
    const pids = JSON.parse(await evaluate(`JSON.stringify(fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name)))`)) as string[];
    expect(pids.length).toBeLessThan(5);
    expect(await shell('cat /proc/1/cmdline')).toContain('bwrap');
    expect(await shell('cat /proc/1/environ')).not.toMatch(/SECRET|HOME=\/root|PATH=\/root/);
    expect(await shell('tr "\\0" " " < /proc/1/cmdline')).not.toContain(fixture.directory);
    expect(await shell('grep -l "of the neighbour" /proc/[0-9]*/environ')).toBe('');
  });
});
