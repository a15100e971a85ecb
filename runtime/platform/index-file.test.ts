import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type IndexDefinition } from '../../sdk/contract/index-definition.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { IndexFile } from './index-file.ts';

const declared = (...kinds: readonly string[]): string =>
  `indexes:\n${kinds.map((kind) => `- kind: ${kind}\n  properties:\n  - name: a\n  - name: b\n`).join('')}`;

let folder: string;
let path: string;
let time: VirtualTime;
let warnings: string[];
let applied: string[];
let apply: () => Promise<void>;
let file: IndexFile;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'index-file-'));
  path = join(folder, 'index.yaml');
  time = new VirtualTime(0);
  [warnings, applied] = [[], []];
  apply = () => Promise.resolve();
  file = open();
});

afterEach(async () => {
  await file.close();
  await rm(folder, { recursive: true });
});

function open(isOptional = false): IndexFile {
  return new IndexFile(path, time, {
    isOptional,
    apply: (appId: string, definitions: readonly IndexDefinition[]) => {
      applied.push(`${appId}: ${definitions.map(({ kind }) => kind).join(' ')}`);
      return apply();
    },
    warn: (line) => warnings.push(line),
  });
}

const call = (appId: string): Promise<string> => file.around(appId, 'RunQuery', () => Promise.resolve('answer'));

/** By another file under its name, as editors do: what it looks like has changed for sure. */
async function replace(text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
  await file.look();
}

describe('an index file', () => {
  it('gives each app what it declares before its first call, once', async () => {
    await writeFile(path, declared('A', 'B'));
    await file.start();
    let isOver = false;
    let letGo = (): void => undefined;
    apply = () => new Promise((resolve) => (letGo = resolve));
    const first = [call('one'), call('one')].map((one) => one.finally(() => (isOver = true)));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isOver).toBe(false);
    letGo();
    expect(await Promise.all(first)).toEqual(['answer', 'answer']);
    apply = () => Promise.resolve();
    await call('one');
    await call('two');
    expect(applied).toEqual(['one: A B', 'two: A B']);
  });

  it('is taken in anew when it changes, by itself', async () => {
    await writeFile(path, declared('A'));
    await file.start();
    await call('one');
    await replace(declared('A', 'C'));
    await call('one');
    await writeFile(`${path}.new`, declared('D'));
    await rename(`${path}.new`, path);
    time.advance(500);
    await file.look();
    await call('one');
    expect(applied).toEqual(['one: A', 'one: A C', 'one: D']);
    await file.look();
    await call('one');
    expect(applied).toHaveLength(3);
  });

  it('stays as it was when it has become useless', async () => {
    await writeFile(path, declared('A'));
    await file.start();
    await replace('indexes: nonsense\n');
    await call('one');
    await rm(path);
    await file.look();
    await call('two');
    expect(applied).toEqual(['one: A', 'two: A']);
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain('what it declared before stays');
    await replace(declared('B'));
    await call('one');
    expect(applied.at(-1)).toBe('one: B');
  });

  it('is applied again after a reset, and after it could not be', async () => {
    await writeFile(path, declared('A'));
    await file.start();
    apply = () => Promise.reject(new Error('too many'));
    expect(await call('one')).toBe('answer');
    expect(warnings[0]).toContain('too many');
    apply = () => Promise.resolve();
    await call('one');
    file.forget();
    await call('one');
    expect(applied).toEqual(['one: A', 'one: A', 'one: A']);
  });

  it('must be there, and be one, unless it is to be written', async () => {
    await expect(file.start()).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('--index-file') as string });
    await writeFile(path, 'indexes:\n- kind: K\n  colour: red\n');
    await expect(file.start()).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
    await rm(path);
    file = open(true);
    await file.start();
    await call('one');
    await replace(declared('A'));
    await call('one');
    expect(applied).toEqual(['one: ', 'one: A']);
  });
});
