// Fetches the programs that a runtime needs, when the first app asks for them. npm does it, in a sandbox like any build:
// from the operator's registry, through the operator's proxy, held to the content that we know by a lock file. What it
// brought is tried, then appears under its name at once and whole.
import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Random } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type BuildHost } from '../host/build.ts';
import { type RuntimeDirectory } from '../host/runtime-directory.ts';
import { type RuntimePackage } from '../languages/port.ts';

const INCOMING = 'incoming-';
/** The platform's own: charged to nobody. */
const APP_ID = '~runtimes';
const TAIL_LINES = 20;

export class RuntimeInstaller {
  readonly #directory: RuntimeDirectory;
  readonly #buildHost: BuildHost;
  readonly #random: Random;
  readonly #log: Log;
  readonly #fetching = new Map<string, Promise<void>>();

  constructor(directory: RuntimeDirectory, buildHost: BuildHost, random: Random, log: Log) {
    this.#directory = directory;
    this.#buildHost = buildHost;
    this.#random = random;
    this.#log = log;
  }

  /** Removes what a dead process left half fetched. */
  async start(): Promise<void> {
    await mkdir(this.#directory.path, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#directory.path)) {
      if (name.startsWith(INCOMING)) await rm(join(this.#directory.path, name), { recursive: true, force: true });
    }
  }

  /**
   * Resolves once `name` can be run on. A fetch is shared by all who wait for it and goes on when they leave.
   * Throws RUNTIME_MISSING saying why, with npm's last lines in the details.
   */
  async ensure(name: string, onProgress: (message: string) => void = () => undefined): Promise<void> {
    if (this.#directory.isOwn(name)) return;
    const wanted = this.#directory.packageOf(name);
    if (wanted && this.#isThere(wanted)) return;
    if (!wanted) {
      if (this.#directory.list().some((installed) => installed.name === name)) return;
      throw new PlatformError('RUNTIME_MISSING', `${name}: there is no package of it for this kind of machine`, {
        details: { runtime: name },
      });
    }
    onProgress(`Fetching ${wanted.title} (${wanted.version}), once for all apps`);
    let fetching = this.#fetching.get(name);
    if (!fetching) {
      fetching = this.#fetch(wanted).finally(() => this.#fetching.delete(name));
      this.#fetching.set(name, fetching);
    }
    await fetching;
  }

  /** For versions that were deployed before: theirs may be missing after the platform, its Node or its disk has changed. */
  async restore(names: Iterable<string>): Promise<void> {
    for (const name of new Set(names)) {
      try {
        await this.ensure(name);
      } catch (error) {
        this.#log.warn('The programs of a runtime that versions use cannot be fetched', { runtime: name, error });
      }
    }
  }

  #isThere({ name, version }: RuntimePackage): boolean {
    return this.#directory.list().some((installed) => installed.name === name && installed.version === version);
  }

  async #fetch(wanted: RuntimePackage): Promise<void> {
    const incoming = join(this.#directory.path, `${INCOMING}${this.#random.bytes(8).toString('hex')}`);
    const { name, npmPackage, version, programs, probe } = wanted;
    const [program = '', ...args] = probe;
    const inside = `node_modules/${npmPackage}`;
    try {
      await mkdir(incoming, { mode: 0o755 });
      await writeFile(join(incoming, 'package.json'), JSON.stringify(manifestOf(wanted)));
      await writeFile(join(incoming, 'package-lock.json'), JSON.stringify(lockOf(wanted)));
      await this.#run(wanted, incoming, [
        'npm',
        'ci',
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        '--no-update-notifier',
        '--no-progress',
      ]);
      const said = await this.#run(wanted, incoming, [`./${inside}/${programs}/${program}`, ...args]);
      if (!said.includes(version)) throw missing(wanted, `its ${program} says ${JSON.stringify(said)}`, said);
      // It must not appear under its name before it is on the disk.
      await this.#run(wanted, incoming, ['sync', '--file-system', '.']);
      await rename(join(incoming, inside), this.#directory.pathOf(wanted));
      await syncDirectory(this.#directory.path);
      this.#log.info('Fetched the programs of a runtime', { runtime: name, version });
    } finally {
      await rm(incoming, { recursive: true, force: true });
    }
  }

  /** Its output. */
  async #run(wanted: RuntimePackage, directory: string, command: readonly string[]): Promise<string> {
    const lines: string[] = [];
    const result = await this.#buildHost.build(
      { appId: APP_ID, directory, command, environment: {}, memoryBytesMax: LIMITS.buildMemoryBytesMax, timeoutMs: LIMITS.buildMs },
      {
        onOutput: (line) => {
          lines.push(line);
          if (lines.length > TAIL_LINES) lines.shift();
        },
      },
    );
    if (result.code !== 0) throw missing(wanted, result.reason, lines.join('\n'));
    return lines.join('\n');
  }
}

function missing({ name, title, npmPackage, version }: RuntimePackage, reason: string, output: string): PlatformError {
  return new PlatformError('RUNTIME_MISSING', `${title} (${npmPackage}@${version}): ${reason}`, { details: { runtime: name, output } });
}

function manifestOf({ npmPackage, version }: RuntimePackage): object {
  return { name: 'runtime', version: '1.0.0', private: true, dependencies: { [npmPackage]: version } };
}

function lockOf(wanted: RuntimePackage): object {
  const { npmPackage, version, integrity } = wanted;
  return {
    name: 'runtime',
    version: '1.0.0',
    lockfileVersion: 3,
    requires: true,
    packages: { '': manifestOf(wanted), [`node_modules/${npmPackage}`]: { version, integrity } },
  };
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
