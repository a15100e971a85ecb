// What the platform reads of a requirements.txt: names, and whether the file by itself decides what is installed. Pure.

export interface Requirements {
  /** Normalised: lower case, with `-` for `_` and `.`. */
  readonly names: ReadonlySet<string>;
  /** Whether each is pinned to one version and none lies in the app or in another file: then the same text is the same result. */
  readonly isPinned: boolean;
}

const NAME = /^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(.*)$/;
const ONE_VERSION = /^={2,3}\s*[^*,;\s]+(\s*;.*|\s+--hash=.*|\s*)$/;
/** Options of a line that change nothing of what is installed by that name. */
const HARMLESS_OPTION = /^--(require-hashes|no-binary|only-binary|prefer-binary)\b/;

export function readRequirements(text: string): Requirements {
  const names = new Set<string>();
  let isPinned = true;
  for (const raw of text.replaceAll(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    const line = raw.replace(/(^|\s)#.*$/, '').trim();
    if (line === '') continue;
    const [, name, rest = ''] = NAME.exec(line) ?? [];
    if (line.startsWith('-') || name === undefined) {
      if (!HARMLESS_OPTION.test(line)) isPinned = false;
      continue;
    }
    names.add(name.toLowerCase().replaceAll(/[-_.]+/g, '-'));
    if (!ONE_VERSION.test(rest)) isPinned = false;
  }
  return { names, isPinned };
}
