import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RuntimePackage } from '../languages/port.ts';
import { RuntimeDirectory } from './runtime-directory.ts';

const node = (major: number): RuntimePackage => ({
  name: `nodejs${major}`,
  title: `Node ${major}`,
  version: `${major}.1.0`,
  npmPackage: 'node-sample',
  integrity: 'sha512-sample',
  programs: 'bin',
  probe: ['node', '--version'],
});

describe('RuntimeDirectory', () => {
  let path: string;
  let runtimes: RuntimeDirectory;

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'runtimes-'));
    runtimes = new RuntimeDirectory(path, { packages: [node(20), node(22)], own: ['nodejs20'] });
  });
  afterEach(() => {
    rmSync(path, { recursive: true, force: true });
  });
  const make = (...names: string[]): void => {
    for (const name of names) mkdirSync(join(path, name));
  };

  it("mounts nothing for the machine's own programs", () => {
    make('nodejs20-20.1.0');
    const nothing = { readOnlyMounts: [], programDirectories: [] };
    expect(runtimes.mountsOf(undefined)).toEqual(nothing);
    expect(runtimes.mountsOf('nodejs20')).toEqual(nothing);
  });

  it('mounts the newest version, by number', () => {
    make('nodejs22-22.9.3', 'nodejs22-22.10.0', 'nodejs22-22.8', 'nodejs20-20.99.0', 'incoming-0011', 'nodejs22');
    expect(runtimes.mountsOf('nodejs22')).toEqual({
      readOnlyMounts: [{ from: join(path, 'nodejs22-22.10.0'), to: '/opt/runtimes/nodejs22' }],
      programDirectories: ['/opt/runtimes/nodejs22/bin'],
    });
  });

  it('says which runtime is missing', () => {
    expect(() => runtimes.mountsOf('nodejs22')).toThrow(
      expect.objectContaining({ code: 'RUNTIME_MISSING', details: { runtime: 'nodejs22' } }),
    );
  });

  it('removes what a newer version has replaced', async () => {
    make('nodejs22-22.9.3', 'nodejs22-22.10.0', 'nodejs20-20.0.0', 'other');
    await runtimes.removeReplaced();
    expect(readdirSync(path).sort()).toEqual(['nodejs20-20.0.0', 'nodejs22-22.10.0', 'other']);
  });

  it('is empty where there is no directory', () => {
    expect(new RuntimeDirectory(join(path, 'gone'), { packages: [], own: [] }).list()).toEqual([]);
  });
});
