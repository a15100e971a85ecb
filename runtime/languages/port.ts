// Languages: how an app in one language is built and started. Adding a language is one folder here that exports a
// Language, and one line in language-table.ts. A language only plans: the control plane stages, the host runs.
// Read next: language-table.ts, nodejs/.
import { type AppManifest } from '../../sdk/contract/app-manifest/manifest.ts';

export interface SourceTree {
  /** Paths of the app's files, relative, `/` between parts. */
  readonly paths: ReadonlySet<string>;
  /** Throws when there is no such file. */
  readText(path: string): Promise<string>;
}

export interface BuildStep {
  /** For people: "Installing packages". */
  readonly title: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

export interface LanguagePlan {
  readonly buildSteps: readonly BuildStep[];
  /** Hex; builds with the same key give the same result and may share it. Absent: never shared. */
  readonly buildCacheKey?: string;
  /** Directories within the app that the cached build steps make, kept by key: for example node_modules. */
  readonly buildOutputs: readonly string[];
  /** Argument vector that starts the app within the sandbox, working directory the app's code. */
  readonly command: readonly string[];
  /** Variables that the language adds; the app's own win where App Engine lets them. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface Language {
  readonly name: string;
  /** Values of `runtime:` that it serves. */
  readonly runtimes: readonly string[];
  /** Throws MANIFEST_INVALID when the app cannot be started, saying what is missing. */
  plan(manifest: AppManifest, source: SourceTree): Promise<LanguagePlan>;
}
