import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { launcherArguments, launcherInput, launcherJoin } from './launcher.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'launcher-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function launch(joinFiles: readonly string[], input: string, extra: number[] = []) {
  const child = spawn('/bin/sh', [...launcherArguments(4)], { stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'ignore', ...extra] });
  const [, stdout, stderr, arguments_] = child.stdio;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const writable = arguments_ as NodeJS.WritableStream;
  writable.on('error', () => undefined);
  writable.write(launcherJoin(joinFiles));
  writable.end(input);
  return { stdout: await text(stdout!), stderr: await text(stderr!), code: await exited };
}

describe('the launcher', () => {
  it('joins every group before it becomes the command', async () => {
    const groups = ['a', 'b c'].map((name) => join(directory, name));
    const { stdout } = await launch(groups, launcherInput(['cat', ...groups]));
    expect(stdout).toBe('0\n0\n');
  });

  it("is the kernel's first choice when the machine runs out of memory, before the platform", async () => {
    const { stdout } = await launch([], launcherInput(['cat', '/proc/self/oom_score_adj']));
    expect(stdout).toBe('500\n');
  });

  it('does not run anything when it cannot join', async () => {
    const { stdout, stderr, code } = await launch([join(directory, 'no/such/group')], launcherInput(['echo', 'ran']));
    expect({ stdout, code }).toEqual({ stdout: '', code: 125 });
    expect(stderr).toContain('no/such/group');
  });

  it('does not run anything when it is told only half of it', async () => {
    expect(await launch([], launcherInput(['echo', 'ran']).slice(0, -3))).toMatchObject({ stdout: '', code: 125 });
  });

  it('passes arguments exactly, and leaves the rest of its input to the command', async () => {
    const odd = ['', ' a  b ', '\n', 'x\n\ny\n', '\\n\\t', '$X `id`', '-', '+', '!', '.', '*', "'", '"'];
    const script = 'process.stdout.write(JSON.stringify([process.argv.slice(1), require("fs").readFileSync(3, "utf8")]))';
    const { stdout } = await launch([], `${launcherInput([process.execPath, '-e', script, '--', ...odd])}the\0rest`);
    expect(JSON.parse(stdout)).toEqual([odd, 'the\0rest']);
  });

  it('closes descriptors that it inherited', async () => {
    writeFileSync(join(directory, 'secret'), 'secret');
    const leaked = openSync(join(directory, 'secret'), 'r');
    const { stdout } = await launch([], launcherInput(['/bin/sh', '-c', 'ls -l /proc/$$/fd']), [
      leaked,
      leaked,
      leaked,
      leaked,
      leaked,
      leaked,
      leaked,
    ]);
    expect(stdout).not.toContain('secret');
    expect(readFileSync(leaked, 'utf8')).toBe('secret');
  });
});
