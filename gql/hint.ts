// What a person probably meant by a statement that cannot be read. Each hint is one sentence on how to mend it.
import { type GqlDialect } from './ast.ts';
import { type Token } from './token.ts';

const WRITES: Readonly<Record<string, string>> = {
  INSERT: 'GQL only reads; to write, call insert of the datastore SDK.',
  UPSERT: 'GQL only reads; to write, call put of the datastore SDK.',
  REPLACE: 'GQL only reads; to write, call put of the datastore SDK.',
  MERGE: 'GQL only reads; to write, call put of the datastore SDK.',
  UPDATE: 'GQL only reads; to write, call update of the datastore SDK.',
  DELETE: 'GQL only reads; SELECT __key__ finds the keys, and delete of the datastore SDK removes their entities.',
  TRUNCATE: 'GQL only reads; SELECT __key__ finds the keys, and delete of the datastore SDK removes their entities.',
  CREATE: 'GQL only reads; a kind exists as soon as an entity of it is saved, and indexes are declared in index.yaml.',
  ALTER: 'GQL only reads; kinds have no schema to alter, and indexes are declared in index.yaml.',
  DROP: 'GQL only reads; a kind is gone with its last entity, and indexes are declared in index.yaml.',
  BEGIN: 'GQL only reads; begin a transaction with the datastore SDK.',
  START: 'GQL only reads; begin a transaction with the datastore SDK.',
  COMMIT: 'GQL only reads; a transaction is committed with the datastore SDK.',
  ROLLBACK: 'GQL only reads; a transaction is given up with the datastore SDK.',
  GRANT: 'A statement starts with SELECT or AGGREGATE; who may do what is set with the roles of the app.',
  REVOKE: 'A statement starts with SELECT or AGGREGATE; who may do what is set with the roles of the app.',
  SET: 'GQL only reads; it has no variables, and values are passed as arguments.',
  CALL: 'GQL only reads; it has no procedures.',
  SHOW: 'For the kinds write SELECT __key__ FROM __kind__, for the namespaces SELECT __key__ FROM __namespace__.',
  DESC: "For the properties of a kind write SELECT * FROM __property__ WHERE __key__ HAS ANCESTOR KEY(__kind__, 'Kind').",
  DESCRIBE: "For the properties of a kind write SELECT * FROM __property__ WHERE __key__ HAS ANCESTOR KEY(__kind__, 'Kind').",
  WITH: 'A statement starts with SELECT or AGGREGATE; GQL has no subqueries.',
  EXPLAIN: 'A statement starts with SELECT or AGGREGATE; ask for the plan with the explain option of the call.',
};

const FOREIGN_WORDS: Readonly<Record<string, string>> = {
  BETWEEN: 'GQL has no BETWEEN; write p >= low AND p <= high.',
  LIKE: "GQL has no LIKE; for a prefix write p >= 'ab' AND p < 'ac'.",
  REGEXP: 'GQL matches no patterns; filter the results in your code.',
  RLIKE: 'GQL matches no patterns; filter the results in your code.',
  JOIN: 'GQL reads one kind at a time; fetch the others by key.',
  GROUP: 'GQL has no GROUP BY; SELECT DISTINCT ON (p) … gives the first entity of each group.',
  HAVING: 'GQL has no HAVING; put the condition into WHERE.',
  EXISTS: 'GQL has no subqueries.',
};

/** A sentence that helps with the token that could not be read, or none. `expected` are the labels of what could stand there. */
export function hintFor(found: Token, before: Token | undefined, expected: readonly string[], dialect: GqlDialect): string | undefined {
  if (before === undefined && Object.hasOwn(WRITES, found.text)) return WRITES[found.text];
  return (
    invisibleCharacter(found) ??
    strayOperator(found, before, expected) ??
    otherForm(found, expected, dialect) ??
    misspelling(found, expected) ??
    reservedName(found, before, expected, dialect) ??
    (Object.hasOwn(FOREIGN_WORDS, found.text) ? FOREIGN_WORDS[found.text] : undefined)
  );
}

