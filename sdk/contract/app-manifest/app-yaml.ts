// app.yaml's text → AppManifest: checked, its defaults filled in. Read next: manifest.ts (what comes out).
import { LIMITS } from '../limits.ts';
import { IGNORED_ELEMENTS, REFUSED_ELEMENTS, REFUSED_HANDLER_ELEMENTS, REFUSED_SCALING_ELEMENTS } from './app-yaml-elements.ts';
import {
  APP_YAML_NAMES,
  type AppYaml,
  appYamlSchema,
  ERROR_HANDLER_NAMES,
  type ErrorHandlerYaml,
  HANDLER_NAMES,
  type HandlerYaml,
} from './app-yaml-schema.ts';
import { defaultInstanceClass } from './instance-class.ts';
import { type AppManifest, type ManifestErrorPage, type ManifestHandler } from './manifest.ts';
import { isScalingElement, SCALING_ELEMENTS, scalingOf } from './scaling-yaml.ts';
import { checkAgainst, type KnownNames } from './schema-check.ts';
import { YamlSource } from './yaml-source.ts';

/** The file's name in an app's directory. */
export const APP_YAML = 'app.yaml';

export interface AppYamlReading {
  readonly manifest: AppManifest;
  /** For people: elements that were accepted and have no effect, one sentence each. */
  readonly notes: readonly string[];
}

/** Throws MANIFEST_INVALID with file, line, column, the line itself and what to do. The runtime's name is not looked up. */
export function parseAppManifest(text: string, fileName: string): AppManifest {
  return readAppManifest(text, fileName).manifest;
}

/** As parseAppManifest, with what to tell the developer. */
export function readAppManifest(text: string, fileName: string): AppYamlReading {
  const source = new YamlSource(text, fileName);
  if (source.data === null) throw source.errorAt([], 'the file is empty; the smallest app.yaml is the line "runtime: nodejs"');
  const yaml = checkAgainst(appYamlSchema, source, NAMES);
  const writtenNames = Object.keys(source.data);
  return { manifest: Object.freeze(manifestOf(yaml)), notes: notesOf(yaml, writtenNames) };
}

const NAMES: KnownNames = {
  known: (path) => {
    if (path[0] === 'handlers') return HANDLER_NAMES;
    if (path[0] === 'error_handlers') return ERROR_HANDLER_NAMES;
    return isScalingElement(path[0]) ? SCALING_ELEMENTS[path[0]] : APP_YAML_NAMES;
  },
  refusal: (path, name) => {
    const refused =
      path[0] === 'handlers' ? REFUSED_HANDLER_ELEMENTS : path[0] === 'automatic_scaling' ? REFUSED_SCALING_ELEMENTS : REFUSED_ELEMENTS;
    return Object.hasOwn(refused, name) ? refused[name] : undefined;
  },
};

function manifestOf(yaml: AppYaml): AppManifest {
  const scaling = scalingOf(yaml);
  return {
    runtime: yaml.runtime,
    service: yaml.service,
    ...(yaml.entrypoint === undefined ? {} : { entrypoint: yaml.entrypoint }),
    instanceClass: yaml.instance_class ?? defaultInstanceClass(scaling.kind),
    environment: yaml.env_variables ?? {},
    buildEnvironment: yaml.build_env_variables ?? {},
    handlers: (yaml.handlers ?? []).map(handlerOf),
    defaultExpirationSeconds: yaml.default_expiration,
    errorPages: (yaml.error_handlers ?? []).flatMap(errorPageOf),
    warmup: yaml.inbound_services?.includes('warmup') ?? false,
    scaling,
  };
}

function handlerOf(yaml: HandlerYaml): ManifestHandler {
  return {
    url: yaml.url,
    target: targetOf(yaml),
    secure: yaml.secure ?? 'optional',
    redirectStatus: REDIRECTS[yaml.redirect_http_response_code ?? '302'],
    login: yaml.login ?? 'optional',
    authFailAction: yaml.auth_fail_action ?? 'redirect',
    ...(yaml.mime_type === undefined ? {} : { mimeType: yaml.mime_type }),
    ...(yaml.expiration === undefined ? {} : { expirationSeconds: yaml.expiration }),
    ...(yaml.http_headers === undefined ? {} : { httpHeaders: yaml.http_headers }),
    requireMatchingFile: yaml.require_matching_file ?? false,
  };
}

/** Whose error the platform never makes has no page. */
function errorPageOf({
  error_code: cause = 'default',
  file,
  mime_type: mimeType = ERROR_PAGE_TYPE,
}: ErrorHandlerYaml): ManifestErrorPage[] {
  return cause === 'dos_api_denial' ? [] : [{ cause, file, mimeType }];
}

/** App Engine: text/html. */
const ERROR_PAGE_TYPE = 'text/html; charset=utf-8';

const REDIRECTS = { '301': 301, '302': 302, '303': 303, '307': 307 } as const;

function targetOf(yaml: HandlerYaml): ManifestHandler['target'] {
  if (yaml.static_dir !== undefined) return { kind: 'static-dir', directory: yaml.static_dir };
  if (yaml.static_files !== undefined) return { kind: 'static-files', path: yaml.static_files, upload: yaml.upload ?? '' };
  return { kind: 'script' };
}

function notesOf(yaml: AppYaml, writtenNames: readonly string[]): string[] {
  const notes = writtenNames
    .filter((name) => Object.hasOwn(IGNORED_ELEMENTS, name))
    .map((name) => `"${name}" has no effect: ${IGNORED_ELEMENTS[name] ?? ''}`);
  const written = (yaml.automatic_scaling ?? yaml.basic_scaling)?.max_instances ?? 0;
  if (written > LIMITS.instancesPerVersionMax) {
    notes.push(`"max_instances" is ${written}; this platform runs at most ${LIMITS.instancesPerVersionMax} instances of a version`);
  }
  if (yaml.usesModule) notes.push('"module" is the old name of "service"');
  for (const name of ['mail', 'mail_bounce'] as const) {
    if (yaml.inbound_services?.includes(name)) notes.push(`"inbound_services: ${name}" has no effect in this release`);
  }
  if (yaml.error_handlers?.some((page) => page.error_code === 'dos_api_denial')) {
    notes.push('"error_code: dos_api_denial" has no effect: there is no blacklist here that could deny service');
  }
  if (yaml.handlers?.some((handler) => handler.application_readable !== undefined)) {
    notes.push('"application_readable" has no effect: static files are always readable to the app');
  }
  return notes;
}
