// What an app could do that got out of its sandbox: processes on the host itself, under the user of an app. Numbers are those
// of docs/security.md.
import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock, systemRandom } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { DataDirectory } from '../../runtime/host/data-directory.ts';
import { findUserRange, startAppUsers } from '../../runtime/sandbox/app-users-choice.ts';
import { readText } from '../../runtime/sandbox/cgroup-files.ts';
import { BubblewrapSandbox } from '../../runtime/sandbox/bubblewrap-sandbox.ts';
import { HostFixture, MiB, type StartedApp } from '../contract/host-fixture.ts';
import { bubblewrapSkip } from '../contract/sandbox-skip.ts';

const skip = (await bubblewrapSkip()) ?? (await usersSkip());

/** To be another user it takes root; a platform that is not root is tested by hand, with newuidmap: docs/operating.md. */
async function usersSkip(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'run as root to test users of apps';
  const found = await findUserRange('/nowhere');
  return 'missing' in found ? `${found.missing}; ${found.mend}` : undefined;
}

describe.skipIf(skip !== undefined)(`an app that got out${skip === undefined ? '' : ` (SKIPPED: ${skip})`}`, () => {
  let fixture: HostFixture;
  let data: DataDirectory;
  let app: StartedApp;
  let victim: StartedApp;

  beforeAll(async () => {
    fixture = await HostFixture.open('bubblewrap');
    const around = mkdtempSync(join(tmpdir(), 'ae-data-'));
    // What is around it may be open to everybody.
    chmodSync(around, 0o755);
    data = DataDirectory.open(join(around, 'data'), systemClock, systemRandom);
    data.ownerToken();
    const code = `const fs = require('fs'); serve((url) => eval(decodeURIComponent(url.slice(1))))`;
    app = await fixture.start(code, { appId: 'escaped' });
    victim = await fixture.start(code, {
      appId: 'victim',
      environment: { NODE_OPTIONS: '--require="/srv/platform/nodejs/preload.cjs"', SECRET: 'x' },
    });
    await Promise.all([app.reached('ready'), victim.reached('ready')]);
  });
  afterAll(async () => {
    data.close();
    rmSync(dirname(data.paths.root), { recursive: true, force: true });
    await fixture.close();
  });

  const uidOf = async (appId: string): Promise<number> => (await fixture.users.userOf(appId))?.uid ?? 0;
  const get = (of: StartedApp, code: string) => of.get(`/${encodeURIComponent(code)}`);
  /** Pids on the host of the app's own processes, found by whom they run as. */
  const processesOf = (uid: number): number[] =>
    readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && readText(`/proc/${pid}/status`)?.includes(`\nUid:\t${uid}\t`));
  /** Runs each as that user on the host, outside every sandbox; each gives 'ok' or the error. */
  const attempt = (uid: number, codes: readonly string[]): Record<string, string> => {
    const tries = codes.map((code) => `try { ${code}; console.log('ok') } catch (error) { console.log(error.code) }`).join('\n');
    const { stdout } = spawnSync('/usr/bin/env', ['node', '-e', `const fs = require('fs');\n${tries}`], { uid, gid: uid, cwd: '/' });
    const answers = stdout.toString().trim().split('\n');
    return Object.fromEntries(codes.map((code, index) => [code, answers[index] ?? 'ended']));
  };
  const all = (codes: readonly string[], answer: string) => Object.fromEntries(codes.map((code) => [code, answer]));
  const open = (path: string) => `fs.accessSync(${JSON.stringify(path)})`;
  const list = (path: string) => `fs.readdirSync(${JSON.stringify(path)})`;

  test('12 apps are users of their own, and nobody that a person is', async () => {
    const uids = [await uidOf('escaped'), await uidOf('victim')];
    expect(new Set(uids).size).toBe(2);
    for (const uid of uids) {
      expect(uid).toBeGreaterThan(39_999);
      expect(processesOf(uid).length).toBeGreaterThan(1);
    }
    const pid = processesOf(uids[0] ?? 0)[0] ?? 0;
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(new RegExp(`^Uid:\t${uids[0]}\t${uids[0]}\t${uids[0]}\t${uids[0]}$`, 'm'));
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^Groups:\s*$/m);
    // And so is what made the sandbox, before it did anything.
    expect(readFileSync(`/proc/${app.view().pid ?? 0}/status`, 'utf8')).toMatch(new RegExp(`^Uid:\t${uids[0]}\t${uids[0]}\t`, 'm'));
    // Inside it is the user that it always was.
    expect(await get(app, `process.getuid() + ' ' + require('os').userInfo().username`)).toBe('10001 app');
  });

  test('12 and stay the same ones, also after a restart', async () => {
    const before = await uidOf('escaped');
    expect(readFileSync(join(fixture.directory, 'app-users'), 'utf8')).toContain(`${before} escaped\n`);
    const sandbox = new BubblewrapSandbox({ scratchDirectory: join(fixture.directory, 'scratch') });
    const options = { dataDirectory: fixture.directory, recordFile: join(fixture.directory, 'app-users') };
    const again = await startAppUsers(sandbox, new MemoryLog(), options);
    const uids = await Promise.all(['third', 'escaped', 'victim', 'fourth'].map(async (appId) => (await again.userOf(appId))?.uid));
    await again.close();
    expect(new Set(uids).size).toBe(4);
    expect(uids.slice(1, 3)).toEqual([before, await uidOf('victim')]);
  });

  test("12 another app's code, sockets and processes are closed to it", async () => {
    const uid = await uidOf('escaped');
    const { socketDirectory, pid = 0 } = victim.view();
    const code = join(fixture.directory, 'code');
    const files = [list(fixture.directory), open(code), open(socketDirectory), open(join(socketDirectory, 'app.sock'))];
    const others = processesOf(await uidOf('victim'));
    const looks = others.flatMap((other) => [
      `fs.readFileSync('/proc/${other}/environ')`,
      list(`/proc/${other}/root/srv`),
      `fs.readlinkSync('/proc/${other}/fd/0')`,
      `fs.openSync('/proc/${other}/mem')`,
    ]);
    expect(attempt(uid, [...files, ...looks])).toEqual(all([...files, ...looks], 'EACCES'));
    const signals = [...others, pid].map((other) => `process.kill(${other}, 'SIGKILL')`);
    expect(attempt(uid, signals)).toEqual(all(signals, 'EPERM'));
    expect(await get(victim, `'well'`)).toBe('well');
    // What it may do, since these are its own: what failed above failed for the user, not for the way it was tried.
    const own = [`process.kill(${processesOf(uid)[0] ?? 0}, 0)`, `fs.readFileSync('/etc/passwd')`];
    expect(attempt(uid, own)).toEqual(all(own, 'ok'));
  });

  test("12 the platform's data, credentials and processes are closed to it", async () => {
    const uid = await uidOf('escaped');
    const { paths, runDirectory } = data;
    const { root, ...below } = paths;
    const inside = [...Object.values<string>(below), join(paths.credentials, 'owner-token'), join(root, 'lock')].map(open);
    const tries = [list(root), list(runDirectory), ...inside, `fs.readFileSync('/proc/${process.pid}/environ')`];
    expect(attempt(uid, tries)).toEqual(all(tries, 'EACCES'));
    expect(Object.values(attempt(uid, [`process.kill(${process.pid}, 0)`]))).toEqual(['EPERM']);
  });

  test('22 its namespace allows no further ones, whatever the filter of system calls says', async () => {
    expect(await get(app, `fs.readFileSync('/proc/sys/user/max_user_namespaces', 'utf8').trim()`)).toBe('0');
  });

  test('13 what a build made is no longer its own, nor writable, nor setuid', async () => {
    const directory = await fixture.code({ 'package.json': '{}' });
    const script = `mkdir -p made/deep && echo x > made/deep/file && chmod 4777 made/deep/file && chmod 700 made && ln -s /etc/passwd link && id -u`;
    const lines: string[] = [];
    const result = await fixture.host.build(
      { appId: 'escaped', directory, command: ['sh', '-c', script], environment: {}, memoryBytesMax: 128 * MiB, timeoutMs: 10_000 },
      { onOutput: (line) => lines.push(line) },
    );
    expect({ ...result, lines }).toMatchObject({ code: 0, lines: ['10001'] });
    for (const path of ['', 'made', 'made/deep', 'made/deep/file', 'link']) expect(lstatSync(join(directory, path)).uid).toBe(0);
    expect(statSync(join(directory, 'made/deep/file')).mode & 0o7777).toBe(0o755);
    expect(statSync(join(directory, 'made')).mode & 0o7777).toBe(0o755);
    expect(statSync('/etc/passwd').uid).toBe(0);
    // Another instance of the app reads it.
    const reader = await fixture.startSpec({ appId: 'escaped', codeDirectory: directory, command: ['cat', 'made/deep/file'] });
    await reader.exited();
    expect(reader.log()).toContain('stdout x');
  });

  test('1 7 its processes and descriptors have limits of their own, and leave no memory images', async () => {
    const [pid = 0] = processesOf(await uidOf('escaped')).slice(-1);
    const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
    expect(limits).toMatch(new RegExp(`^Max open files +${LIMITS.instanceDescriptorsMax} +${LIMITS.instanceDescriptorsMax} `, 'm'));
    expect(limits).toMatch(new RegExp(`^Max processes +${LIMITS.appPidsMax} +${LIMITS.appPidsMax} `, 'm'));
    expect(limits).toMatch(/^Max core file size +0 +0 /m);
  });

  test('3 one file of a build has its limit', async () => {
    const directory = await fixture.code({ 'package.json': '{}' });
    const result = await fixture.host.build(
      { appId: 'escaped', directory, command: ['sh', '-c', 'ulimit -f'], environment: {}, memoryBytesMax: 128 * MiB, timeoutMs: 10_000 },
      { onOutput: (line) => expect(Number(line) * 512).toBe(LIMITS.buildFileBytesMax) },
    );
    expect(result.code).toBe(0);
  });
});

test.skipIf(skip !== undefined)('a user that is being made when the host closes is on disk by then, and none is made after', async () => {
  const fixture = await HostFixture.open('bubblewrap');
  try {
    const late = fixture.users.userOf('late');
    await fixture.users.close();
    expect(readText(join(fixture.directory, 'app-users'))).toContain('late');
    expect(await late).toBeDefined();
    await expect(fixture.users.userOf('later')).rejects.toThrow('the platform is stopping');
  } finally {
    await fixture.close();
  }
});
