import { describe, expect, it } from 'vitest';
import { readRequirements } from './requirements.ts';

describe('requirements.txt', () => {
  it.each<[string, readonly string[], boolean]>([
    ['', [], true],
    ['# nothing\n\n', [], true],
    ['Flask==2.2.2\nitsdangerous == 2.1.2 # pinned', ['flask', 'itsdangerous'], true],
    ['ruamel.yaml==1\nzope_interface==2', ['ruamel-yaml', 'zope-interface'], true],
    ['uvicorn[standard]==0.17.6', ['uvicorn'], true],
    ['a===1.0', ['a'], true],
    ['a==1.0 ; python_version < "3.12"', ['a'], true],
    ['a==1.0 \\\n  --hash=sha256:00 \\\n  --hash=sha256:11\r\nb==2', ['a', 'b'], true],
    ['--require-hashes\na==1', ['a'], true],
    ['flask', ['flask'], false],
    ['flask>=2', ['flask'], false],
    ['flask==2.*', ['flask'], false],
    ['flask==2,<3', ['flask'], false],
    ['a @ https://example.com/a.zip', ['a'], false],
    ['-r more.txt', [], false],
    ['-c limits.txt\na==1', ['a'], false],
    ['-e .', [], false],
    ['./mine', [], false],
    ['git+https://example.com/a.git#egg=a', ['git'], false],
  ])('%j', (text, names, isPinned) => {
    const found = readRequirements(text);
    expect([...found.names]).toEqual(names);
    expect(found.isPinned).toBe(isPinned);
  });
});
