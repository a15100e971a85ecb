import { describe, expect, it } from 'vitest';
import { type SourceTree } from '../port.ts';
import { compiledCommand, compiledEntry, compileSteps } from './typescript-entry.ts';

const treeOf = (files: Readonly<Record<string, string>>): SourceTree => ({
  paths: new Set(Object.keys(files)),
  readText: (path) => Promise.resolve(files[path] ?? ''),
});

describe('the TypeScript files of a start command', () => {
  const source = treeOf({ 'server.ts': '', 'src/a.mts': '', 'src/b.cts': '', 'view.tsx': '' });

  it.each([
    ['node server.ts', 'node server.js'],
    ['node ./server.ts --port 1', 'node server.js --port 1'],
    ['node src/a.mts', 'node src/a.mjs'],
    ['node src/b.cts', 'node src/b.cjs'],
    ['node view.tsx', 'node view.js'],
    ['node --experimental-strip-types --max-old-space-size=100 server.ts', 'node --max-old-space-size=100 server.js'],
    ['MODE=x node server.ts', 'MODE=x node server.js'],
    ['node src/a.mts && node server.ts; true', 'node src/a.mjs && node server.js; true'],
  ])('%s', async (text, compiled) => {
    expect((await compiledCommand(text, source)).text).toBe(compiled);
  });

  it.each([
    ['a file that is not there, which the build may make', 'node gone.ts'],
    ["the app's own loader", 'node --import=tsx server.ts'],
    ["the app's own loader in a word of its own", 'node --import tsx server.ts'],
    ['another program', 'tsx server.ts'],
    ['a program whose name ends alike', 'ts-node server.ts'],
    ['an argument of a JavaScript program', 'node run.js server.ts'],
  ])('leaves %s', async (_what, text) => {
    expect(await compiledCommand(text, source)).toEqual({ text, entries: [] });
  });

  it('names what is to be compiled, for the Node that runs it', async () => {
    const { entries } = await compiledCommand('node src/a.mts && node server.ts', source);
    expect(compileSteps(entries, 22)).toMatchObject([
      { command: ['node', '/srv/platform/nodejs/compile-typescript.mjs', 'node22', 'src/a.mts=src/a.mjs', 'server.ts=server.js'] },
    ]);
    expect(compileSteps([], 22)).toEqual([]);
  });
});

describe('whether a TypeScript file is a module', () => {
  const outputOf = async (text: string, packageJson?: string): Promise<string> =>
    (
      await compiledEntry(
        'src/app.ts',
        treeOf({ 'src/app.ts': text, ...(packageJson === undefined ? {} : { 'package.json': packageJson }) }),
      )
    ).output;

  it.each([
    [`import http from 'node:http';`],
    [`import { type A } from './a';`],
    [`import * as a from './a';`],
    [`import './a';`],
    [`import a, { b } from './a';`],
    [`  export const a = 1;`],
    [`export { a } from './a';`],
    [`export default {};`],
    [`/* import x = require('y') */\nimport type { A } from './a';`],
  ])('by its syntax: %s', async (text) => {
    expect(await outputOf(text)).toBe('src/app.mjs');
    expect(await outputOf(text, '{}')).toBe('src/app.mjs');
  });

  it.each([
    [`const http = require('node:http');`],
    [`import http = require('node:http');`],
    [`const a = await import('./a');`.replace('await ', '')],
    [`export = 1;`],
    [`/*\nimport a from './a';\n*/`],
    [`// import a from './a';`],
    [`const important = 1;\nimportant;`],
  ])('not by its syntax: %s', async (text) => {
    expect(await outputOf(text)).toBe('src/app.js');
  });

  it("by its package's type first", async () => {
    expect(await outputOf(`require('x')`, '{"type":"module"}')).toBe('src/app.js');
    expect(await outputOf(`import './x';`, '{"type":"module"}')).toBe('src/app.js');
    expect(await outputOf(`import './x';`, '{"type":"commonjs"}')).toBe('src/app.js');
  });

  it('by the nearest package', async () => {
    const files = { 'src/app.ts': `import './x';`, 'src/package.json': '{"type":"commonjs"}', 'package.json': '{"type":"module"}' };
    expect((await compiledEntry('src/app.ts', treeOf(files))).output).toBe('src/app.js');
  });
});
