// Programs that a runtime needs and the machine does not have, fetched once and shared by all apps, read-only:
//
//   DIRECTORY/<name>-<version>/     nodejs22-22.23.3: the content of an npm package, complete since it was renamed to this
//
// Names are kept in records, and versions are looked up at each start: instances run on the newest that is there.
// Who fetches: ../control/runtime-installer.ts.
import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type RuntimePackage } from '../languages/port.ts';
import { type ReadOnlyMount, RUNTIMES_DIRECTORY } from '../sandbox/port.ts';

export interface InstalledRuntime {
  readonly name: string;
  readonly version: string;
  /** On this host. */
  readonly directory: string;
}

/** What a sandbox gets for a runtime. */
export interface RuntimeMounts {
  readonly readOnlyMounts: readonly ReadOnlyMount[];
  readonly programDirectories: readonly string[];
}

export interface RuntimeTable {
  readonly packages: readonly RuntimePackage[];
  /** Names that this machine's own programs serve: nothing is fetched for them. */
  readonly own: readonly string[];
}

const OWN: RuntimeMounts = { readOnlyMounts: [], programDirectories: [] };
const NAME = /^([a-z0-9]+)-(\d+(?:\.\d+)*)$/;

export class RuntimeDirectory {
  readonly path: string;
  readonly #table: RuntimeTable;

  constructor(path: string, table: RuntimeTable) {
    this.path = path;
    this.#table = table;
  }

  isOwn(name: string): boolean {
    return this.#table.own.includes(name);
  }

  packageOf(name: string): RuntimePackage | undefined {
    return this.#table.packages.find((candidate) => candidate.name === name);
  }

  pathOf({ name, version }: Pick<InstalledRuntime, 'name' | 'version'>): string {
    return join(this.path, `${name}-${version}`);
  }

  /** All that are there, the newest version of a name first. */
  list(): readonly InstalledRuntime[] {
    return entriesOf(this.path)
      .flatMap((entry) => {
        const [, name, version] = NAME.exec(entry) ?? [];
        return name === undefined || version === undefined ? [] : [{ name, version, directory: join(this.path, entry) }];
      })
      .sort((a, b) => compareVersions(b.version, a.version));
  }

  /** For an instance or a build; without a name the machine's own programs. Throws RUNTIME_MISSING. */
  mountsOf(name: string | undefined): RuntimeMounts {
    if (name === undefined || this.isOwn(name)) return OWN;
    const found = this.list().find((installed) => installed.name === name);
    if (!found) throw new PlatformError('RUNTIME_MISSING', name, { details: { runtime: name } });
    const inside = `${RUNTIMES_DIRECTORY}/${name}`;
    return {
      readOnlyMounts: [{ from: found.directory, to: inside }],
      programDirectories: [`${inside}/${this.packageOf(name)?.programs ?? 'bin'}`],
    };
  }

  /** Removes what a newer version has replaced. Only while nothing runs. */
  async removeReplaced(): Promise<void> {
    const seen = new Set<string>();
    for (const { name, directory } of this.list()) {
      if (seen.has(name)) await rm(directory, { recursive: true, force: true });
      seen.add(name);
    }
  }
}

function entriesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function compareVersions(one: string, other: string): number {
  const left = one.split('.').map(Number);
  const right = other.split('.').map(Number);
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
