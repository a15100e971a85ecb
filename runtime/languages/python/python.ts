// Python apps: WSGI and ASGI, or any command. Packages of requirements.txt go into an environment of the app's own, which
// also sees the packages of this system.
// Read next: requirements.ts, and inside/serve.py for what starts an app that has no entrypoint.
import { createHash } from 'node:crypto';
import { type AppManifest } from '../../../sdk/contract/app-manifest/manifest.ts';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { PLATFORM_DIRECTORY } from '../../sandbox/port.ts';
import { forwarded } from '../forwarder/forwarded.ts';
import { type BuildStep, type Language, type LanguagePlan, type SourceTree } from '../port.ts';
import { shellCommand } from '../shell-command.ts';
import { findInterpreters, type Interpreter, type Interpreters } from './interpreters.ts';
import { readRequirements, type Requirements } from './requirements.ts';

const REQUIREMENTS = 'requirements.txt';
const MAIN = 'main.py';
const ENVIRONMENT = '.appengine-venv';
const INSIDE = `${PLATFORM_DIRECTORY}/python`;
/** App Engine's names; python3 is the one that this system calls so. */
const MINORS = [8, 9, 10, 11, 12, 13, 14];
/** Threads of a worker where scaling does not say how many requests an instance gets at a time. */
const CONCURRENCY_DEFAULT = 10;
const NO_REQUIREMENTS: Requirements = { names: new Set(), isPinned: true };

/** `find` is asked at each deploy: an operator may install another Python meanwhile. */
export function pythonLanguage(find: () => Interpreters): Language {
  return {
    name: 'python',
    runtimes: ['python3', ...MINORS.map((minor) => `python3${minor}`)],

    async plan(manifest: AppManifest, source: SourceTree): Promise<LanguagePlan> {
      const interpreter = chosen(manifest.runtime, find());
      const text = source.paths.has(REQUIREMENTS) ? await source.readText(REQUIREMENTS) : undefined;
      const requirements = text === undefined ? NO_REQUIREMENTS : readRequirements(text);
      const program = text === undefined ? interpreter.path : `${ENVIRONMENT}/bin/python`;
      const { command, environment } = forwarded(startCommand(manifest, source, requirements, program));
      return {
        buildSteps: text === undefined ? [] : installSteps(interpreter),
        finishSteps: [step('Compiling', [program, `${INSIDE}/compile_code.py`])],
        ...(text === undefined || !requirements.isPinned ? {} : { buildCacheKey: cacheKey(interpreter, text) }),
        buildOutputs: text === undefined ? [] : [ENVIRONMENT],
        command,
        environment: {
          ...environment,
          // Lines reach the log when they are printed; the code is compiled already, in a directory that is read-only.
          ...{ PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1' },
          APPENGINE_CONCURRENCY: String(concurrencyOf(manifest)),
        },
      };
    },
  };
}

export const python = pythonLanguage(findInterpreters);

/** Throws RUNTIME_UNKNOWN listing what this machine has. */
function chosen(runtime: string, { usual, all }: Interpreters): Interpreter {
  const found = runtime === 'python3' ? usual : all.find((each) => each.runtime === runtime);
  if (found) return found;
  const there = all.map((each) => each.runtime);
  const reason =
    usual === undefined && there.length === 0
      ? `"${runtime}": this machine has no Python below /usr; install it with: apt-get install python3 python3-venv`
      : `"${runtime}" is not on this machine; there are ${[...(usual === undefined ? [] : [`python3 (${usual.version})`]), ...there].join(', ')}`;
  throw new PlatformError('RUNTIME_UNKNOWN', reason, { details: { runtime, known: there } });
}

function installSteps({ path }: Interpreter): BuildStep[] {
  return [
    step('Making an environment for Python packages', [path, `${INSIDE}/make_environment.py`, ENVIRONMENT]),
    step(`Installing packages (${REQUIREMENTS})`, [
      `${ENVIRONMENT}/bin/python`,
      ...['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--no-cache-dir', '--progress-bar', 'off'],
      // An index that cannot be reached is said after some seconds, not after minutes.
      ...['--retries', '2', '--timeout', '15', '-r', REQUIREMENTS],
    ]),
  ];
}

function startCommand(manifest: AppManifest, source: SourceTree, { names }: Requirements, program: string): readonly string[] {
  const { entrypoint } = manifest;
  const hasEnvironment = source.paths.has(REQUIREMENTS);
  if (entrypoint !== undefined) return shellCommand(entrypoint, hasEnvironment ? [`${ENVIRONMENT}/bin`] : []);
  if (!source.paths.has(MAIN)) {
    const reason = `the app has nothing to start; add a file ${MAIN} with a WSGI or ASGI app named \`app\`, or an \`entrypoint:\` to app.yaml`;
    throw new PlatformError('MANIFEST_INVALID', reason, { details: { file: 'app.yaml' } });
  }
  if (!names.has('gunicorn')) return [program, `${INSIDE}/serve.py`];
  const asgi = names.has('uvicorn') ? ['--worker-class', 'uvicorn.workers.UvicornWorker'] : [];
  return [program, '-m', 'gunicorn', '--config', `${INSIDE}/gunicorn_settings.py`, ...asgi, 'main:app'];
}

function concurrencyOf({ scaling }: AppManifest): number {
  return scaling.kind === 'automatic' ? scaling.maxConcurrentRequests : CONCURRENCY_DEFAULT;
}

/** Packages may hold programs for this machine, and be those of the system. */
function cacheKey({ version, path, packagesStamp }: Interpreter, text: string): string {
  const hash = createHash('sha256');
  for (const part of ['1', version, path, packagesStamp, process.arch, text]) hash.update(`${part}\0`);
  return hash.digest('hex');
}

function step(title: string, command: readonly string[]): BuildStep {
  return { title, command, environment: {} };
}
