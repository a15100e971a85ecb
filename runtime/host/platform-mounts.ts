// What of the platform an app sees: the package `appengine`, and what a language loads into its processes.
import { join } from 'node:path';
import { PACKAGES_DIRECTORY, PLATFORM_DIRECTORY, type ReadOnlyMount } from '../sandbox/port.ts';

export interface PlatformFiles {
  /** Directory of the package that apps import as `appengine`, with its package.json. */
  readonly sdkDirectory: string;
  /** runtime/languages, as built or as source. */
  readonly languagesDirectory: string;
}

const NODEJS_FILES = ['preload.cjs', 'egress.cjs'];

export function platformMounts({ sdkDirectory, languagesDirectory }: PlatformFiles): readonly ReadOnlyMount[] {
  return [
    { from: sdkDirectory, to: `${PACKAGES_DIRECTORY}/appengine` },
    ...NODEJS_FILES.map((name) => ({ from: join(languagesDirectory, 'nodejs', name), to: `${PLATFORM_DIRECTORY}/nodejs/${name}` })),
  ];
}
