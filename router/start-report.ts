// Why an app did not start, in its own words: for the error page of a development server. Elsewhere visitors are strangers.
import { type ErrorCode, PlatformError } from '../sdk/contract/errors.ts';

export interface StartReport {
  readonly reason: string;
  /** The newest lines that it printed to stderr, without colours; may be empty. */
  readonly output: string;
}

const START_CODES: ReadonlySet<ErrorCode> = new Set([
  'INSTANCE_EXITED',
  'INSTANCE_NEVER_LISTENED',
  'INSTANCE_START_REFUSED',
  'ROUTE_START_FAILED',
]);
const COLOURS = /\x1b\[[\d;]*m/g;
const UNSEEN = /[\x00-\x08\x0b-\x1f\x7f]/g;

/** Undefined unless it is of a failed start, whose error for the owners is the cause of that for visitors. */
export function startReport({ code, cause }: PlatformError): StartReport | undefined {
  if (!START_CODES.has(code) || !(cause instanceof PlatformError)) return undefined;
  const { stderrTail } = cause.details;
  const output = typeof stderrTail === 'string' ? stderrTail.replaceAll(COLOURS, '').replaceAll(UNSEEN, '').trim() : '';
  return { reason: cause.message, output };
}
