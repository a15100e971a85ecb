// Holds a file's data against a zod schema; the first problem in the file becomes MANIFEST_INVALID at its place.
import { type z } from 'zod';
import { type PlatformError } from '../errors.ts';
import { nearestWord } from './nearest-word.ts';
import { quoted } from './manifest-fields.ts';
import { type YamlData, type YamlPath, type YamlSource } from './yaml-source.ts';

export interface KnownNames {
  /** Names that the mapping at `path` may hold, for "did you mean". */
  readonly known: (path: YamlPath) => readonly string[];
  /** Why a name that App Engine knows is refused here; undefined when it is simply unknown. */
  readonly refusal: (path: YamlPath, name: string) => string | undefined;
}

/** What `schema` makes of the file. Throws MANIFEST_INVALID. */
export function checkAgainst<T>(schema: z.ZodType<T>, source: YamlSource, names: KnownNames): T {
  const parsed = schema.safeParse(source.data);
  if (parsed.success) return parsed.data;
  // A misspelt name also makes the right one missing from the same mapping: the misspelling is the news.
  const misspelt = new Set(parsed.error.issues.filter(({ code }) => code === 'unrecognized_keys').map(({ path }) => path.join('.')));
  const issues = parsed.error.issues.filter(
    ({ path }) => dataAt(source.data, path) !== undefined || !misspelt.has(path.slice(0, -1).join('.')),
  );
  const problems = issues.flatMap((issue) => problemsOf(issue, source, names));
  const [first] = problems.sort((a, b) => placeOf(a) - placeOf(b));
  if (!first) throw source.errorAt([], 'the file does not fit');
  throw first;
}

function problemsOf(issue: z.core.$ZodIssue, source: YamlSource, names: KnownNames): PlatformError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => source.errorAtKey(issue.path, key, unknownName(issue.path, key, names)));
  }
  const data = dataAt(source.data, issue.path);
  const name = lastName(issue.path);
  const subject = name === undefined ? 'the file' : `"${name}"`;
  if (data === undefined) return [source.errorAt(issue.path.slice(0, -1), `${subject} is missing: it ${issue.message}`)];
  if (data === null) return [source.errorAt(issue.path, `${subject} has no value: it ${issue.message}`)];
  return [source.errorAt(issue.path, `${subject} ${issue.message}`)];
}

function unknownName(path: YamlPath, key: string, names: KnownNames): string {
  const refusal = names.refusal(path, key);
  if (refusal !== undefined) return `"${key}" ${refusal}`;
  const where = lastName(path) === undefined ? '' : ` in "${lastName(path) ?? ''}"`;
  const nearest = nearestWord(key, names.known(path));
  const hint = nearest === undefined ? `; known are ${names.known(path).join(', ')}` : `; did you mean "${nearest}"?`;
  return `unknown element ${quoted(key)}${where}${hint}`;
}

function dataAt(data: YamlData, path: YamlPath): YamlData | undefined {
  let at: YamlData | undefined = data;
  for (const part of path) {
    if (at === null || at === undefined || typeof at === 'string') return undefined;
    if (Array.isArray(at)) at = typeof part === 'number' ? (at as readonly YamlData[])[part] : undefined;
    else at = typeof part === 'string' && Object.hasOwn(at, part) ? (at as Readonly<Record<string, YamlData>>)[part] : undefined;
  }
  return at;
}

function lastName(path: YamlPath): string | undefined {
  return path.findLast((part) => typeof part === 'string');
}

function placeOf(error: PlatformError): number {
  const { line, column } = error.details;
  return Number(line) * 1_000_000 + Number(column);
}
