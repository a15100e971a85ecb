// Compiles gql.ne to grammar.generated.ts; the build runs it. Writes only when the result differs, and by renaming,
// so that builds that run at the same time never see half a file.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const nearley = require('nearley');
const compile = require('nearley/lib/compile.js');
const generate = require('nearley/lib/generate.js');
const lint = require('nearley/lib/lint.js');
const language = require('nearley/lib/nearley-language-bootstrapped.js');

const folder = dirname(fileURLToPath(import.meta.url));
const sourcePath = join(folder, 'gql.ne');
const targetPath = join(folder, 'grammar.generated.ts');

const parser = new nearley.Parser(nearley.Grammar.fromCompiled(language));
parser.feed(readFileSync(sourcePath, 'utf8'));
// Readings of a grammar file differ only in blank lines.
if (parser.results.length === 0) throw new Error('gql.ne ends too early');

const compiled = compile(parser.results[0], { args: [sourcePath], version: nearley.version });
lint(compiled, { out: process.stderr });

const generated = generate(compiled, 'grammar')
  .replace(/^\/\/ Generated automatically.*$/m, '// Generated from gql.ne by compile-grammar.mjs. Do not edit.')
  .replace('export default grammar;', 'export { grammar };');
if (!generated.includes('export { grammar };')) throw new Error('nearley generated something unexpected');

const previous = (() => {
  try {
    return readFileSync(targetPath, 'utf8');
  } catch {
    return undefined;
  }
})();
if (previous !== generated) {
  const temporaryPath = `${targetPath}.${process.pid}`;
  writeFileSync(temporaryPath, generated);
  renameSync(temporaryPath, targetPath);
}
