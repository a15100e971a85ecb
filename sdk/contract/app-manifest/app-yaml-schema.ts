// The schema of app.yaml. Elements, ranges and defaults: App Engine's app.yaml reference, second generation.
import { z } from 'zod';
import { LIMITS } from '../limits.ts';
import { IGNORED_ELEMENTS } from './app-yaml-elements.ts';
import { expirationSeconds } from './duration.ts';
import { INSTANCE_CLASSES, instanceClassesFor } from './instance-class.ts';
import { DEFAULT_SERVICE, checkService } from './label.ts';
import { field, matching, oneOf, text, yesOrNo } from './manifest-fields.ts';
import { SCALING_ELEMENTS, scalingElements, scalingOf, surplusScaling } from './scaling-yaml.ts';
import { staticHeaderProblem } from './static-headers.ts';
import { patternGroups, patternProblem } from './url-pattern.ts';

const RUNTIME = /^[a-z][a-z0-9.-]{0,29}$/;
const VARIABLE = /^[a-zA-Z_][a-zA-Z0-9_]{0,254}$/;
const MIME_TYPE = /^[A-Za-z0-9!#$&^_.+-]{1,64}\/[A-Za-z0-9!#$&^_.+-]{1,128}(?:\s*;\s*[\x20-\x7e]{1,128})?$/;
const MEDIA_TYPE = 'a media type such as "text/html; charset=utf-8"';
/** App Engine's; nothing here denies service for the last one. */
const ERROR_CODES = ['default', 'over_quota', 'timeout', 'dos_api_denial'] as const;
const COMMAND_CHARACTERS_MAX = 4_096;
const VALUE_CHARACTERS_MAX = 32_768;
/** App Engine. */
const HEADERS_MAX = 500;
const EXPIRATION = 'a time such as "10m", "4d 5h" or a number of seconds, at most 365 days';
const DEFAULT_EXPIRATION_SECONDS = 600;

const list = <T>(item: z.ZodType<T>, max: number) =>
  z.array(item, { error: 'must be a list ("- " before each item)' }).max(max, { error: `must have at most ${max} items` });

const pattern = z.string({ error: 'must be a pattern such as /.*' }).superRefine((value, context) => {
  const problem = /^[/.(]/.test(value) ? patternProblem(value) : 'a url begins with "/"';
  if (problem !== undefined) context.addIssue({ code: 'custom', message: `is not usable: ${problem}` });
});

const filePattern = z.string({ error: 'must be a pattern such as static/.*' }).superRefine((value, context) => {
  const problem = patternProblem(value);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: `is not usable: ${problem}` });
});

