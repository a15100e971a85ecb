import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, relative } from 'node:path';
import { expect, test } from 'vitest';
import { root, sourceFiles } from './source-files.ts';

const FOLDERS = ['admin-console', 'datastore', 'docs', 'gql', 'router', 'runtime', 'sample-apps', 'sdk', 'tests'];
const VAGUE = /^(util|utils|helper|helpers|manager|common|misc|types|index)$/;

const nounOf = (file: string): string => basename(file).replace(/(\.d)?\.tsx?$/, '');

test('the top level has the fixed folders and no other', () => {
  const listed = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).split('\n');
  const folders = [...new Set(listed.filter((path) => path.includes('/')).map((path) => path.split('/')[0] ?? ''))].filter(
    (name) => !name.startsWith('.'),
  );
  expect(folders.sort()).toEqual(FOLDERS);
});

test('a file is named after one noun, in kebab-case', () => {
  const offending = sourceFiles()
    .map((file) => relative(root, file))
    .filter((file) => file !== 'sdk/index.ts')
    .filter((file) => VAGUE.test(nounOf(file)) || !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(nounOf(file)));
  expect(offending).toEqual([]);
});

test('files stay small enough to read in one go', () => {
  const long = sourceFiles()
    .map((file) => ({ file: relative(root, file), lines: readFileSync(file, 'utf8').split('\n').length }))
    .filter(({ lines }) => lines > 600);
  expect(long).toEqual([]);
});

test('no source file holds a registry address or a path of a build machine', () => {
  const offending = sourceFiles()
    .filter((file) => /https?:\/\/registry\.|\/home\/[a-z]+\/|\/root\//.test(readFileSync(file, 'utf8')))
    .map((file) => relative(root, file));
  expect(offending).toEqual([]);
});
