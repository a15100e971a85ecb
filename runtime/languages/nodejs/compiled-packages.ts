// The compiled code of an app's packages, kept beside them so that no instance compiles them again (Node 22 and newer). It is
// made in the build by loading each package that the app declares, and never the app itself, which would begin to serve. So
// it lies among the app's own files, read-only for its instances, and no other app's.
import { CODE_DIRECTORY } from '../../sandbox/port.ts';
import { type BuildStep } from '../port.ts';

/** Node's own names for it by then; older ones have no such cache. */
const NODE_MAJOR_MIN = 22;
/** Within node_modules, so that it is kept and shared with what it was made from. */
const DIRECTORY = `${CODE_DIRECTORY}/node_modules/.cache/appengine-compiled`;
const LOAD_MS_MAX = 20_000;

/** A package that fails to load, waits for something or ends the process costs itself its share and the build nothing. */
const LOAD = `
import module from 'node:module';
const require = module.createRequire(process.cwd() + '/');
const end = () => {
  module.flushCompileCache?.();
  process.exit(0);
};
setTimeout(end, ${LOAD_MS_MAX});
process.on('uncaughtException', () => {}).on('unhandledRejection', () => {});
for (const name of process.argv.slice(1)) {
  try {
    require(name);
  } catch {
    await import(name).catch(() => {});
  }
}
end();
`.trim();

export interface CompiledPackages {
  readonly steps: readonly BuildStep[];
  /** For instances. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What loads is not the app's: its output is not shown, and its exit code does not count. */
export function compiledPackages(packages: readonly string[], nodeMajor: number): CompiledPackages {
  if (nodeMajor < NODE_MAJOR_MIN || packages.length === 0) return { steps: [], environment: {} };
  const environment = { NODE_COMPILE_CACHE: DIRECTORY };
  return {
    environment,
    steps: [
      {
        title: 'Compiling packages ahead',
        command: ['sh', '-c', 'node --input-type=module --eval "$0" -- "$@" >/dev/null 2>&1 </dev/null || true', LOAD, ...packages],
        environment: { ...environment, NODE_ENV: 'production' },
      },
    ],
  };
}
