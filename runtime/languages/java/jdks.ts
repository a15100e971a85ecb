// Which Java runtimes this machine has where an app can see them: below /usr, and where JAVA_HOME of this process leads,
// which the sandbox shows too (sandbox/host-layout.ts).
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Jdk {
  /** As app.yaml names it: java17. */
  readonly runtime: string;
  /** For people: 17.0.15. */
  readonly version: string;
  readonly home: string;
}

export interface JdkPlaces {
  /** JAVA_HOME, or undefined. */
  readonly home: string | undefined;
  /** The `java` of the machine, usually a chain of links. */
  readonly program: string;
  /** Where packages put them, a directory each. */
  readonly directory: string;
}

export function jdkPlaces(javaHome: string | undefined): JdkPlaces {
  return { home: javaHome, program: '/usr/bin/java', directory: '/usr/lib/jvm' };
}

/** One for each version: that of JAVA_HOME before the machine's `java`, that before the others. */
export function findJdks({ home, program, directory }: JdkPlaces): readonly Jdk[] {
  const usual = existsSync(program) ? [dirname(dirname(realpathSync(program)))] : [];
  const others = existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [];
  const found = new Map<string, Jdk>();
  for (const candidate of [...(home === undefined ? [] : [home]), ...usual, ...others.sort()]) {
    const jdk = jdkAt(candidate);
    if (jdk && !found.has(jdk.runtime)) found.set(jdk.runtime, jdk);
  }
  return [...found.values()];
}

/** By the file `release` that each has. */
function jdkAt(home: string): Jdk | undefined {
  if (!existsSync(join(home, 'bin', 'java')) || !existsSync(join(home, 'release'))) return undefined;
  const version = /^JAVA_VERSION="?([\d.]+)/m.exec(readFileSync(join(home, 'release'), 'utf8'))?.[1];
  if (version === undefined) return undefined;
  return { runtime: `java${version.split('.')[0] ?? ''}`, version, home };
}
