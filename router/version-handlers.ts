// The `handlers` of one version: what happens to a path.
import { LIMITS } from '../sdk/contract/limits.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { assertNever } from '../sdk/support/assert.ts';
import { accessRuleOf, type AccessRule } from './access-rule.ts';
import { type HandlerSpec, type StaticFile, type StaticOptions, type VersionRoutes } from './ports.ts';
import { type Groups, type StepBudget } from './url-pattern-program.ts';
import { UrlPattern } from './url-pattern.ts';

/** `access`: who may have that answer, asked before it is given; absent: anybody. */
export type HandlerDecision =
  | { readonly kind: 'app'; readonly access?: AccessRule }
  | {
      readonly kind: 'static';
      /** Within the app. */ readonly path: string;
      readonly file: StaticFile;
      readonly options: StaticOptions;
      readonly access?: AccessRule;
    }
  | { readonly kind: 'redirect'; readonly status: 301 | 302 | 303 | 307; readonly scheme: 'http' | 'https' }
  | { readonly kind: 'missing'; readonly access?: AccessRule };

type StaticHandler = Extract<HandlerSpec, { readonly kind: 'static-dir' | 'static-files' }>;
type Match = (path: string, budget: StepBudget) => Groups | undefined;

/** A handler with what it decides made once. */
interface Rule {
  readonly spec: HandlerSpec;
  readonly match: Match;
  readonly access: AccessRule | undefined;
  readonly toApp: HandlerDecision;
  readonly missing: HandlerDecision;
}

const TO_APP: HandlerDecision = { kind: 'app' };
const MISSING: HandlerDecision = { kind: 'missing' };
const REDIRECT_STATUS = 302;

export class VersionHandlers {
  readonly #files: Readonly<Record<string, StaticFile>>;
  readonly #rules: readonly Rule[];

  /** Throws MANIFEST_INVALID when a pattern cannot be read; deploys refuse such patterns. */
  constructor(version: VersionRoutes) {
    this.#files = version.files;
    this.#rules = version.handlers.map(ruleOf);
  }

  /**
   * `isSecure` is undefined when the router cannot tell or need not care, and `secure:` is then ignored.
   * Throws ROUTE_BAD_REQUEST when matching takes too long.
   */
  decide(path: string, isSecure: boolean | undefined): HandlerDecision {
    if (this.#rules.length === 0) return TO_APP;
    const budget: StepBudget = { steps: LIMITS.routePatternStepsMax };
    for (const { spec, match, toApp, missing, access } of this.#rules) {
      const groups = match(path, budget);
      if (!groups) continue;
      const redirect = redirectOf(spec, isSecure);
      if (redirect) return redirect;
      if (spec.kind === 'script') return toApp;
      const found = this.#staticFile(spec, groups, access);
      if (found) return found;
      if (!spec.requireMatchingFile) return missing;
    }
    return TO_APP;
  }

  #staticFile(spec: StaticHandler, groups: Groups, access: AccessRule | undefined): HandlerDecision | undefined {
    const path = staticPath(spec, groups);
    const file = Object.hasOwn(this.#files, path) ? this.#files[path] : undefined;
    return file && { kind: 'static', path, file, options: spec, ...(access ? { access } : {}) };
  }
}

/** For a version whose handlers cannot be read: nothing of it is served, least of all past a handler that guards. */
export const UNREADABLE_HANDLERS = {
  decide(): HandlerDecision {
    throw new PlatformError('INTERNAL', 'the handlers of this version cannot be read');
  },
};

function ruleOf(spec: HandlerSpec): Rule {
  const access = accessRuleOf(spec);
  const match = matcher(spec);
  if (!access) return { spec, match, access, toApp: TO_APP, missing: MISSING };
  return { spec, match, access, toApp: { kind: 'app', access }, missing: { kind: 'missing', access } };
}

function matcher(spec: HandlerSpec): Match {
  switch (spec.kind) {
    case 'static-dir': {
      const prefix = spec.url.endsWith('/') ? spec.url : `${spec.url}/`;
      return (path) => (path.startsWith(prefix) ? [path, path.slice(prefix.length)] : undefined);
    }
    case 'script':
    case 'static-files': {
      const pattern = new UrlPattern(spec.url);
      return (path, budget) => pattern.match(path, budget);
    }
    default:
      return assertNever(spec);
  }
}

function staticPath(spec: StaticHandler, groups: Groups): string {
  switch (spec.kind) {
    case 'static-dir':
      return `${spec.directory.replace(/\/+$/, '')}/${groups[1] ?? ''}`;
    case 'static-files':
      return spec.path.replaceAll(/\\(\d)/g, (_, group: string) => groups[Number(group)] ?? '');
    default:
      return assertNever(spec);
  }
}

function redirectOf(spec: HandlerSpec, isSecure: boolean | undefined): HandlerDecision | undefined {
  if (isSecure === undefined) return undefined;
  const status = spec.redirectStatus ?? REDIRECT_STATUS;
  if (spec.secure === 'always' && !isSecure) return { kind: 'redirect', status, scheme: 'https' };
  if (spec.secure === 'never' && isSecure) return { kind: 'redirect', status, scheme: 'http' };
  return undefined;
}
