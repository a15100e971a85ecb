// dispatch.yaml's text → rules that send URLs to services. Elements: App Engine's dispatch.yaml reference.
import { z } from 'zod';
import { type DispatchRule } from '../dispatch-rule.ts';
import { LIMITS } from '../limits.ts';
import { checkService } from './label.ts';
import { field } from './manifest-fields.ts';
import { checkAgainst, type KnownNames } from './schema-check.ts';
import { YamlSource } from './yaml-source.ts';

/** The file's name in an app's directory. */
export const DISPATCH_YAML = 'dispatch.yaml';

const HOST = /^(?:\*|(?:\*\.?)?[a-z0-9-]+(?:\.[a-z0-9-]+)*)$/;
const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

interface Pattern {
  readonly host: string;
  readonly path: string;
}

/** A url of dispatch.yaml taken apart, or what is wrong with it, completing `"url" …`. */
function readUrl(text: string): Pattern | string {
  if (text.length > LIMITS.dispatchUrlCharactersMax) return `is longer than ${LIMITS.dispatchUrlCharactersMax} characters`;
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return 'begins with a scheme; write host and path alone, such as "*/mobile/*"';
  const slash = text.indexOf('/');
  if (slash < 0) return 'has no path; write host and path, such as "*/mobile/*"';
  const [host, path] = [text.slice(0, slash).toLowerCase(), text.slice(slash)];
  if (host === '') return 'has no host before its path; "*" stands for any';
  if (host.slice(1).includes('*')) return 'has a "*" within its host, where it may only come first';
  if (host.includes(':')) return 'has a port, and every port leads to the same app; leave it out';
  if (IPV4.test(host)) return 'has an address for a host; write the name';
  if (!HOST.test(host)) return 'has a host that is none';
  if (path.slice(0, -1).includes('*')) return 'has a "*" within its path, where it may only come last';
  if (/[^\x21-\x7e]|[?#\\]/.test(path))
    return 'has a character in its path that no path has; write it as it stands when decoded, without a query';
  return { host, path };
}

const url = z.string({ error: 'must be a host and a path, such as "*/mobile/*"' }).transform((text, context) => {
  const pattern = readUrl(text);
  if (typeof pattern !== 'string') return { url: text, ...pattern };
  context.issues.push({ code: 'custom', message: pattern, input: text });
  return z.NEVER;
});

const service = field("a service's name: lower-case letters, digits and hyphens, at most 63, no reserved name", (text) => {
  try {
    return checkService(text);
  } catch {
    return undefined;
  }
});

const rule = z.strictObject(
  {
    url,
    // Looked for below: one of the two must be there.
    service: service.optional(),
    module: service.optional(),
  },
  { error: 'must be a rule, beginning with "url:"' },
);

const dispatchYamlSchema = z.strictObject(
  {
    dispatch: z
      .array(rule, { error: 'must be a list of rules ("- url: …")' })
      .max(LIMITS.dispatchRulesMax, { error: `must have at most ${LIMITS.dispatchRulesMax} rules` })
      .nullable()
      .optional(),
  },
  { error: 'must be a mapping with the element "dispatch"' },
);

const NAMES: KnownNames = {
  known: (path) => (path[0] === 'dispatch' ? ['url', 'service'] : ['dispatch']),
  refusal: () => undefined,
};

/**
 * The rules that the file declares, in its order. An empty file declares none. `isService` says whether the app has a
 * service; without it any name will do. Throws MANIFEST_INVALID.
 */
export function parseDispatchManifest(text: string, fileName: string, isService?: (service: string) => boolean): DispatchRule[] {
  const source = new YamlSource(text, fileName);
  if (source.data === null) return [];
  return (checkAgainst(dispatchYamlSchema, source, NAMES).dispatch ?? []).map((each, index): DispatchRule => {
    const at = ['dispatch', index];
    if (each.service !== undefined && each.module !== undefined) {
      throw source.errorAtKey(at, 'module', '"module" is the old name of service; keep one of them');
    }
    const named = each.service ?? each.module;
    if (named === undefined) throw source.errorAt(at, '"service" is missing: it must be the name of one of the app\'s services');
    if (isService && !isService(named)) {
      const place = [...at, each.service === undefined ? 'module' : 'service'];
      throw source.errorAt(place, `the app has no service "${named}"; deploy that service first, then this file`);
    }
    return { ...each.url, service: named };
  });
}
