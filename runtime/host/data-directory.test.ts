import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../../sdk/support/clock.ts';
import { type PlatformError } from '../../sdk/contract/errors.ts';
import { DataDirectory } from './data-directory.ts';
import { processIdentity } from './process-identity.ts';

let parent: string;
let root: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'data-'));
  root = join(parent, 'data');
});
afterEach(() => {
  for (const data of opened.splice(0)) data.close();
  rmSync(parent, { recursive: true, force: true });
});

const opened: DataDirectory[] = [];
function open(): DataDirectory {
  const data = DataDirectory.open(root, systemClock, systemRandom);
  opened.push(data);
  return data;
}

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

/** Changes the lock of a directory that is open, as if another process held it. */
function pretendHolder(change: Record<string, unknown>): void {
  const lock = join(root, 'lock');
  writeFileSync(lock, JSON.stringify({ ...(JSON.parse(readFileSync(lock, 'utf8')) as object), ...change }));
}

describe('DataDirectory', () => {
  it('makes a private directory with a place for everything', () => {
    const data = open();
    expect(modeOf(root)).toBe('700');
    expect(Object.keys(data.paths)).toEqual(['root', 'store', 'blobs', 'bundles', 'logs', 'credentials', 'cache', 'mail', 'runtimes']);
    for (const path of Object.values(data.paths)) expect(modeOf(path)).toBe('700');
    data.close();
  });

  it('refuses a second holder, naming the first, its start and its ports', () => {
    const data = open();
    data.announce({ router: 8080, console: 8000 });
    let error: PlatformError | undefined;
    try {
      open();
    } catch (caught) {
      error = caught as PlatformError;
    }
    expect(error?.code).toBe('DATA_DIR_HELD');
    expect(error?.message).toContain(`process ${process.pid} since 20`);
    expect(error?.message).toContain('router 8080, console 8000');
    data.close();
    open().close();
  });

  it('leaves nothing but data behind', () => {
    const data = open();
    data.announce({ router: 1 });
    const { runDirectory } = data;
    data.close();
    data.close();
    expect(existsSync(runDirectory)).toBe(false);
    expect(readdirSync(root).sort()).toEqual(['blobs', 'bundles', 'cache', 'credentials', 'logs', 'mail', 'runtimes', 'store']);
  });

  it('takes over from a process that was killed, and removes its run directory', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    await once(child, 'spawn');
    const killed = open();
    pretendHolder({ pid: child.pid, identity: processIdentity(child.pid ?? 0) });
    expect(open).toThrow(`process ${String(child.pid)}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const next = open();
    expect(existsSync(killed.runDirectory)).toBe(false);
    expect(existsSync(next.runDirectory)).toBe(true);
    next.close();
  });

  it('takes over when the number of a killed process belongs to another one now', () => {
    open();
    pretendHolder({ pid: process.pid, identity: 'an earlier process' });
    open().close();
  });

  it('takes over a damaged lock', () => {
    open().close();
    writeFileSync(join(root, 'lock'), 'half a reco');
    open().close();
  });

  it('does not take a lock away that was made anew while it looked', () => {
    const data = open();
    pretendHolder({ pid: 1, identity: 'gone' });
    const stolen = open();
    // The first holder is a process that is gone by its own lock, so closing it must not free the second's.
    data.close();
    expect(open).toThrow('is held by');
    stolen.close();
  });

  it('removes no directory that it would not have made', () => {
    const precious = mkdtempSync(join(parent, 'ae-precious-'));
    open();
    pretendHolder({ pid: 1, identity: 'gone', runDirectory: precious });
    open().close();
    expect(existsSync(precious)).toBe(true);
  });

  it('makes a run directory that is private and short enough for the sockets of instances', () => {
    const data = open();
    expect(modeOf(data.runDirectory)).toBe('700');
    expect(Buffer.byteLength(join(data.runDirectory, 'i/0123456789ab/app/app.sock'))).toBeLessThanOrEqual(107);
    expect(dirname(data.runDirectory)).toBe(tmpdir());
    data.close();
  });

  it('keeps one owner token of 32 bytes, readable by its owner alone', () => {
    const data = open();
    const token = data.ownerToken();
    expect(Buffer.from(token, 'base64url').length).toBe(32);
    expect(data.ownerToken()).toBe(token);
    expect(modeOf(join(data.paths.credentials, 'owner-token'))).toBe('600');
    data.close();
    const again = open();
    expect(again.ownerToken()).toBe(token);
    again.close();
  });
});