function strayOperator(found: Token, before: Token | undefined, expected: readonly string[]): string | undefined {
  if (found.type === 'integer' && found.text.startsWith('+') && expected.includes('"+"')) {
    return `Put a space after the plus: + ${found.text.slice(1)}.`;
  }
  if (found.text === '=' && before?.text === '=' && before.at.end === found.at.start) return 'Equality is written with one =.';
  if (found.text === '>' && before?.text === '<') return 'Inequality is written !=.';
  if (found.text === 'NOT' && before?.text === 'IS') return 'For "is not null" write p != NULL.';
  return undefined;
}

/** What has its own way to be written here. */
function otherForm({ text }: Token, expected: readonly string[], dialect: GqlDialect): string | undefined {
  if (dialect === 'python') {
    if (text === 'OR' && expected.includes('"AND"')) return 'The Python dialect has no OR: write IN, or a statement of Cloud GQL.';
    return undefined;
  }
  if (text === 'ANCESTOR' && expected.includes('<UNQUOTED_NAME>'))
    return 'Descendants of a key are asked for by __key__ HAS ANCESTOR KEY(…).';
  const isAggregation = !expected.includes('"LIMIT"') && ['"FROM"', '"WHERE"', '"AND"'].some((label) => expected.includes(label));
  if (isAggregation && ['ORDER', 'LIMIT', 'OFFSET'].includes(text)) return `With ${text} write AGGREGATE … OVER (SELECT …).`;
  return undefined;
}

function misspelling(found: Token, expected: readonly string[]): string | undefined {
  if (found.type !== 'name' && found.type !== 'keyword') return undefined;
  const distanceMax = found.text.length <= 4 ? 1 : 2;
  let best: { readonly word: string; readonly distance: number } | undefined;
  for (const label of expected) {
    const word = /^"([A-Z_]+)"$/.exec(label)?.[1];
    // Two-letter words resemble anything.
    if (word === undefined || word.length < 2 || Math.abs(word.length - found.text.length) > distanceMax) continue;
    const distance = editDistance(found.text, word);
    if (distance <= distanceMax && distance < word.length - 1 && distance < (best?.distance ?? Infinity)) best = { word, distance };
  }
  return best && `Did you mean "${best.word}"?`;
}

function reservedName(found: Token, before: Token | undefined, expected: readonly string[], dialect: GqlDialect): string | undefined {
  if (found.type !== 'keyword' || !expected.includes('<UNQUOTED_NAME>')) return undefined;
  if (found.text === 'FROM' && before?.text === 'SELECT') return 'Name the properties to read, or write SELECT *.';
  const quote = dialect === 'cloud' ? '`' : '"';
  return `${found.text} is a reserved word; as a name it is quoted: ${quote}${String(found.value)}${quote}.`;
}

function invisibleCharacter(found: Token): string | undefined {
  const [invisible] = /[\u00a0\u2000-\u200d\u202f\u2060\u3000\ufeff]/.exec(found.text) ?? [];
  if (invisible === undefined || found.type !== 'name') return undefined;
  return `It holds the invisible character U+${invisible.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}; type a plain space instead.`;
}

/** Insertions, removals, changes and swaps of neighbours from one word to the other. */
function editDistance(from: string, to: string): number {
  const rows: number[][] = [];
  const cell = (row: number, column: number): number => rows[row]?.[column] ?? 0;
  for (let row = 0; row <= from.length; row += 1) {
    const line: number[] = [];
    rows.push(line);
    for (let column = 0; column <= to.length; column += 1) {
      if (row === 0 || column === 0) {
        line.push(row + column);
        continue;
      }
      const same = from[row - 1] === to[column - 1];
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const distance = Math.min(cell(row - 1, column) + 1, (line[column - 1] ?? 0) + 1, cell(row - 1, column - 1) + (same ? 0 : 1));
      line.push(row > 1 && column > 1 && swapped ? Math.min(distance, cell(row - 2, column - 2) + 1) : distance);
    }
  }
  return cell(from.length, to.length);
}
