import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemorySecretFile, type SecretFile } from '../../admin-console/secret-file.ts';
import { DiskSecretFile } from './secret-file-disk.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'secret-'));
});
afterEach(() => rm(directory, { recursive: true }));

describe.each<[string, () => SecretFile]>([
  ['in memory', () => new MemorySecretFile()],
  ['on disk', () => new DiskSecretFile(join(directory, 'secret'))],
])('a secret file %s', (_, make) => {
  it('is undefined until it is written, then what was written last', async () => {
    const file = make();
    expect(await file.read()).toBeUndefined();
    await file.write('one\n');
    await file.write('zwei ü\n');
    expect(await file.read()).toBe('zwei ü\n');
  });
});

describe('the file on disk', () => {
  it("is its owner's alone, even where a crash left a file that was not, and leaves nothing beside it", async () => {
    const path = join(directory, 'secret');
    await writeFile(`${path}.new`, 'left over, and longer than what comes', { mode: 0o644 });
    await new DiskSecretFile(path).write('text');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).toBe('text');
    expect(await readdir(directory)).toEqual(['secret']);
  });
});
