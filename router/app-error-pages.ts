// `error_handlers` of app.yaml: the app's own pages for errors that the platform answers on its behalf.
// What the app itself answers is never replaced.
import { ERRORS, type ErrorCode } from '../sdk/contract/errors.ts';
import { type ErrorPageSpec } from './ports.ts';

export interface AppErrorPage {
  readonly mimeType: string;
  readonly body: Buffer;
}

const INTERNAL_ERRORS_FROM = 500;

/** Causes that have a page of their own; every other failure on the platform's side has the default one. */
const CAUSES: Partial<Record<ErrorCode, ErrorPageSpec['cause']>> = { QUOTA_EXCEEDED: 'over_quota', ROUTE_DEADLINE: 'timeout' };

export class AppErrorPages {
  readonly #pages: ReadonlyMap<ErrorPageSpec['cause'], AppErrorPage>;

  constructor(specs: readonly ErrorPageSpec[]) {
    this.#pages = new Map(specs.map(({ cause, mimeType, content }) => [cause, { mimeType, body: Buffer.from(content) }]));
  }

  /** Undefined for errors of the client, and where the app has no page for this one. */
  pageFor(code: ErrorCode): AppErrorPage | undefined {
    if (ERRORS[code].httpStatus < INTERNAL_ERRORS_FROM) return undefined;
    return this.#pages.get(CAUSES[code] ?? 'default') ?? this.#pages.get('default');
  }
}
