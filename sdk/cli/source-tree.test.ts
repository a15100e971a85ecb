import { appendFile, mkdir, mkdtemp, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemTimers } from '../support/clock.ts';
import { readSourceTree, SourceWatch } from './source-tree.ts';

let root: string;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'source-')));
  await mkdir(join(root, 'static'));
  await mkdir(join(root, 'node_modules', 'deep'), { recursive: true });
  await mkdir(join(root, '.appengine', 'dev'), { recursive: true });
  await writeFile(join(root, 'app.yaml'), 'runtime: nodejs\n');
  await writeFile(join(root, 'static', 'a.css'), 'a');
});

afterEach(() => rm(root, { recursive: true }));

const fingerprint = async (): Promise<string> => (await readSourceTree(root)).fingerprint;

describe('the tree', () => {
  it('holds the directories that a deploy looks into', async () => {
    expect((await readSourceTree(root)).directories).toEqual([root, join(root, 'static')]);
  });

  it.each([
    ['a change', () => appendFile(join(root, 'static', 'a.css'), 'b')],
    ['a new file', () => writeFile(join(root, 'static', 'b.css'), '')],
    ['a file that goes', () => rm(join(root, 'static', 'a.css'))],
    ['another name', () => rename(join(root, 'app.yaml'), join(root, 'old.yaml'))],
    ['other things to ignore', () => writeFile(join(root, '.gcloudignore'), 'static\n')],
  ])('is another one after %s', async (_what, act) => {
    const before = await fingerprint();
    expect(await fingerprint()).toBe(before);
    await act();
    expect(await fingerprint()).not.toBe(before);
  });

  it('does not care for what is ignored, and never for the data of a platform', async () => {
    await writeFile(join(root, '.gcloudignore'), 'node_modules/\n*.log\n!.appengine\n');
    const before = await fingerprint();
    await writeFile(join(root, 'node_modules', 'deep', 'x.js'), 'x');
    await writeFile(join(root, '.appengine', 'dev', 'lock'), 'x');
    await writeFile(join(root, 'debug.log'), 'x');
    expect(await fingerprint()).toBe(before);
  });
});

describe('the watch', () => {
  it('tells of changes in directories old and new, until it is closed', async () => {
    let changes = 0;
    const watch = new SourceWatch(systemTimers, () => changes++);
    const follow = async (): Promise<boolean> => watch.follow((await readSourceTree(root)).directories);
    expect(await follow()).toBe(true);
    expect(await follow()).toBe(false);
    await appendFile(join(root, 'static', 'a.css'), 'b');
    await expect.poll(() => changes, { timeout: 5_000 }).toBe(1);
    await mkdir(join(root, 'views'));
    await expect.poll(() => changes, { timeout: 5_000 }).toBe(2);
    expect(await follow()).toBe(true);
    await writeFile(join(root, 'views', 'index.html'), 'x');
    await expect.poll(() => changes, { timeout: 5_000 }).toBe(3);
    await rm(join(root, 'views'), { recursive: true });
    await expect.poll(() => changes, { timeout: 5_000 }).toBeGreaterThan(3);
    watch.close();
  });
});
