// Which TypeScript files an app starts, and what starts in their place: the file that compile-typescript.mjs makes.
import { dirname, join } from 'node:path/posix';
import { PLATFORM_DIRECTORY } from '../../sandbox/port.ts';
import { type BuildStep, type SourceTree } from '../port.ts';
import { PACKAGE_JSON, packageTypeOf } from './package-json.ts';

export interface TypescriptEntry {
  readonly source: string;
  readonly output: string;
}

/** `node`, its flags, a file. A flag whose value is a word of its own ends the match: what it loads may do the same work. */
const NODE_RUNS = /(?<=^|[\s;&|(])node((?:\s+-\S+)*)\s+((?:\.\/)?[\w@%+=:,./-]+\.[cm]?tsx?)(?=$|[\s;&|)])/g;
/** The app brings its own way to run TypeScript. */
const OWN_LOADER = /\s(--import|--loader|--experimental-loader|--require|-r)\b/;
/** Of Node's own way; Node 20 does not know them. */
const NATIVE_FLAGS = /\s+--(experimental-strip-types|experimental-transform-types|no-experimental-strip-types)(?=\s|$)/g;
const COMPILER = `${PLATFORM_DIRECTORY}/nodejs/compile-typescript.mjs`;

/** `text` with every TypeScript file of the app that Node is to run replaced by what is compiled of it. */
export async function compiledCommand(
  text: string,
  source: SourceTree,
): Promise<{ readonly text: string; readonly entries: readonly TypescriptEntry[] }> {
  const entries: TypescriptEntry[] = [];
  let result = '';
  let end = 0;
  for (const match of text.matchAll(NODE_RUNS)) {
    const [all, flags = '', file = ''] = match;
    const path = file.replace(/^\.\//, '');
    if (OWN_LOADER.test(flags) || !source.paths.has(path)) continue;
    const entry = await compiledEntry(path, source);
    entries.push(entry);
    result += `${text.slice(end, match.index)}node${flags.replaceAll(NATIVE_FLAGS, '')} ${entry.output}`;
    end = match.index + all.length;
  }
  return { text: result + text.slice(end), entries };
}

/** A file is a module when Node would take it for one: by its extension, its package's "type", or else by its syntax. */
export async function compiledEntry(path: string, source: SourceTree): Promise<TypescriptEntry> {
  const [, bare = path, kind] = /^(.*)\.([cm]?)tsx?$/.exec(path) ?? [];
  const extension = kind === 'm' ? 'mjs' : kind === 'c' ? 'cjs' : await javascriptExtension(path, source);
  return { source: path, output: `${bare}.${extension}` };
}

async function javascriptExtension(path: string, source: SourceTree): Promise<'js' | 'mjs'> {
  if ((await nearestType(dirname(path), source)) !== undefined) return 'js';
  return isModule(await source.readText(path)) ? 'mjs' : 'js';
}

async function nearestType(directory: string, source: SourceTree): Promise<string | undefined> {
  const path = join(directory, PACKAGE_JSON);
  if (source.paths.has(path)) return packageTypeOf(await source.readText(path), path);
  return directory === '.' ? undefined : nearestType(dirname(directory), source);
}

/** Whether a line imports or exports; `import x = require('y')` and `export =` are of the older kind. */
function isModule(text: string): boolean {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, '');
  return /^\s*(import\s*['"{*]|import\s+(type\s+)?[\w$]+\s*(,|\s+from\b)|import\s+type\b|export\s+(?!=)|export\s*[{*])/m.test(code);
}

/** Types are not checked: a developer's editor and tests do that, and a deploy that an old error stops helps nobody. */
export function compileSteps(entries: readonly TypescriptEntry[], nodeMajor: number): BuildStep[] {
  if (entries.length === 0) return [];
  return [
    {
      title: 'Compiling TypeScript',
      command: ['node', COMPILER, `node${nodeMajor}`, ...entries.map(({ source, output }) => `${source}=${output}`)],
      environment: {},
    },
  ];
}
