// Hostile apps that turn to the kernel and the network. Numbers are those of docs/security.md. The filter of system calls
// itself is tested for every number in runtime/sandbox/system-calls/; here the kernel applies it.
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HostFixture, type StartedApp } from '../contract/host-fixture.ts';
import { bubblewrapSkip } from '../contract/sandbox-skip.ts';
import { rawCallsCommand, rawSystemCallsSkip, type RawCall } from './raw-system-calls.ts';

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

  test('28 a signal to everybody reaches its own processes alone', async () => {
    const neighbour = await fixture.start(`serve(() => 'well')`, { appId: 'neighbour' });
    const sender = await fixture.start(
      `require('child_process').spawn('sleep', ['4001']); serve(() => { process.kill(-1, 'SIGKILL'); process.kill(process.ppid, 'SIGKILL'); return 'alive' })`,
      { appId: 'sender' },
    );
    await Promise.all([neighbour.reached('ready'), sender.reached('ready')]);
    // It spares the sender, and the first process of a namespace takes no signal from within.
    expect(await sender.get()).toBe('alive');
    expect(await neighbour.get()).toBe('well');
    await Promise.all([neighbour, sender].map(({ id }) => fixture.host.stop(id, { graceMs: 0 })));
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

  describe.skipIf(rawSystemCallsSkip !== undefined)(
    `by number${rawSystemCallsSkip === undefined ? '' : ` (SKIPPED: ${rawSystemCallsSkip})`}`,
    () => {
      // What each of these answers without the filter is noted where it would not be refused anyway.
      const answers = async (calls: readonly RawCall[]): Promise<string[]> => {
        const [program, ...args] = rawCallsCommand(calls);
        const text = await evaluate(`cp.execFileSync(${JSON.stringify(program)}, ${JSON.stringify(args)}).toString()`);
        return text.trim().split('\n');
      };
      const refused: [string, string, RawCall][] = [
        ['21', 'EPERM', { name: 'ptrace', args: [0, 0, 0, 0] }], // ok
        ['21', 'EPERM', { name: 'process_vm_readv', args: ['self', 'buffer', 1, 'buffer', 1, 0] }], // ok
        ['21', 'EPERM', { name: 'process_vm_writev', args: ['self', 'buffer', 1, 'buffer', 1, 0] }], // ok
        ['21', 'EPERM', { name: 'pidfd_getfd', args: [0, 0, 0] }], // EBADF
        ['21', 'EPERM', { name: 'kcmp', args: ['self', 'self', 0, 0, 0] }], // ok
        ['22', 'EPERM', { name: 'unshare', args: [0x1000_0000] }], // ENOSPC
        ['22', 'EPERM', { name: 'clone', args: [0x1000_0011, 0, 0, 0, 0] }], // ENOSPC
        ['22', 'ENOSYS', { name: 'clone3', args: ['buffer', 88] }], // EINVAL
        ['22', 'EPERM', { name: 'setns', args: [0, 0] }], // EINVAL
        ['22', 'EPERM', { name: 'pivot_root', args: ['.', '.'] }],
        ['22', 'EPERM', { name: 'fsopen', args: ['tmpfs', 0] }],
        ['22', 'EPERM', { name: 'open_tree', args: [0xffff_ff9c, '/', 1] }],
        ['22', 'EPERM', { name: 'mount_setattr', args: [0xffff_ff9c, '/', 0, 'buffer', 32] }], // EINVAL or ok
        ['22', 'EPERM', { name: 'open_by_handle_at', args: [0, 'buffer', 0] }],
        ['23', 'EPERM', { name: 'bpf', args: [0, 'buffer', 64] }],
        ['23', 'EPERM', { name: 'perf_event_open', args: ['buffer', 0, -1, -1, 0] }],
        ['23', 'ENOSYS', { name: 'io_uring_setup', args: [8, 'buffer'] }], // ok
        ['23', 'ENOSYS', { name: 'io_uring_enter', args: [0, 0, 0, 0, 0, 0] }],
        ['23', 'EPERM', { name: 'userfaultfd', args: [1] }], // ok
        ['23', 'EPERM', { name: 'keyctl', args: [0, 0xffff_fffd, 1] }], // ok
        ['23', 'EPERM', { name: 'add_key', args: ['user', 'x', 'y', 1, 0xffff_fffc] }], // ok
        ['23', 'EPERM', { name: 'kexec_load', args: [0, 0, 0, 0] }],
        ['23', 'EPERM', { name: 'init_module', args: ['buffer', 1, ''] }],
        ['23', 'EPERM', { name: 'finit_module', args: [0, '', 0] }],
        ['23', 'EPERM', { name: 'personality', args: [0x4_0000] }], // ok
        ['24', 'EPERM', { name: 'ioctl', args: [0, 0x5412, 'buffer'] }], // ENOTTY
        ['24', 'EPERM', { name: 'ioctl', args: [0, 0x1_0000_5412n, 'buffer'] }], // ENOTTY
        ['24', 'EPERM', { name: 'ioctl', args: [0, 0x541c, 'buffer'] }], // ENOTTY
        ['26', 'EAFNOSUPPORT', { name: 'socket', args: [16, 3, 0] }], // netlink: ok
        ['26', 'EAFNOSUPPORT', { name: 'socket', args: [17, 3, 0] }], // packet
        ['26', 'EAFNOSUPPORT', { name: 'socket', args: [40, 1, 0] }], // vsock: ok
        ['26', 'EAFNOSUPPORT', { name: 'socket', args: [38, 5, 0] }], // AF_ALG: ok
        ['26', 'EPERM', { name: 'socket', args: [2, 3, 1] }],
        ['26', 'EPROTONOSUPPORT', { name: 'socket', args: [2, 1, 132] }],
      ];

      test('21 22 23 24 26 calls that are not for apps are refused', async () => {
        const got = await answers(refused.map(([, , call]) => call));
        const rows = refused.map(([number, , { name, args }], index) => `${number} ${name}(${args.join(', ')}) ${got[index] ?? 'ended'}`);
        expect(rows).toEqual(refused.map(([number, error, { name, args }]) => `${number} ${name}(${args.join(', ')}) ${error}`));
      });

      test('24 it cannot type into a terminal of its own either', async () => {
        const program = `
import fcntl, os, pty, sys
pid, master = pty.fork()
if pid == 0:
    try:
        fcntl.ioctl(0, 0x5412, b'x')
        os.write(1, b'typed')
    except OSError as error:
        os.write(1, b'%d' % error.errno)
    os._exit(0)
print(os.read(master, 100).decode().strip())`;
        const args = JSON.stringify(['-c', program]);
        expect((await evaluate(`cp.execFileSync('/usr/bin/python3', ${args}).toString()`)).trim()).toBe('1');
      });
    },
  );

  test('23 the filter is on for everything inside, the first process included', async () => {
    for (const pid of ['self', '1']) expect(await evaluate(`fs.readFileSync('/proc/${pid}/status', 'utf8')`)).toMatch(/^Seccomp:\t2$/m);
  });

  test('24 it has no controlling terminal', async () => {
    expect(await evaluate(`(() => { try { fs.openSync('/dev/tty', 'r+'); return 'open' } catch (error) { return error.code } })()`)).toBe(
      'ENXIO',
    );
    // In a session of its own: one that was begun outside would be number 0 here.
    expect(Number(await evaluate(`fs.readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ')[3]`))).toBeGreaterThan(0);
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
    // Without netlink Node cannot list them; the preload offers what there is.
    expect(await evaluate(`JSON.stringify(Object.keys(require('os').networkInterfaces()))`)).toBe('["lo"]');
    const named = `import('node:os').then(({ networkInterfaces }) => networkInterfaces().lo[0].address)`;
    expect(await evaluate(named)).toBe('127.0.0.1');
    const devices = await evaluate(`fs.readFileSync('/proc/net/dev', 'utf8').match(/^ *\\w+:/gm).join().trim()`);
    expect(devices).toBe('lo:');
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

  test('29 nor does what is executed first, or a build', async () => {
    // The shell's own listing takes one more, 3, for the directory that it reads.
    const list = ['sh', '-c', 'echo /proc/self/fd/* | sed s:/proc/self/fd/::g'];
    const first = await fixture.startSpec({ command: list, codeDirectory: await fixture.code({}) });
    await first.exited();
    expect(first.log().filter((line) => line.startsWith('stdout'))).toEqual(['stdout 0 1 2 3']);
    const lines: string[] = [];
    const build = {
      appId: 'hello',
      directory: await fixture.code({}),
      command: list,
      environment: {},
      memoryBytesMax: 2 ** 27,
      timeoutMs: 10_000,
    };
    await fixture.host.build(build, { onOutput: (line) => lines.push(line) });
    expect(lines).toEqual(['0 1 2 3']);
  });
});
