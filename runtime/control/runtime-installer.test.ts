import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BuildResult, type BuildSpec } from '../host/build.ts';
import { SAMPLE_RUNTIME, SampleControl } from './sample-deploy.ts';

const done: BuildResult = { code: 0, signal: null, reason: '' };

describe('RuntimeInstaller', () => {
  let directory: string;
  let sample: SampleControl;
  let says: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'runtimes-'));
    says = 'v22.0.10';
    sample = new SampleControl(directory);
    sample.buildHost.onBuild = npm;
    await sample.start();
  });
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  async function npm({ command, directory: at }: BuildSpec, print: (line: string) => void): Promise<BuildResult> {
    if (command[0] === 'npm') {
      await mkdir(join(at, 'node_modules/node-sample/bin'), { recursive: true });
      await writeFile(join(at, 'node_modules/node-sample/bin/node'), 'program');
    }
    if (command[0]?.endsWith('/bin/node')) print(says);
    return done;
  }
  const installed = (): Promise<string[]> => readdir(join(directory, 'runtimes'));
  const programs = (): string[] => sample.buildHost.builds.map(({ command }) => command[0] ?? '');

  it('fetches once, held to the known content, tries it, and keeps it under its version', async () => {
    const lines: string[] = [];
    let lock: unknown;
    sample.buildHost.onBuild = async (spec, print) => {
      if (spec.command[0] === 'npm') lock = JSON.parse(await readFile(join(spec.directory, 'package-lock.json'), 'utf8'));
      return npm(spec, print);
    };
    await sample.runtimes.ensure('nodejs22', (line) => lines.push(line));
    await sample.runtimes.ensure('nodejs22', (line) => lines.push(line));
    expect(await installed()).toEqual(['nodejs22-22.0.10']);
    expect(await readFile(join(directory, 'runtimes/nodejs22-22.0.10/bin/node'), 'utf8')).toBe('program');
    expect(lines).toEqual(['Fetching Node 22 (22.0.10), once for all apps']);
    expect(programs()).toEqual(['npm', './node_modules/node-sample/bin/node', 'sync']);
    expect(sample.buildHost.builds.every(({ appId }) => appId === '~runtimes')).toBe(true);
    expect(lock).toMatchObject({ packages: { 'node_modules/node-sample': { version: '22.0.10', integrity: 'sha512-sample' } } });
  });

  it('fetches once for those who ask at the same time', async () => {
    await Promise.all([1, 2, 3].map(() => sample.runtimes.ensure(SAMPLE_RUNTIME.name)));
    expect(programs().filter((program) => program === 'npm')).toHaveLength(1);
  });

  it.each<[string, (spec: BuildSpec, print: (line: string) => void) => Promise<BuildResult>, string]>([
    [
      'cannot be fetched',
      (_spec, print) => {
        print('npm error network');
        return Promise.resolve({ code: 1, signal: null, reason: 'npm exited with code 1' });
      },
      'Node 22 (node-sample@22.0.10): npm exited with code 1',
    ],
    [
      'is another version than it says',
      (spec, print) => {
        says = 'v22.0.9';
        return npm(spec, print);
      },
      'its node says "v22.0.9"',
    ],
  ])('leaves nothing when it %s, and tries again the next time', async (_what, onBuild, reason) => {
    sample.buildHost.onBuild = onBuild;
    await expect(sample.runtimes.ensure('nodejs22')).rejects.toMatchObject({
      code: 'RUNTIME_MISSING',
      message: expect.stringContaining(reason),
      details: { runtime: 'nodejs22', output: expect.any(String) },
    });
    expect(await installed()).toEqual([]);
    says = 'v22.0.10';
    sample.buildHost.onBuild = npm;
    await sample.runtimes.ensure('nodejs22');
    expect(await installed()).toEqual(['nodejs22-22.0.10']);
  });

  it('says that there is no package for a runtime of another machine, unless it was put there by hand', async () => {
    await expect(sample.runtimes.ensure('nodejs99')).rejects.toMatchObject({ code: 'RUNTIME_MISSING' });
    await mkdir(join(directory, 'runtimes/nodejs99-99.0.0'));
    await sample.runtimes.ensure('nodejs99');
  });

  it('removes what a dead process left half fetched', async () => {
    await mkdir(join(directory, 'runtimes/incoming-00'));
    await sample.runtimes.start();
    expect(existsSync(join(directory, 'runtimes/incoming-00'))).toBe(false);
  });

  it('says what it does in the deploy, and records the name for instances and builds', async () => {
    const files = { 'app.yaml': 'runtime: nodejs22\n', 'server.js': '', 'package-lock.json': '{}' };
    const events = await sample.deploy('guestbook', files);
    const said = events.flatMap((event) => (event.kind === 'step' ? event.message : event.kind === 'output' ? event.line : []));
    expect(said).toEqual(expect.arrayContaining(['nodejs22 is noted', 'Fetching Node 22 (22.0.10), once for all apps']));
    expect(sample.buildHost.builds.at(-1)).toMatchObject({ command: ['npm', 'ci'], runtime: 'nodejs22' });
    const [version] = [...(sample.registry.state.get('guestbook')?.services.get('default')?.versions.values() ?? [])];
    expect(version?.launch.runtime).toBe('nodejs22');
  });

  it('fails the deploy when the runtime cannot be had', async () => {
    sample.buildHost.onBuild = () => Promise.resolve({ code: 1, signal: null, reason: 'npm exited with code 1' });
    const events = await sample.deploy('guestbook', { 'app.yaml': 'runtime: nodejs22\n', 'server.js': '' });
    expect(events.at(-1)).toMatchObject({ kind: 'failed', step: 'build', error: { code: 'RUNTIME_MISSING' } });
  });
});