/** A path within the app: no way out of it, no absolute path. */
const appPath = field('a path within the app, relative, without ".."', (value) => {
  const path = value.replace(/^\.\//, '').replace(/\/+$/, '');
  const parts = path.split('/');
  return path.length <= LIMITS.deployPathBytesMax &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..') &&
    !path.includes('\0')
    ? path
    : undefined;
});

const variables = z
  .record(
    z.string(),
    field('text (put quotes around it)', (value) => (value.length <= VALUE_CHARACTERS_MAX && !value.includes('\0') ? value : undefined)),
    {
      error: 'must be a mapping of NAME: value',
    },
  )
  .superRefine((map, context) => {
    let bytes = 0;
    for (const [name, value] of Object.entries(map)) {
      bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
      if (!VARIABLE.test(name)) {
        context.addIssue({
          code: 'custom',
          path: [name],
          message: 'is not a variable\'s name: letters, digits and "_", not first a digit',
        });
      } else if (/^GAE/i.test(name)) {
        context.addIssue({ code: 'custom', path: [name], message: 'begins with "GAE", which is reserved' });
      } else if (name === 'PORT') {
        context.addIssue({ code: 'custom', path: [name], message: 'is set by the platform: the app listens on it' });
      }
    }
    if (bytes > LIMITS.manifestEnvironmentBytesMax) {
      context.addIssue({ code: 'custom', message: `must hold at most ${LIMITS.manifestEnvironmentBytesMax} bytes` });
    }
  });

const expiration = field(EXPIRATION, expirationSeconds);

const handler = z
  .strictObject(
    {
      url: pattern,
      script: field('"auto": every request goes to the entrypoint', (value) => (value === 'auto' ? value : undefined)).optional(),
      static_dir: appPath.optional(),
      static_files: appPath.optional(),
      upload: filePattern.optional(),
      mime_type: matching(MEDIA_TYPE, MIME_TYPE).optional(),
      expiration: expiration.optional(),
      http_headers: z
        .record(
          z.string(),
          field('text', (value) => value),
          { error: 'must be a mapping of Header-Name: value' },
        )
        .optional(),
      require_matching_file: yesOrNo.optional(),
      application_readable: yesOrNo.optional(),
      secure: oneOf(['always', 'never', 'optional']).optional(),
      redirect_http_response_code: oneOf(['301', '302', '303', '307']).optional(),
      login: oneOf(['optional', 'required', 'admin']).optional(),
      auth_fail_action: oneOf(['redirect', 'unauthorized']).optional(),
    },
    { error: 'must be a handler, beginning with "url:"' },
  )
  .superRefine((value, context) => {
    const problem = (name: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [name], message });
    };
    const targets = [value.script, value.static_dir, value.static_files].filter((target) => target !== undefined).length;
    if (targets === 0) problem('url', 'has no target; add script: auto, static_dir or static_files');
    if (targets > 1) problem('url', 'has several targets; keep one of script, static_dir and static_files');
    if (value.static_dir !== undefined && (!value.url.startsWith('/') || /[\\^$|?*+()[\]{}]/.test(value.url))) {
      problem('url', 'must be a plain prefix, not a pattern, beside static_dir');
    }
    if (value.static_files !== undefined && value.upload === undefined) {
      problem('static_files', 'needs "upload:" beside it, a pattern of the files it may serve');
    }
    if (value.upload !== undefined && value.static_files === undefined) problem('upload', 'belongs to static_files');
    for (const name of ['mime_type', 'expiration', 'http_headers', 'require_matching_file'] as const) {
      if (value.script !== undefined && value[name] !== undefined) problem(name, 'works only for static files');
    }
    const groups = groupsOf(value.url);
    for (const [, group] of (value.static_files ?? '').matchAll(/\\(\d)/g)) {
      if (Number(group) > groups || group === '0')
        problem('static_files', `names group \\${group ?? ''}, and the url has ${groups} group(s)`);
    }
    if (value.redirect_http_response_code !== undefined && (value.secure ?? 'optional') === 'optional') {
      problem('redirect_http_response_code', 'needs "secure: always" or "secure: never" beside it');
    }
    if (value.auth_fail_action !== undefined && (value.login ?? 'optional') === 'optional') {
      problem('auth_fail_action', 'needs "login: required" or "login: admin" beside it');
    }
    headerProblems(value.http_headers ?? {}, value.mime_type !== undefined, (name, message) => {
      context.addIssue({ code: 'custom', path: name === undefined ? ['http_headers'] : ['http_headers', name], message });
    });
  });

function groupsOf(url: string): number {
  // An unreadable pattern is reported where it stands; it has no groups to count.
  return patternProblem(url) === undefined ? patternGroups(url) : 9;
}

function headerProblems(
  headers: Readonly<Record<string, string>>,
  hasMimeType: boolean,
  report: (name: string | undefined, message: string) => void,
): void {
  const names = Object.keys(headers);
  if (names.length > HEADERS_MAX) report(undefined, `must have at most ${HEADERS_MAX} headers`);
  const seen = new Set<string>();
  for (const name of names) {
    const problem = staticHeaderProblem(name, headers[name] ?? '');
    if (problem !== undefined) report(name, `must not ${problem}`);
    if (seen.has(name.toLowerCase())) report(name, 'stands twice, in another case');
    if (hasMimeType && name.toLowerCase() === 'content-type') report(name, 'says the same as mime_type; keep one');
    seen.add(name.toLowerCase());
  }
}

