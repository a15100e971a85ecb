// Hostile apps that turn to the kernel and the network. Numbers are those of docs/security.md. What takes a filter of
// system calls (23, and netlink of 26) is tested with the filter.
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HostFixture, type StartedApp } from '../contract/host-fixture.ts';
import { bubblewrapSkip } from '../contract/sandbox-skip.ts';

const skip = await bubblewrapSkip();

describe.skipIf(skip !== undefined)(`an app that turns to the kernel${skip === undefined ? '' : ` (SKIPPED: ${skip})`}`, () => {
  let fixture: HostFixture;
  let app: StartedApp;

  beforeAll(async () => {
    fixture = await HostFixture.open('bubblewrap');
    app = await fixture.start(
      `const fs = require('fs'); const cp = require('child_process'); serve((url) => eval('(async () => ' + decodeURIComponent(url.slice(1)) + ')()'))`,
    );
    await app.reached('ready');
  });
  afterAll(() => fixture.close());

  const evaluate = (code: string) => app.get(`/${encodeURIComponent(code)}`);
  const status = (command: string) =>
    evaluate(
      `String(cp.spawnSync('sh', ['-c', ${JSON.stringify(command)}]).status) + ' ' + cp.spawnSync('sh', ['-c', ${JSON.stringify(command)}]).stderr`,
    );

  test('21 28 processes of others cannot even be named', async () => {
    const outside = String(process.pid);
    expect(await evaluate(`(() => { try { process.kill(${outside}, 0); return 'there' } catch (error) { return error.code } })()`)).toBe(
      'ESRCH',
    );
    expect(
      await evaluate(
        `(() => { try { process.kill(1, 'SIGKILL'); return fs.existsSync('/proc/1') ? 'survived' : 'gone' } catch (error) { return error.code } })()`,
      ),
    ).toBe('survived');
  });

  test.each([
    'unshare --user true',
    'unshare --mount true',
    'mount -t tmpfs none /tmp',
    'mount -o remount,rw /',
    'umount /srv/app',
    'chroot / true',
    'nsenter --target 1 --mount true',
  ])('22 %s is refused', async (command) => {
    expect(await status(command)).toMatch(/^[1-9]\d* /);
  });

  test('22 it has no capabilities, and cannot gain any', async () => {
    const text = await evaluate(`fs.readFileSync('/proc/self/status', 'utf8')`);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) expect(text).toMatch(new RegExp(`${set}:\\t0{16}\\n`));
    expect(text).toContain('NoNewPrivs:\t1');
  });

  test('24 it has no controlling terminal', async () => {
    expect(await evaluate(`(() => { try { fs.openSync('/dev/tty', 'r+'); return 'open' } catch (error) { return error.code } })()`)).toBe(
      'ENXIO',
    );
  });

  test('25 a setuid program gives it nothing', async () => {
    expect(await evaluate(`cp.execSync('id -u').toString().trim()`)).toBe('10001');
    expect(
      await evaluate(
        `fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\\n').filter((line) => line && !line.split(' ')[5].includes('nosuid')).length`,
      ),
    ).toBe('0');
  });

  test('26 raw and packet sockets are refused', async () => {
    const python = 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)';
    const answer = await status(`command -v python3 >/dev/null || { echo PermissionError >&2; exit 1; }; python3 -c '${python}'`);
    expect(answer).toContain('PermissionError');
  });

  test("26 30 the host's loopback and the world cannot be reached", async () => {
    const server = createServer((socket) => socket.end('host')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const connect = (host: string, to: number) =>
      evaluate(
        `new Promise((resolve) => require('net').connect(${to}, '${host}').once('connect', () => resolve('connected')).once('error', (error) => resolve(error.code)))`,
      );
    expect(await connect('127.0.0.1', port)).toBe('ECONNREFUSED');
    expect(await connect('192.0.2.1', 80)).toBe('ENETUNREACH');
    server.close();
    const interfaces = JSON.parse(await evaluate(`JSON.stringify(Object.keys(require('os').networkInterfaces()))`)) as string[];
    expect(interfaces).toEqual(['lo']);
  });

  test("27 the host's abstract unix sockets are not there", async () => {
    const name = `\0appengine-test-${process.pid}`;
    const server = createServer().listen({ path: name });
    await new Promise((resolve) => server.once('listening', resolve));
    const code = `new Promise((resolve) => require('net').connect({ path: '\\0${name.slice(1)}' }).once('connect', () => resolve('connected')).once('error', (error) => resolve(error.code)))`;
    expect(await evaluate(code)).toBe('ECONNREFUSED');
    server.close();
  });

  test('29 it inherits descriptors 0 to 2 and no other', async () => {
    // A child sees what Node lets through: all that is not closed on exec.
    const listed = await evaluate(`cp.execFileSync('ls', ['/proc/self/fd']).toString()`);
    expect(listed.trim().split('\n')).toEqual(['0', '1', '2', '3']);
  });
});
