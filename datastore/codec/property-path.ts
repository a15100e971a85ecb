// The path of a property: names of properties, each but the last of an embedded entity, as masks and transforms write them.
//
//   path := name ( "." name )*        in a name, "." is written "\." and "\" is written "\\"
import { PlatformError } from '../../sdk/contract/errors.ts';

/** At least one name; none is empty. */
export type PropertyPath = readonly string[];

/** Throws DS_INVALID for an empty path or name, and for a backslash that escapes nothing. */
export function parsePropertyPath(text: string): PropertyPath {
  if (text === '') throw new PlatformError('DS_INVALID', 'a property path is the empty string');
  const names: string[] = [];
  let name = '';
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '\\') {
      const escaped = text.charAt(++at);
      if (escaped !== '.' && escaped !== '\\') throw invalid(text, 'a backslash stands before neither a dot nor a backslash');
      name += escaped;
    } else if (character === '.') {
      names.push(name);
      name = '';
    } else name += character;
  }
  names.push(name);
  if (names.includes('')) throw invalid(text, 'a name in it is empty');
  return names;
}

/** As `parsePropertyPath` reads it. */
export function formatPropertyPath(path: PropertyPath): string {
  return path.map((name) => name.replace(/[.\\]/g, '\\$&')).join('.');
}

function invalid(text: string, reason: string): PlatformError {
  return new PlatformError('DS_INVALID', `the property path ${JSON.stringify(text.slice(0, 200))}: ${reason}`);
}
