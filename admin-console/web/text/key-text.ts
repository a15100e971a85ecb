// Keys as people read and write them: Guestbook:"main" / Greeting:5. A last part without id or name gets one when it is stored.
import { type JsonKey } from '../../../sdk/contract/admin/data.ts';

type PathPart = JsonKey['path'][number];

const plainKind = /^[^\s"/:`]+$/;

function partText({ kind, id, name }: PathPart): string {
  const kindText = plainKind.test(kind) ? kind : JSON.stringify(kind);
  if (id !== undefined) return `${kindText}:${id}`;
  return name === undefined ? kindText : `${kindText}:${JSON.stringify(name)}`;
}

export const keyText = ({ path }: Pick<JsonKey, 'path'>): string => path.map(partText).join(' / ');

const PART = /\s*(?:("(?:[^"\\]|\\.)*")|([^\s"/:`]+))(?:\s*:\s*(?:("(?:[^"\\]|\\.)*")|(\d{1,19})))?\s*(?:(\/)|$)/y;

function unquoted(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The path, or undefined when the text is not one. Only its last part may lack an id or name. */
export function pathOf(text: string): readonly PathPart[] | undefined {
  const path: PathPart[] = [];
  PART.lastIndex = 0;
  for (;;) {
    const match = PART.exec(text);
    if (match === null) return undefined;
    const [, quotedKind, kindWord, quotedName, id, slash] = match;
    const kind = quotedKind === undefined ? kindWord : unquoted(quotedKind);
    const name = quotedName === undefined ? undefined : unquoted(quotedName);
    if (kind === undefined || kind === '' || (quotedName !== undefined && name === undefined)) return undefined;
    if (slash !== undefined && name === undefined && id === undefined) return undefined;
    path.push({ kind, ...(id === undefined ? {} : { id }), ...(name === undefined ? {} : { name }) });
    if (slash === undefined) return path;
  }
}
