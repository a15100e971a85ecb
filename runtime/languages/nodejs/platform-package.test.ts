import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HIDE_PLATFORM_PACKAGE, RESTORE_PACKAGE_FILES } from './platform-package.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'package-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const write = (path: string, value: unknown) => {
  writeFileSync(join(directory, path), JSON.stringify(value));
};
const read = (path: string) => readFileSync(join(directory, path), 'utf8');
const run = (program: string, ...rest: string[]) => execFileSync(program, rest, { cwd: directory, encoding: 'utf8', stdio: 'pipe' });

const json = { name: 'app', version: '1.0.0', dependencies: { appengine: 'file:../nowhere', mine: 'file:./mine' } };
const lock = {
  name: 'app',
  version: '1.0.0',
  lockfileVersion: 3,
  packages: {
    '': { name: 'app', version: '1.0.0', dependencies: json.dependencies },
    '../nowhere': { name: 'appengine', version: '0.1.0' },
    'node_modules/appengine': { resolved: '../nowhere', link: true },
    'node_modules/mine': { resolved: 'mine', link: true },
    mine: { version: '2.0.0' },
  },
};

describe('the package that the platform provides', () => {
  it('is not there while npm installs, and everything else is', () => {
    mkdirSync(join(directory, 'mine'));
    write('mine/package.json', { name: 'mine', version: '2.0.0' });
    write('package.json', json);
    write('package-lock.json', lock);
    const before = [read('package.json'), read('package-lock.json')];
    run(process.execPath, '-e', HIDE_PLATFORM_PACKAGE);
    expect(read('package.json')).not.toContain('appengine');
    expect(read('package-lock.json')).not.toMatch(/appengine|nowhere/);
    run('npm', 'install', '--omit=dev', '--no-audit', '--no-fund', '--offline');
    run(process.execPath, '-e', RESTORE_PACKAGE_FILES);
    expect([read('package.json'), read('package-lock.json')]).toEqual(before);
    expect(read('node_modules/mine/package.json')).toContain('2.0.0');
  });
});
