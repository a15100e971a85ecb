// Every language that the platform knows. Adding one is its folder and a line here.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { custom } from './custom/custom.ts';
import { java } from './java/java.ts';
import { nodejs } from './nodejs/nodejs.ts';
import { type Language } from './port.ts';
import { python } from './python/python.ts';

const LANGUAGES: readonly Language[] = [nodejs, python, java, custom];

/** What the platform may fetch for them, and what it need not. */
export const RUNTIME_TABLE = {
  packages: LANGUAGES.flatMap(({ runtimePackages = [] }) => runtimePackages),
  own: LANGUAGES.flatMap(({ ownRuntimes = [] }) => ownRuntimes),
};

/** The language that serves `runtime:` of app.yaml. Throws RUNTIME_UNKNOWN, listing those that are known. */
export function findLanguage(runtime: string): Language {
  const language = LANGUAGES.find(({ runtimes }) => runtimes.includes(runtime));
  if (language) return language;
  const known = LANGUAGES.flatMap(({ runtimes }) => runtimes);
  throw new PlatformError('RUNTIME_UNKNOWN', `"${runtime}"; known are ${known.join(', ')}`, { details: { runtime, known } });
}
