import { describe, expect, it } from 'vitest';
import { type SourceTree } from '../port.ts';
import { readPackageJson } from './package-json.ts';
import { packageTool } from './package-tool.ts';

type Files = Readonly<Record<string, string>>;

const toolOf = async (files: Files) => {
  const source: SourceTree = { paths: new Set(Object.keys(files)), readText: (path) => Promise.resolve(files[path] ?? '') };
  return packageTool(await readPackageJson(source), source);
};
const install = async (files: Files, withDevelopment = false, exact = true) =>
  (await toolOf(files)).install({ withDevelopment, exact }).join(' ');
const naming = (tool: string): Files => ({ 'package.json': JSON.stringify({ packageManager: tool }) });

describe('the tool that installs packages', () => {
  it.each<[string, Files, string]>([
    ['npm without a lock file', {}, 'npm install --omit=dev'],
    ['npm with its lock file, whatever others there are', { 'package-lock.json': '{}', 'yarn.lock': '' }, 'npm ci --omit=dev'],
    [
      'pnpm 10 by the form of its lock file',
      { 'pnpm-lock.yaml': `lockfileVersion: '9.0'\n` },
      '--package=pnpm@10.34.9 -- pnpm install --frozen-lockfile --prod',
    ],
    [
      'pnpm 8 by the form of its lock file',
      { 'pnpm-lock.yaml': `lockfileVersion: '6.0'\n` },
      '--package=pnpm@8.9.2 -- pnpm install --frozen-lockfile',
    ],
    ['the pnpm that package.json names', { 'pnpm-lock.yaml': '', ...naming('pnpm@9.1.0+sha512.00') }, '--package=pnpm@9.1.0 -- pnpm'],
    [
      'yarn 1',
      { 'yarn.lock': '# yarn lockfile v1\n' },
      '--package=yarn@1.22.22 -- yarn install --production=true --non-interactive --frozen-lockfile',
    ],
    [
      'yarn 4',
      { 'yarn.lock': '__metadata:\n  version: 8\n' },
      '--package=@yarnpkg/cli-dist@4.18.1 -- yarn workspaces focus --all --production',
    ],
    ['the yarn that package.json names', { 'yarn.lock': '', ...naming('yarn@4.1.0') }, '--package=@yarnpkg/cli-dist@4.1.0 -- yarn'],
    ['the older yarn that package.json names', { 'yarn.lock': '', ...naming('yarn@1.22.19') }, '--package=yarn@1.22.19 -- yarn'],
    ['npm when only a name is given', naming('pnpm@9.1.0'), 'npm install'],
  ])('is %s', async (_what, files, expected) => {
    expect(await install(files)).toContain(expected);
  });

  it('takes all packages for a build', async () => {
    expect(await install({ 'package-lock.json': '{}' }, true)).toContain('npm ci --include=dev');
    expect(await install({ 'pnpm-lock.yaml': '' }, true)).toContain('--frozen-lockfile --prod=false');
    expect(await install({ 'yarn.lock': '# yarn lockfile v1\n' }, true)).toContain('--production=false');
    expect(await install({ 'yarn.lock': '', ...naming('yarn@4.1.0') }, true)).toContain('yarn install --immutable');
    expect(await install({ 'yarn.lock': '__metadata:\n' }, true)).toContain('yarn install --no-immutable');
  });

  it('is not held to the lock file when an entry was left out', async () => {
    expect(await install({ 'package-lock.json': '{}' }, false, false)).toContain('npm install --omit=dev');
    expect(await install({ 'pnpm-lock.yaml': '' }, false, false)).toContain('--no-frozen-lockfile');
    expect(await install({ 'yarn.lock': '# yarn lockfile v1\n' }, false, false)).not.toContain('--frozen-lockfile');
  });

  it('never takes what is no version for one', async () => {
    expect((await toolOf({ 'pnpm-lock.yaml': '', ...naming('pnpm@latest') })).title).toBe('pnpm 10.34.9');
    expect((await toolOf({ 'pnpm-lock.yaml': '', ...naming('pnpm@1.0.0 --registry=x') })).title).toBe('pnpm 10.34.9');
  });
});