const errorHandler = z.strictObject(
  {
    error_code: oneOf(ERROR_CODES).optional(),
    file: appPath,
    mime_type: matching(MEDIA_TYPE, MIME_TYPE).optional(),
  },
  { error: 'must be an error page, with "file:"' },
);

const errorHandlers = list(errorHandler, ERROR_CODES.length).superRefine((pages, context) => {
  const seen = new Set<string>();
  pages.forEach(({ error_code: code = 'default' }, index) => {
    const path = [index, ...(pages[index]?.error_code === undefined ? [] : ['error_code'])];
    if (seen.has(code)) context.addIssue({ code: 'custom', path, message: `has a second page for "${code}"; keep one` });
    seen.add(code);
  });
});

const INBOUND_SERVICES = ['warmup', 'mail', 'mail_bounce'] as const;

const environment = field('"standard"', (value) => (['standard', '2'].includes(value) ? value : undefined));

const service = field("a service's name: lower-case letters, digits and hyphens, at most 63, no reserved name", (value) => {
  try {
    return checkService(value);
  } catch {
    return undefined;
  }
});

const ignored = Object.fromEntries(Object.keys(IGNORED_ELEMENTS).map((name) => [name, z.unknown().optional()]));

export const appYamlSchema = z
  .strictObject(
    {
      ...ignored,
      runtime: matching("the name of a language's runtime, such as nodejs", RUNTIME),
      service: service.optional(),
      module: service.optional(),
      env: environment.optional(),
      entrypoint: text('a command', COMMAND_CHARACTERS_MAX).optional(),
      instance_class: oneOf([...INSTANCE_CLASSES.keys()]).optional(),
      env_variables: variables.optional(),
      build_env_variables: variables.optional(),
      handlers: list(handler, LIMITS.manifestHandlersMax).optional(),
      error_handlers: errorHandlers.optional(),
      default_expiration: expiration.default(DEFAULT_EXPIRATION_SECONDS),
      inbound_services: list(oneOf(INBOUND_SERVICES), 20).optional(),
      ...scalingElements,
    },
    { error: 'must be a mapping of elements such as "runtime: nodejs"' },
  )
  .superRefine((value, context) => {
    if (value.module !== undefined && value.service !== undefined) {
      context.addIssue({ code: 'custom', path: ['module'], message: 'is the old name of service; keep one of them' });
    }
    const surplus = surplusScaling(value);
    if (surplus !== undefined) {
      context.addIssue({ code: 'custom', path: [surplus], message: 'stands beside another way of scaling; keep one of them' });
      return;
    }
    const { kind } = scalingOf(value);
    const classes = instanceClassesFor(kind);
    if (value.instance_class !== undefined && !classes.includes(value.instance_class)) {
      const message = `is ${value.instance_class}, and ${kind} scaling takes one of ${classes.join(', ')}`;
      context.addIssue({ code: 'custom', path: ['instance_class'], message });
    }
  })
  .transform(({ service: named, module, ...rest }) => ({
    ...rest,
    service: named ?? module ?? DEFAULT_SERVICE,
    usesModule: module !== undefined,
  }));

export type AppYaml = z.infer<typeof appYamlSchema>;
export type ErrorHandlerYaml = z.infer<typeof errorHandler>;
export type HandlerYaml = z.infer<typeof handler>;

export const APP_YAML_NAMES: readonly string[] = [
  ...['runtime', 'service', 'env', 'entrypoint', 'instance_class', 'env_variables', 'build_env_variables', 'handlers'],
  ...['default_expiration', 'error_handlers', 'inbound_services', ...Object.keys(SCALING_ELEMENTS)],
];
export const ERROR_HANDLER_NAMES: readonly string[] = Object.keys(errorHandler.shape);
export const HANDLER_NAMES: readonly string[] = Object.keys(handler.shape);
