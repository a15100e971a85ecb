// Which Pythons this machine has where an app can see them: what a sandbox shows of the machine is below /usr.
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface Interpreter {
  /** As app.yaml names it: python311. */
  readonly runtime: string;
  /** Minor version: 3.11. */
  readonly version: string;
  /** The program, by a path that is the same inside. */
  readonly path: string;
  /** Changes whenever the system's own packages for it do: environments may use those. */
  readonly packagesStamp: string;
}

export interface Interpreters {
  /** What `python3` is. */
  readonly usual: Interpreter | undefined;
  readonly all: readonly Interpreter[];
}

/** In the order in which PATH has them inside. */
const DIRECTORIES = ['/usr/local/bin', '/usr/bin'];
const PROGRAM = /^python3\.(\d+)$/;

export function findInterpreters(directories: readonly string[] = DIRECTORIES): Interpreters {
  const all = new Map<string, Interpreter>();
  for (const directory of directories) {
    for (const name of existsSync(directory) ? readdirSync(directory) : []) {
      const minor = PROGRAM.exec(name)?.[1];
      if (minor === undefined || all.has(minor)) continue;
      all.set(minor, interpreter(minor, join(directory, name)));
    }
  }
  const found = directories.map((directory) => join(directory, 'python3')).find((path) => existsSync(path));
  const minor = found === undefined ? undefined : PROGRAM.exec(basename(realpathSync(found)))?.[1];
  const sorted = [...all].sort(([a], [b]) => Number(a) - Number(b)).map(([, each]) => each);
  // By the plain name: it stays right when the system moves on to the next minor version.
  return { usual: found === undefined || minor === undefined ? undefined : interpreter(minor, found), all: sorted };
}

function interpreter(minor: string, path: string): Interpreter {
  const packages = [
    '/usr/lib/python3/dist-packages',
    `/usr/local/lib/python3.${minor}/dist-packages`,
    `/usr/local/lib/python3.${minor}/site-packages`,
  ];
  const stamps = packages.map((directory) => statSync(directory, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  return { runtime: `python3${minor}`, version: `3.${minor}`, path, packagesStamp: stamps.join(' ') };
}
