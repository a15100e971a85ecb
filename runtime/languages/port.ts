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

/** What a plan depends on besides the app. */
export interface PlanContext {
  readonly nowMs: number;
}

export interface LanguagePlan {
  /** One of the language's runtimePackages by name: build and instances run on it. Absent: on the machine's own programs. */
  readonly runtime?: string;
  /** For people, said at the deploy: a runtime past its end of life, a version that does not fit. */
  readonly notes?: readonly string[];
  readonly buildSteps: readonly BuildStep[];
  /** Hex; builds with the same key give the same result and may share it. Absent: never shared. */
  readonly buildCacheKey?: string;
  /** Directories within the app that the cached build steps make, kept by key: for example node_modules. */
  readonly buildOutputs: readonly string[];
  /** Run after the build steps, or after their outputs came from the cache: what depends on more than the key says. */
  readonly finishSteps?: readonly BuildStep[];
  /** Argument vector that starts the app within the sandbox, working directory the app's code. */
  readonly command: readonly string[];
  /** Variables that the language adds; the app's own win where App Engine lets them. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Programs that come as an npm package, fetched when the first app needs them and then shared by all. Its content is
 * pinned, so that whichever registry it comes from, it is what we know.
 */
export interface RuntimePackage {
  /** Lower-case letters and digits, as plans name it: nodejs22. */
  readonly name: string;
  /** For people: Node 22. */
  readonly title: string;
  readonly version: string;
  readonly npmPackage: string;
  /** `sha512-…` of the package's archive, as lock files have it. */
  readonly integrity: string;
  /** Directory within the package whose programs come first in PATH. */
  readonly programs: string;
  /** A command that prints `version`, perhaps after a "v", when the programs work on this machine. */
  readonly probe: readonly string[];
}

export interface Language {
  readonly name: string;
  /** Values of `runtime:` that it serves. */
  readonly runtimes: readonly string[];
  /** Those that exist for this kind of machine. */
  readonly runtimePackages?: readonly RuntimePackage[];
  /** Names of runtime packages that the machine's own programs are as good as. */
  readonly ownRuntimes?: readonly string[];
  /** Throws MANIFEST_INVALID when the app cannot be started, saying what is missing. */
  plan(manifest: AppManifest, source: SourceTree, context: PlanContext): Promise<LanguagePlan>;
}
