import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { DataDirectory } from '../host/data-directory.ts';
import { runDoctor } from './doctor-command.ts';
import { type Finding } from './finding.ts';

let directory: string;
let busy: Server;
let busyPort: number;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'doctor-'));
  busy = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => busy.once('listening', resolve));
  busyPort = (busy.address() as AddressInfo).port;
});
afterEach(() => {
  busy.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Without the sandbox, which tests/contract tries. */
async function run(...words: string[]) {
  let stdout = '';
  let stderr = '';
  const world = { clock: systemClock, timers: systemTimers, variables: { PATH: '/usr/bin' }, builtAtMs: 0 };
  const code = await runDoctor(['--sandbox', 'process', '--port', '0', '--console-port', '0', '--datastore-port', '0', ...words], {
    ...world,
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
  });
  return { code, stdout, stderr };
}

const found = (stdout: string, name: string) =>
  (JSON.parse(stdout) as { findings: Finding[] }).findings.find((finding) => finding.name === name);

describe('appengine doctor', () => {
  it('finds a machine fit, and leaves nothing behind', async () => {
    const { code, stdout } = await run('--data-dir', join(directory, 'not/yet'), '--json');
    expect(JSON.parse(stdout)).toMatchObject({ fit: true });
    expect(code).toBe(0);
    expect(found(stdout, 'data directory')).toMatchObject({ state: 'ok' });
    expect(readdirSync(directory)).toEqual([]);
  });

  it('fails with a port that is in use, and names the flag', async () => {
    const { code, stdout } = await run('--data-dir', directory, '--json', '--console-port', String(busyPort));
    expect(code).toBe(1);
    expect(found(stdout, `port ${busyPort}`)).toMatchObject({
      state: 'missing',
      mend: expect.stringContaining('--console-port') as string,
    });
  });

  it('knows a port of the platform that runs on this data directory', async () => {
    const data = DataDirectory.open(directory, systemClock, systemRandom);
    data.announce({ router: 1, console: busyPort, datastore: 2 });
    const { code, stdout } = await run('--data-dir', directory, '--json', '--console-port', String(busyPort));
    data.close();
    expect(code).toBe(0);
    expect(found(stdout, `port ${busyPort}`)).toMatchObject({ state: 'ok' });
  });

  it('fails where nothing can be written', async () => {
    const { code, stdout } = await run('--data-dir', '/proc/nowhere', '--json');
    expect(code).toBe(1);
    expect(found(stdout, 'data directory')).toMatchObject({ state: 'missing' });
  });

  it('prints lines for people, without colours where nobody looks', async () => {
    const { stdout } = await run('--data-dir', directory);
    expect(stdout).toContain('WITHOUT ISOLATION');
    expect(stdout).toMatch(/^ok +Node /);
    expect(stdout).not.toContain('\u001b');
  });

  it('says what is wrong with its own flags', async () => {
    expect(await run('--bind', '127.0.0.1', '--port', 'x')).toMatchObject({ code: 1, stderr: expect.stringContaining('--port') as string });
  });
});
