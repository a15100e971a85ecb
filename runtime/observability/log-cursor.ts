// Where a reader stands in an app's log: for each kind the file, by its inode since rotation renames it, and the offset in it.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LOG_KINDS, type LogKind } from './log-store.ts';

export interface LogPlace {
  readonly inode: number;
  readonly offset: number;
}

/** A kind that is missing has nothing more. */
export type LogPlaces = ReadonlyMap<LogKind, LogPlace>;

export function encodeCursor(places: LogPlaces): string {
  const pairs = [...places].map(([kind, { inode, offset }]) => [kind, [inode, offset]] as const);
  return Buffer.from(JSON.stringify(Object.fromEntries(pairs))).toString('base64url');
}

/** Throws INVALID_ARGUMENT naming `parameter`. */
export function decodeCursor(cursor: string, parameter: string): LogPlaces {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (typeof value !== 'object' || value === null) throw new Error('no object');
    return new Map(Object.entries(value).map(([kind, pair]) => [kindOf(kind), placeOf(pair)]));
  } catch (cause) {
    throw new PlatformError('INVALID_ARGUMENT', `"${parameter}" is no cursor of a log`, { cause });
  }
}

function kindOf(text: string): LogKind {
  const kind = LOG_KINDS.find((each) => each === text);
  if (kind === undefined) throw new Error('no kind');
  return kind;
}

function placeOf(pair: unknown): LogPlace {
  const [inode, offset] = Array.isArray(pair) ? (pair as unknown[]) : [];
  if (!isCount(inode) || !isCount(offset)) throw new Error('no place');
  return { inode, offset };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
