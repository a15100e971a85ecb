// Ranges of versions as package.json writes them: `>=18 <21`, `^20.1 || 22.x`, `20 - 22`. Pre-releases are not told apart.

type Version = readonly [number, number, number];
type Comparator = (version: Version) => boolean;

const PARTIAL = /^v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:[-+][\w.+-]*)?$/;
const OPERATOR = /^(>=|<=|>|<|=|\^|~>?)?\s*(\S+)$/;

/** Undefined when `range` cannot be read. `version` is whole, as `process.versions.node`. */
export function satisfiesRange(version: string, range: string): boolean | undefined {
  const found = partsOf(version);
  if (found === undefined) return undefined;
  const wanted: Version = [found[0] ?? 0, found[1] ?? 0, found[2] ?? 0];
  let matches = false;
  for (const alternative of range.split('||')) {
    const comparators = comparatorsOf(alternative.trim());
    if (comparators === undefined) return undefined;
    matches ||= comparators.every((fits) => fits(wanted));
  }
  return matches;
}

function comparatorsOf(text: string): Comparator[] | undefined {
  const [, from, to] = /^(\S+)\s+-\s+(\S+)$/.exec(text) ?? [];
  const words =
    from === undefined || to === undefined ? text.replaceAll(/(>=|<=|>|<|=|\^|~>?)\s+/g, '$1').split(/\s+/) : [`>=${from}`, `<=${to}`];
  const comparators = words.filter((word) => word !== '').map(comparatorOf);
  return comparators.includes(undefined) ? undefined : comparators.filter((comparator) => comparator !== undefined);
}

/** `undefined` of a part means "any": 20 is 20.x.x. */
function partsOf(text: string): (number | undefined)[] | undefined {
  const match = PARTIAL.exec(text);
  if (!match) return undefined;
  const found: readonly (string | undefined)[] = match.slice(1, 4);
  const parts = found.map((part) => (part === undefined || /[xX*]/.test(part) ? undefined : Number(part)));
  const open = parts.indexOf(undefined);
  return parts.map((part, index) => (open >= 0 && index > open ? undefined : part));
}

function comparatorOf(word: string): Comparator | undefined {
  const [, operator = '=', text = ''] = OPERATOR.exec(word) ?? [];
  const parts = partsOf(text);
  if (parts === undefined) return undefined;
  const lowest: Version = [parts[0] ?? 0, parts[1] ?? 0, parts[2] ?? 0];
  const known = parts.filter((part) => part !== undefined).length;
  /** The first version above all that `parts`, cut after `count` of them, stands for. */
  const above = (count: number): Version | undefined => (count === 0 ? undefined : nextAfter(lowest, count));
  const below =
    (end: Version | undefined): Comparator =>
    (version) =>
      end === undefined || compare(version, end) < 0;
  const atLeast: Comparator = (version) => compare(version, lowest) >= 0;
  const both =
    (end: Version | undefined): Comparator =>
    (version) =>
      atLeast(version) && below(end)(version);
  switch (operator) {
    case '>=':
      return atLeast;
    case '<':
      return below(lowest);
    case '<=':
      return below(above(known));
    case '>':
      return (version) => known > 0 && !below(above(known))(version);
    case '^':
      return both(above(Math.min(known, lowest[0] > 0 ? 1 : lowest[1] > 0 ? 2 : 3)));
    case '~':
    case '~>':
      return both(above(Math.min(known, 2)));
    default:
      return both(above(known));
  }
}

function nextAfter([major, minor, patch]: Version, count: number): Version {
  return count === 1 ? [major + 1, 0, 0] : count === 2 ? [major, minor + 1, 0] : [major, minor, patch + 1];
}

function compare(one: Version, other: Version): number {
  return one[0] - other[0] || one[1] - other[1] || one[2] - other[2];
}
