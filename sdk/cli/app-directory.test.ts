import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readAppDirectory } from './app-directory.ts';

let parent: string;
let root: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'app-'));
  root = join(parent, 'tree');
  await mkdir(root);
  await writeFile(join(root, 'app.yaml'), 'runtime: nodejs\n');
});

afterEach(() => rm(parent, { recursive: true }));

const put = async (path: string, content = path): Promise<void> => {
  await mkdir(join(root, path, '..'), { recursive: true });
  await writeFile(join(root, path), content);
};
const read = (directory = root): ReturnType<typeof readAppDirectory> => readAppDirectory(directory, () => undefined);
const paths = async (): Promise<string[]> => (await read()).files.map((file) => file.path);

test('every file goes up with its hash, size and whether it runs', async () => {
  await put('server.js', 'hello');
  await put('bin/run', '#!/bin/sh\n');
  await chmod(join(root, 'bin/run'), 0o755);
  const { files, bytes } = await read();
  expect(files.map((file) => file.path)).toEqual(['app.yaml', 'bin/run', 'server.js']);
  expect(files[2]).toEqual({
    path: 'server.js',
    sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
    bytes: 5,
    executable: false,
  });
  expect(files[1]?.executable).toBe(true);
  expect(bytes).toBe(31);
});

test('without .gcloudignore the usual things stay behind', async () => {
  await put('node_modules/express/index.js');
  await put('sub/node_modules/x.js');
  await put('.git/HEAD');
  await put('.gitignore');
  await put('kept.js');
  expect(await paths()).toEqual(['app.yaml', 'kept.js']);
});

test('.gcloudignore has the syntax of .gitignore and may include it', async () => {
  await put('.gitignore', '*.log\n');
  await put('.gcloudignore', '#!include:.gitignore\n/private/\n!important.txt\n*.txt\n.g*\n');
  for (const path of ['a.log', 'deep/b.log', 'private/x.js', 'deep/private/y.js', 'notes.txt', 'kept.js']) await put(path);
  expect(await paths()).toEqual(['app.yaml', 'deep/private/y.js', 'kept.js']);
});

test('a link to a file of the tree goes up as that file', async () => {
  await put('real.js', 'x');
  await symlink('real.js', join(root, 'link.js'));
  const { files } = await read();
  expect(files.map((file) => [file.path, file.bytes])).toEqual([
    ['app.yaml', 16],
    ['link.js', 1],
    ['real.js', 1],
  ]);
});

test.each([
  ['outside the tree', '/etc/passwd', 'outside'],
  ['above the tree', '../outside.txt', 'outside'],
  ['nowhere', 'missing.js', 'not there'],
  ['to a directory', 'sub', 'not a file'],
])('14: a link %s is refused by name', async (_what, target, words) => {
  await put('sub/file.js');
  await writeFile(join(parent, 'outside.txt'), 'secret');
  await symlink(target, join(root, 'evil'));
  await expect(read()).rejects.toMatchObject({ code: 'UPLOAD_REFUSED', message: expect.stringMatching(new RegExp(`evil.*${words}`)) });
});

test('18: a pipe is refused by name', async () => {
  execFileSync('mkfifo', [join(root, 'pipe')]);
  await expect(read()).rejects.toMatchObject({ code: 'UPLOAD_REFUSED', message: expect.stringContaining('pipe') });
});

test('20: names that differ only by case are refused', async () => {
  await put('Readme.js');
  await put('README.js');
  await expect(read()).rejects.toMatchObject({ code: 'UPLOAD_REFUSED', message: expect.stringContaining('case') });
});

test('a directory without app.yaml, a file, and nothing at all each say what is wrong', async () => {
  await put('empty/x.js');
  await expect(read(join(root, 'empty'))).rejects.toMatchObject({ code: 'MANIFEST_MISSING' });
  await expect(read(join(root, 'app.yaml'))).rejects.toMatchObject({
    code: 'DIRECTORY_MISSING',
    message: expect.stringContaining('is a file'),
  });
  await expect(read(join(root, 'nowhere'))).rejects.toMatchObject({
    code: 'DIRECTORY_MISSING',
    message: expect.stringContaining('nowhere'),
  });
  await put('.gcloudignore', 'app.yaml\n');
  await expect(read()).rejects.toMatchObject({ code: 'MANIFEST_MISSING', message: expect.stringContaining('.gcloudignore') });
});
