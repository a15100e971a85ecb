// What the platform's own build steps use inside a build, beside the operator's settings (build-environment.ts).
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PLATFORM_DIRECTORY, type ReadOnlyMount } from '../sandbox/port.ts';

const LANGUAGE_FILES = ['nodejs/compile-typescript.mjs'];

/** With esbuild from the platform's own packages, which its program for this machine lies beside. */
export function buildToolMounts(languagesDirectory: string): readonly ReadOnlyMount[] {
  const compiler = createRequire(import.meta.url).resolve('esbuild/package.json');
  const program = `@esbuild/${process.platform}-${process.arch}`;
  const packages: readonly (readonly [string, string])[] = [
    ['esbuild', dirname(compiler)],
    [program, dirname(createRequire(compiler).resolve(`${program}/package.json`))],
  ];
  return [
    ...LANGUAGE_FILES.map((name) => ({ from: join(languagesDirectory, name), to: `${PLATFORM_DIRECTORY}/${name}` })),
    ...packages.map(([name, from]) => ({ from, to: `${PLATFORM_DIRECTORY}/node_modules/${name}` })),
  ];
}
