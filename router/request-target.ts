// A request target, read once and strictly: every later decision uses the path that comes out of here,
// so that no two parts of the platform can see different paths (security: hostile numbers 16 and 45).
import { PlatformError } from '../sdk/contract/errors.ts';

export interface RequestTarget {
  /** Host of an absolute-form target, which overrules the Host header (RFC 9112, section 3.2.2). */
  readonly authority?: string;
  /** Path and query as the client wrote them: what the app gets. */
  readonly target: string;
  /** The path percent-decoded once, without `.` and `..` segments: what handlers match. */
  readonly path: string;
}

const NOT_IN_TARGETS = /[^\x21-\x7e]|#/;
const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/i;
const NEEDS_CARE = /[%\\]|\/\.{1,2}(?:\/|$)/;
// NUL ends names in C; a line end slips past the `.*` of a handler that guards.
const CONTROL = /[\x00-\x1f\x7f]/;
const DOT_SEGMENT = /(?:^|[/\\])\.{1,2}(?:[/\\]|$)/;

/** Throws ROUTE_BAD_REQUEST for what no well-meaning client sends. */
export function readTarget(raw: string): RequestTarget {
  if (NOT_IN_TARGETS.test(raw)) refuse('the target holds a character that must be percent-encoded');
  if (raw.charCodeAt(0) === 0x2f) return { target: raw, path: readPath(raw) };
  const absolute = ABSOLUTE.exec(raw);
  const authority = absolute?.[1];
  if (!absolute || authority === undefined) return refuse('the target is neither a path nor an http URL');
  const rest = absolute[2] ?? '';
  const target = rest.startsWith('/') ? rest : `/${rest}`;
  return { authority, target, path: readPath(target) };
}

function readPath(target: string): string {
  const query = target.indexOf('?');
  const path = query < 0 ? target : target.slice(0, query);
  if (!NEEDS_CARE.test(path)) return path;
  const decoded = path.includes('%') ? decode(path) : path;
  if (CONTROL.test(decoded)) refuse('the path holds a control character');
  if (DOT_SEGMENT.test(decoded)) refuse('the path holds a . or .. segment');
  return decoded;
}

function decode(path: string): string {
  try {
    // Refuses bad escapes, overlong and otherwise invalid UTF-8.
    return decodeURIComponent(path);
  } catch {
    return refuse('the path is not percent-encoded UTF-8');
  }
}

function refuse(reason: string): never {
  throw new PlatformError('ROUTE_BAD_REQUEST', reason);
}
