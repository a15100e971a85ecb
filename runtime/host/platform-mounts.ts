// What of the platform an app sees: the package `appengine`, and what a language loads into its processes.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGES_DIRECTORY, PLATFORM_DIRECTORY, type ReadOnlyMount } from '../sandbox/port.ts';

export interface PlatformFiles {
  /** Directory of the package that apps import as `appengine`, with its package.json. */
  readonly sdkDirectory: string;
  /** runtime/languages, as built or as source. */
  readonly languagesDirectory: string;
}

const NODEJS_FILES = ['preload.cjs', 'egress.cjs', 'datastore-connection.cjs', 'request-lines.cjs'];
const FORWARDER_SCRIPT = 'forwarder.cjs';
const FORWARDER = 'forwarder';

export function platformMounts({ sdkDirectory, languagesDirectory }: PlatformFiles): readonly ReadOnlyMount[] {
  const forwarder = join(languagesDirectory, FORWARDER);
  // Compiled where the build found a compiler; the same in JavaScript elsewhere.
  const compiled = join(forwarder, FORWARDER);
  const script = join(forwarder, FORWARDER_SCRIPT);
  return [
    { from: sdkDirectory, to: `${PACKAGES_DIRECTORY}/appengine` },
    ...NODEJS_FILES.map((name) => ({ from: join(languagesDirectory, 'nodejs', name), to: `${PLATFORM_DIRECTORY}/nodejs/${name}` })),
    { from: existsSync(compiled) ? compiled : script, to: `${PLATFORM_DIRECTORY}/forwarder/${FORWARDER}` },
    { from: script, to: `${PLATFORM_DIRECTORY}/forwarder/${FORWARDER_SCRIPT}` },
    { from: join(languagesDirectory, 'python', 'inside'), to: `${PLATFORM_DIRECTORY}/python` },
  ];
}
