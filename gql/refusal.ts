// The one shape of a GQL error that has a place: the reason, then the line at fault with a caret under the place.
import { PlatformError } from '../sdk/contract/errors.ts';
import { type Place } from './ast.ts';
import { excerpt, visible } from './text-place.ts';

/** GQL_SYNTAX at a place. `reason` is whole sentences that need not name the place. */
export function syntaxError(text: string, at: Place, reason: string): PlatformError {
  return refusalAt('GQL_SYNTAX', text, at, `${reason} At line ${at.line}, column ${at.column}:`);
}

/** The same for a reason that names the place itself. */
export function refusalAt(code: 'GQL_SYNTAX' | 'GQL_TOO_LARGE', text: string, at: Place, reason: string): PlatformError {
  return new PlatformError(code, `${visible(reason)}\n${excerpt(text, at)}`, { details: { line: at.line, column: at.column } });
}
