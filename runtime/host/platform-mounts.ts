// What of the platform an app sees: the package `appengine`, and what a language loads into its processes.
import { join } from 'node:path';
import { PACKAGES_DIRECTORY, PLATFORM_DIRECTORY, type ReadOnlyMount } from '../sandbox/port.ts';

export interface PlatformFiles {
  /** Directory of the package that apps import as `appengine`, with its package.json. */
  readonly sdkDirectory: string;
  /** runtime/languages, as built or as source. */
  readonly languagesDirectory: string;
}

export function platformMounts({ sdkDirectory, languagesDirectory }: PlatformFiles): readonly ReadOnlyMount[] {
  return [
    { from: sdkDirectory, to: `${PACKAGES_DIRECTORY}/appengine` },
    { from: join(languagesDirectory, 'nodejs', 'preload.cjs'), to: `${PLATFORM_DIRECTORY}/nodejs/preload.cjs` },
  ];
}
