// Compiles the app's TypeScript, each file to JavaScript beside it, so that it runs alike on every Node. Types are taken
// out and not checked. Run in the app's directory within its build sandbox, with the platform's esbuild:
//
//   node compile-typescript.mjs TARGET ENTRY=OUTPUT …
//
// TARGET is esbuild's name of the Node to compile for; an ENTRY's output was named when the deploy was planned. Of every
// other file: .mts makes .mjs, .cts .cjs, and .ts .js, but for a module in a package that does not say "type": "module",
// which must be .mjs. So a file is a module here exactly when Node itself would take it for one.
//
// Two passes: the first asks esbuild what each file imports and where that lies (extensions, directories and the paths of
// tsconfig.json as esbuild reads them), the second compiles, and its import paths are replaced by those of the outputs.
import { build } from 'esbuild';
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, extname, join, relative, sep } from 'node:path';

const SOURCE = /\.[cm]?tsx?$/;
const DECLARATION = /\.d\.[cm]?ts$/;
const root = realpathSync('.');
const [target, ...pairs] = process.argv.slice(2);
const named = new Map(pairs.map((pair) => pair.split('=')).map(([entry, output]) => [join(root, entry), join(root, output)]));

const files = sourcesBelow(root);
const imports = new Map(files.map((file) => [file, new Map()]));
const isModule = await readImports();
const outputs = new Map(files.map((file) => [file, named.get(file) ?? outputOf(file)]));
await compile('esm', files.filter(makesModule));
await compile(
  'cjs',
  files.filter((file) => !makesModule(file)),
);
console.log(`${files.length} file${files.length === 1 ? '' : 's'} of TypeScript compiled for ${target}; types are not checked`);

function sourcesBelow(directory) {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === '.git' ? [] : sourcesBelow(path);
    return entry.isFile() && SOURCE.test(entry.name) && !DECLARATION.test(entry.name) ? [path] : [];
  });
}

/** Fills `imports`: file → what it writes → where that is. Returns whether a file is a module by its own syntax. */
async function readImports() {
  const asked = Symbol('asked');
  const follow = {
    name: 'follow',
    setup({ onResolve, resolve }) {
      onResolve({ filter: /.*/ }, async ({ path, kind, importer, resolveDir, pluginData }) => {
        if (kind === 'entry-point' || pluginData === asked) return undefined;
        const found = await resolve(path, { kind, importer, resolveDir, pluginData: asked });
        const isOurs =
          found.errors.length === 0 &&
          !found.external &&
          found.path.startsWith(root + sep) &&
          !found.path.includes(`${sep}node_modules${sep}`);
        if (isOurs) imports.get(importer)?.set(path, found.path);
        return { path, external: true };
      });
    },
  };
  const { metafile } = await run({ entryPoints: files, bundle: true, format: 'esm', metafile: true, plugins: [follow], logLevel: 'error' });
  const modules = new Set(Object.entries(metafile.inputs).flatMap(([path, { format }]) => (format === 'esm' ? join(root, path) : [])));
  return (file) => modules.has(file);
}

function outputOf(file) {
  const bare = file.slice(0, -extname(file).length);
  const extension = extname(file);
  if (extension === '.mts') return `${bare}.mjs`;
  if (extension === '.cts') return `${bare}.cjs`;
  return packageType(dirname(file)) === undefined && isModule(file) ? `${bare}.mjs` : `${bare}.js`;
}

function makesModule(file) {
  const extension = extname(outputs.get(file));
  return extension === '.mjs' || (extension === '.js' && packageType(dirname(file)) === 'module');
}

/** "type" of the nearest package.json within the app. */
function packageType(directory) {
  const path = join(directory, 'package.json');
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')).type;
  return directory === root ? undefined : packageType(dirname(directory));
}

async function compile(format, entryPoints) {
  if (entryPoints.length === 0) return;
  const { outputFiles } = await run({ entryPoints, format, sourcemap: 'external', sourcesContent: false, logLevel: 'warning' });
  const texts = new Map(outputFiles.map(({ path, text }) => [path, text]));
  for (const file of entryPoints) {
    const made = `${file.slice(0, -extname(file).length)}.js`;
    const output = outputs.get(file);
    const map = `${output}.map`;
    writeFileSync(
      output,
      `${withOutputs(file, texts.get(made))}//# sourceMappingURL=${encodeURIComponent(relative(dirname(output), map))}\n`,
    );
    writeFileSync(map, texts.get(`${made}.map`));
  }
}

/** The file's imports, in the forms that esbuild prints, and its workers' addresses. */
function withOutputs(file, text) {
  let result = text;
  for (const [written, found] of imports.get(file)) {
    const output = outputs.get(found) ?? found;
    const path = pathBetween(file, output);
    if (path === written) continue;
    const quoted = JSON.stringify(written).replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
    // Statements begin a line, and the names of a long one lie between.
    const places = new RegExp(
      `(^(?:import|export)\\b[^\\n"]* from |^\\} from |^import |\\bimport\\(|\\brequire(?:\\.resolve)?\\()${quoted}`,
      'gm',
    );
    result = result.replaceAll(places, (_all, before) => before + JSON.stringify(path));
  }
  return result.replaceAll(/new URL\(("\.\.?\/[^"]+"), import\.meta\.url\)/g, (all, address) => {
    const output = outputs.get(join(dirname(file), JSON.parse(address)));
    return output === undefined ? all : `new URL(${JSON.stringify(pathBetween(file, output))}, import.meta.url)`;
  });
}

function pathBetween(from, to) {
  const path = relative(dirname(from), to).split(sep).join('/');
  return path.startsWith('../') ? path : `./${path}`;
}

async function run(options) {
  try {
    return await build({ absWorkingDir: root, outdir: root, outbase: root, platform: 'node', target, write: false, ...options });
  } catch {
    // esbuild has said what and where.
    process.exit(1);
  }
}
