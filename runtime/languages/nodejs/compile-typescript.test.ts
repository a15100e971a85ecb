import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const compiler = join(import.meta.dirname, 'compile-typescript.mjs');
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'compile-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
}

function node(...args: readonly string[]): { readonly code: number | null; readonly out: string; readonly error: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: directory, encoding: 'utf8' });
  return { code: status, out: stdout, error: stderr };
}

const LIBRARY = {
  'lib/a.ts': `export interface Named { name: string }\nexport const a = (named: Named): string => named.name;`,
  'lib/b.ts': `const b: number = 2;\nexport default b;\nexport * from './a';`,
  'lib/index.ts': `export const index: string = 'index';`,
  'lib/late.ts': `export const late: number = 4;`,
  'lib/plain.cjs': `exports.plain = 'plain';`,
  'tsconfig.json': `{"compilerOptions": {"paths": {"~/*": ["./lib/*"]}}}`,
  'types.d.ts': `declare const nothing: number;`,
  'node_modules/dependency/index.ts': `this is not TypeScript`,
};
const MODULE = {
  ...LIBRARY,
  'server.ts': `import { a, type Named } from './lib/a.js';
import b from './lib/b.ts';
import { index } from './lib';
import { late as again } from '~/late';
import plain from './lib/plain.cjs';
import { Worker } from 'node:worker_threads';
enum Mode { First = 1, Second }
class Point { constructor(readonly x: number) {} }
const named: Named = { name: 'name' };
const { late } = await import('./lib/late.ts');
new Worker(new URL('./worker.ts', import.meta.url)).on('message', (message: string) => {
  console.log(a(named), b, index, again, late, plain.plain, Mode.Second, new Point(3).x, message, 'from "./lib/a.js"');
  throw new Error('broken' satisfies string);
});`,
  'worker.ts': `import { parentPort } from 'node:worker_threads';\nparentPort!.postMessage('worker');`,
};

describe('the compiler of TypeScript', () => {
  it.each([
    ['in a package of modules', { 'package.json': '{"type":"module"}' }, 'server.js'],
    ['that are modules by their syntax', {}, 'server.mjs'],
  ])('runs files %s', (_what, more, output) => {
    write({ ...MODULE, ...more });
    const compiled = node(compiler, 'node20', `server.ts=${output}`);
    expect(compiled).toMatchObject({ code: 0, error: '' });
    expect(compiled.out).toContain('6 files of TypeScript compiled for node20; types are not checked');
    const ran = node('--enable-source-maps', output);
    expect(ran.out).toBe('name 2 index 4 4 plain 2 3 worker from "./lib/a.js"\n');
    expect(ran.error).toContain(`server.ts:13:9`);
    expect(ran.error).not.toContain('Warning');
  });

  it('runs CommonJS', () => {
    write({
      'server.ts': `import b = require('./lib/b.cts');\nconst { a } = require('./lib/a.ts') as { a: number };\nif (require.main === module) console.log(a, b.b as number);`,
      'lib/a.ts': `exports.a = 1 as number;`,
      'lib/b.cts': `export const b: number = 2;`,
      'package.json': '{"type":"commonjs"}',
    });
    expect(node(compiler, 'node20', 'server.ts=server.js')).toMatchObject({ code: 0, error: '' });
    expect(node('server.js')).toMatchObject({ code: 0, out: '1 2\n', error: '' });
    expect(readFileSync(join(directory, 'lib/b.cjs'), 'utf8')).toContain('//# sourceMappingURL=b.cjs.map');
  });

  it('says where a file cannot be read', () => {
    write({ 'server.ts': `const a: number =;`, 'package.json': '{}' });
    const { code, error } = node(compiler, 'node20', 'server.ts=server.js');
    expect(code).toBe(1);
    expect(error).toContain('server.ts:1:17');
  });
});
