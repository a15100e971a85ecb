import { describe, expect, it } from 'vitest';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { parseGql, type ParseOptions } from './parse.ts';
import { formatGql } from './format.ts';

/** The tree without places. */
function treeOf(text: string, options: ParseOptions = {}): unknown {
  const drop = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(drop);
    if (typeof node !== 'object' || node === null) return node;
    return Object.fromEntries(
      Object.entries(node)
        .filter(([name]) => name !== 'at')
        .map(([name, value]) => [name, drop(value)]),
    );
  };
  return drop(parseGql(text, options).tree);
}

function errorOf(text: string, options: ParseOptions = {}): PlatformError {
  try {
    parseGql(text, options);
  } catch (thrown) {
    if (thrown instanceof PlatformError) return thrown;
    throw thrown;
  }
  throw new Error(`no error: ${text}`);
}

const messageOf = (text: string, options: ParseOptions = {}): string => errorOf(text, options).message.replace(/^[^:]*: /, '');

const canonical = (text: string, options: ParseOptions = {}): string => formatGql(parseGql(text, options));

describe('Cloud GQL', () => {
  const cloud = { dialect: 'cloud' } as const;

  it.each([
    ['select * from Task', 'SELECT * FROM Task'],
    ['SELECT *', 'SELECT *'],
    ['SELECT __key__ FROM Task', 'SELECT __key__ FROM Task'],
    ['SELECT a,b . c,Task.d FROM Task', 'SELECT a, b.c, Task.d FROM Task'],
    ['SELECT DISTINCT a, b FROM Task', 'SELECT DISTINCT a, b FROM Task'],
    ['SELECT DISTINCT ON (a) a, b FROM Task', 'SELECT DISTINCT ON (a) a, b FROM Task'],
    ['SELECT DISTINCT ON (a, b) * FROM Task', 'SELECT DISTINCT ON (a, b) * FROM Task'],
    ['SELECT * FROM `Order` WHERE `group` = 1', 'SELECT * FROM `Order` WHERE `group` = 1'],
    ['SELECT * FROM `a``b` WHERE `x\\ny` = 1', 'SELECT * FROM `a``b` WHERE `x\\ny` = 1'],
    ['SELECT * FROM T WHERE a = 1 AND b < 2.5 AND c >= @x', 'SELECT * FROM T WHERE a = 1 AND b < 2.5 AND c >= @x'],
    ['SELECT * FROM T WHERE a = 1 OR b = 2 AND c = 3', 'SELECT * FROM T WHERE a = 1 OR b = 2 AND c = 3'],
    ['SELECT * FROM T WHERE (a = 1 OR b = 2) AND ((c = 3))', 'SELECT * FROM T WHERE (a = 1 OR b = 2) AND c = 3'],
    ['SELECT * FROM T WHERE a IS NULL', 'SELECT * FROM T WHERE a IS NULL'],
    ['SELECT * FROM T WHERE a != TRUE AND b CONTAINS false', 'SELECT * FROM T WHERE a != TRUE AND b CONTAINS FALSE'],
    ['SELECT * FROM T WHERE a IN ARRAY(1, "x", @2)', "SELECT * FROM T WHERE a IN ARRAY(1, 'x', @2)"],
    ['SELECT * FROM T WHERE a NOT IN @list', 'SELECT * FROM T WHERE a NOT IN @list'],
    ['SELECT * FROM T WHERE 1 < a AND NULL = b AND @1 IN c', 'SELECT * FROM T WHERE 1 < a AND NULL = b AND @1 IN c'],
    [
      "SELECT * WHERE __key__ HAS ANCESTOR KEY(PROJECT('p'), NAMESPACE('n'), Book, 1, Page, 'x')",
      "SELECT * WHERE __key__ HAS ANCESTOR KEY(PROJECT('p'), NAMESPACE('n'), Book, 1, Page, 'x')",
    ],
    ['SELECT * WHERE key(A, 1) HAS DESCENDANT __key__', 'SELECT * WHERE KEY(A, 1) HAS DESCENDANT __key__'],
    ["SELECT * FROM T WHERE d > datetime('2024-01-01T00:00:00Z')", "SELECT * FROM T WHERE d > DATETIME('2024-01-01T00:00:00Z')"],
    ["SELECT * FROM T WHERE d = blob('aGk')", "SELECT * FROM T WHERE d = BLOB('aGk')"],
    ['SELECT * FROM T ORDER BY a, b DESC, c ASC', 'SELECT * FROM T ORDER BY a, b DESC, c'],
    ['SELECT * FROM T LIMIT 5 OFFSET 10', 'SELECT * FROM T LIMIT 5 OFFSET 10'],
    ['SELECT * FROM T LIMIT first(@c, 5)', 'SELECT * FROM T LIMIT FIRST(@c, 5)'],
    ['SELECT * FROM T OFFSET @c + 17', 'SELECT * FROM T OFFSET @c + 17'],
    ['SELECT * FROM T OFFSET @c + +17', 'SELECT * FROM T OFFSET @c + 17'],
    ['SELECT COUNT(*) FROM T WHERE a = 1', 'SELECT COUNT(*) FROM T WHERE a = 1'],
    ['SELECT COUNT_UP_TO(10) AS n, SUM(T.a), AVG(b) FROM T', 'SELECT COUNT_UP_TO(10) AS n, SUM(T.a), AVG(b) FROM T'],
    ['AGGREGATE COUNT(*) AS over OVER (SELECT * FROM T LIMIT 5)', 'AGGREGATE COUNT(*) AS over OVER (SELECT * FROM T LIMIT 5)'],
  ])('reads %s', (text, expected) => {
    expect(canonical(text, cloud)).toBe(expected);
  });

  it('lets predefined names be names', () => {
    expect(canonical('SELECT key, first, blob FROM Array WHERE datetime = 1 AND project = key(Namespace, 1)', cloud)).toBe(
      'SELECT key, first, blob FROM Array WHERE datetime = 1 AND project = KEY(Namespace, 1)',
    );
  });

  it('binds AND closer than OR, and keeps the parentheses that matter', () => {
    expect(treeOf('SELECT * WHERE a = 1 OR b = 2 AND c = 3')).toMatchObject({
      where: { kind: 'or', conditions: [{ property: { components: ['a'] } }, { kind: 'and', conditions: [{}, {}] }] },
    });
  });

  it.each([
    ["'it''s'", "it's"],
    ['"say ""hi"""', 'say "hi"'],
    ["'a\\\\b'", 'a\\b'],
    ["'\\0\\b\\n\\r\\t\\Z\\'\\\"\\`'", '\0\b\n\r\t\x1a\'"`'],
    ["'50\\% \\_x'", '50\\% \\_x'],
    ["'ünï 😀'", 'ünï 😀'],
    ["''", ''],
  ])('reads the string %s', (literal, value) => {
    expect(treeOf(`SELECT * WHERE a = ${literal}`, cloud)).toMatchObject({ where: { value: { kind: 'string', value } } });
  });

  it.each([
    ['7', 'integer', 7n],
    ['+7', 'integer', 7n],
    ['-9223372036854775808', 'integer', -(2n ** 63n)],
    ['9223372036854775807', 'integer', 2n ** 63n - 1n],
    ['0.0', 'double', 0],
    ['-0.0', 'double', -0],
    ['-3.', 'double', -3],
    ['+.1', 'double', 0.1],
    ['314159e-5', 'double', 3.14159],
    ['6.022E23', 'double', 6.022e23],
  ])('reads the number %s', (literal, kind, value) => {
    expect(treeOf(`SELECT * WHERE a = ${literal}`, cloud)).toMatchObject({ where: { value: { kind, value } } });
  });

  it('gives places in lines and characters', () => {
    const statement = parseGql('SELECT *\nFROM T WHERE `😀` = 1\r\n  AND b = @x');
    expect(statement.tree).toMatchObject({
      at: { line: 1, column: 1 },
      where: {
        conditions: [
          { property: { at: { line: 2, column: 14 } }, value: { at: { line: 2, column: 20 } } },
          { property: { at: { line: 3, column: 7 } }, value: { at: { line: 3, column: 11 } } },
        ],
      },
    });
  });

  it('freezes the whole tree', () => {
    const statement = parseGql('SELECT a FROM T WHERE a IN ARRAY(1, 2) ORDER BY b');
    const thawed: unknown[] = [];
    const visit = (node: unknown): void => {
      if (typeof node !== 'object' || node === null) return;
      if (!Object.isFrozen(node)) thawed.push(node);
      Object.values(node).forEach(visit);
    };
    visit(statement);
    expect(thawed).toEqual([]);
  });
});

describe('Python GQL', () => {
  const python = { dialect: 'python' } as const;

  it.each([
    ['select * from Task;', 'SELECT * FROM Task'],
    ['SELECT __key__ FROM Task', 'SELECT __key__ FROM Task'],
    ['SELECT DISTINCT a, b.c FROM Task', 'SELECT DISTINCT a, b.c FROM Task'],
    ['SELECT * FROM "Order" WHERE "a-b" = 1', 'SELECT * FROM "Order" WHERE "a-b" = 1'],
    ['SELECT * FROM "a""b"', 'SELECT * FROM "a""b"'],
    ['SELECT * FROM Order ORDER BY Limit LIMIT 5', 'SELECT * FROM "Order" ORDER BY "Limit" LIMIT 5'],
    ["SELECT * FROM T WHERE a = 'it''s' AND b != :1 AND c >= :name", "SELECT * FROM T WHERE a = 'it''s' AND b != :1 AND c >= :name"],
    ['SELECT * FROM T WHERE a = -1.50 AND b = NULL AND c = true', 'SELECT * FROM T WHERE a = -1.5 AND b = NULL AND c = TRUE'],
    ["SELECT * FROM T WHERE a IN (1, 'x', :1, DATE(2024, 1, 1))", "SELECT * FROM T WHERE a IN (1, 'x', :1, DATE(2024, 1, 1))"],
    ['SELECT * FROM T WHERE a IN :list AND b NOT IN (1)', 'SELECT * FROM T WHERE a IN :list AND b NOT IN (1)'],
    ['SELECT * FROM T WHERE ANCESTOR IS :1', 'SELECT * FROM T WHERE ANCESTOR IS :1'],
    ["SELECT * WHERE ancestor is key('A', 1)", "SELECT * WHERE ANCESTOR IS KEY('A', 1)"],
    ['SELECT * FROM T WHERE a = GEOPT(1.5, :lng) AND b = USER(:1)', 'SELECT * FROM T WHERE a = GEOPT(1.5, :lng) AND b = USER(:1)'],
    ['SELECT * FROM T ORDER BY a DESC, b LIMIT 10, 5', 'SELECT * FROM T ORDER BY a DESC, b LIMIT 5 OFFSET 10'],
    ['SELECT * FROM T LIMIT 5 OFFSET 10 HINT order_first ;', 'SELECT * FROM T LIMIT 5 OFFSET 10 HINT ORDER_FIRST'],
    ['SELECT * FROM T OFFSET 10', 'SELECT * FROM T OFFSET 10'],
    ['SELECT * FROM Straße WHERE größe = 1', 'SELECT * FROM "Straße" WHERE "größe" = 1'],
  ])('reads %s', (text, expected) => {
    expect(canonical(text, python)).toBe(expected);
  });

  it.each([
    'SELECT * FROM T WHERE a = 1 OR b = 2',
    'SELECT * FROM T LIMIT 1, 2 OFFSET 3',
    'SELECT * FROM T WHERE a = "x"',
    'SELECT * FROM T WHERE a = @1',
    'SELECT * FROM T WHERE a = 1e5',
    'SELECT * FROM T WHERE a = +1',
    'SELECT * FROM T WHERE a = :0',
    'SELECT * FROM T WHERE a IN ()',
    'SELECT a . b FROM T',
    'SELECT COUNT(*) FROM T',
    'SELECT DISTINCT * FROM T',
    'SELECT * FROM T; SELECT * FROM T',
  ])('refuses %s', (text) => {
    expect(errorOf(text, python).code).toBe('GQL_SYNTAX');
  });
});

describe('choice of dialect', () => {
  it('prefers Cloud GQL and falls back to what only Python GQL can mean', () => {
    expect(parseGql('SELECT * FROM T').dialect).toBe('cloud');
    expect(parseGql('SELECT * FROM T WHERE ANCESTOR IS :1').dialect).toBe('python');
    expect(parseGql('SELECT * FROM T LIMIT 5, 10').dialect).toBe('python');
    expect(errorOf('SELECT * FROM T WHERE ANCESTOR IS :1', { dialect: 'cloud' }).code).toBe('GQL_SYNTAX');
  });

  it('explains the dialect that understood more', () => {
    expect(messageOf('SELECT * FROM T WHERE ANCESTOR IS :1 ODER BY x')).toContain('Encountered "ODER" at line 1, column 38.');
    expect(messageOf('SELECT DISTINCT ON (a) a FROM T ODER BY x')).toContain('Encountered "ODER" at line 1, column 33.');
  });
});

describe('errors', () => {
  it.each([
    [
      'SELCT * FROM Task',
      `Encountered "SELCT" at line 1, column 1. Was expecting one of: "SELECT", "AGGREGATE". Did you mean "SELECT"?
  SELCT * FROM Task
  ^`,
    ],
    [
      'SELECT *\nFROM Task WEHRE done = TRUE',
      `Encountered "WEHRE" at line 2, column 11. Was expecting one of: <EOF>, "WHERE", "ORDER", "LIMIT", "OFFSET". Did you mean "WHERE"?
  FROM Task WEHRE done = TRUE
            ^`,
    ],
    [
      'SELECT * FROM Order ORDER BY x',
      `Encountered "Order" at line 1, column 15. Was expecting one of: <UNQUOTED_NAME>, <QUOTED_NAME>. ORDER is a reserved word; as a name it is quoted: \`Order\`.
  SELECT * FROM Order ORDER BY x
                ^`,
    ],
    [
      'SELECT * WHERE __key__ = KEY(Task, @id)',
      `Encountered "@id" at line 1, column 36. Was expecting one of: <INTEGER>, <SINGLE_QUOTE_STRING>, <DOUBLE_QUOTE_STRING>.
  SELECT * WHERE __key__ = KEY(Task, @id)
                                     ^`,
    ],
    [
      'SELECT * FROM T WHERE a =',
      `Encountered "<EOF>" at line 1, column 26. Was expecting one of: "ARRAY", "BLOB", "DATETIME", "TRUE", "FALSE", "NULL", "KEY", <BINDING>, <SINGLE_QUOTE_STRING>, <DOUBLE_QUOTE_STRING>, <DOUBLE>, <INTEGER>.
  SELECT * FROM T WHERE a =
                           ^`,
    ],
    [
      'SELECT * FROM T OFFSET @c +17',
      `Encountered "+17" at line 1, column 27. Was expecting one of: <EOF>, "+". Put a space after the plus: + 17.
  SELECT * FROM T OFFSET @c +17
                            ^`,
    ],
    [
      "SELECT * FROM T WHERE a = 'x\\q'",
      `There is no escape \\q; write \\\\ for a backslash. At line 1, column 29:
  SELECT * FROM T WHERE a = 'x\\q'
                              ^`,
    ],
    [
      'SELECT * FROM T WHERE a = "x',
      `The string that starts here is not closed. At line 1, column 27:
  SELECT * FROM T WHERE a = "x
                            ^`,
    ],
    [
      'DELETE FROM Task',
      `Encountered "DELETE" at line 1, column 1. Was expecting one of: "SELECT", "AGGREGATE". GQL only reads; SELECT __key__ finds the keys, and delete of the datastore SDK removes their entities.
  DELETE FROM Task
  ^`,
    ],
  ])('of %s', (text, message) => {
    expect(messageOf(text, { dialect: 'cloud' })).toBe(message);
  });

  it.each([
    ['SELECT FROM T', 'Name the properties to read, or write SELECT *.'],
    ['SELECT * FROM T WHERE a == 1', 'Equality is written with one =.'],
    ['SELECT * FROM T WHERE a <> 1', 'Inequality is written !=.'],
    ['SELECT * FROM T WHERE a IS NOT NULL', 'For "is not null" write p != NULL.'],
    ['SELECT * FROM T WHERE a LIKE 1', 'GQL has no LIKE'],
    ['SELECT * FROM T GROUP BY a', 'GQL has no GROUP BY'],
    ['SELECT * FROM T;', 'does not end in ";"'],
    ['SELECT * FROM T WHERE a = :1', 'written @1 or @name'],
    ['SELECT * FROM T WHERE a = @0', 'count from 1'],
    ['SELECT * FROM T WHERE a = @__x__', 'reserved'],
    ['SELECT * FROM T WHERE a = 9223372036854775808', 'does not fit 64 bits'],
    ['SELECT * FROM T WHERE a = 1e999', 'too large for a double'],
    ['SELECT * FROM ``', 'cannot be empty'],
    ['SELECT * FROM `a', 'The name that starts here is not closed.'],
    ['SELECT\u00a0* FROM T', 'U+00A0'],
    ['SELECT * FROM T WHERE a = "\ud800"', 'not valid Unicode'],
    ['INSERT INTO T VALUES (1)', 'call insert'],
    ['UPDATE T SET a = 1', 'call update'],
    ['CREATE TABLE t', 'index.yaml'],
    ['SELECT * FROM T LIMIT ?', 'no meaning'],
  ])('help with %s', (text, hint) => {
    expect(messageOf(text, { dialect: 'cloud' })).toContain(hint);
  });

  it('carry line and column for programs', () => {
    const error = errorOf('SELECT *\n  FORM T');
    expect(error).toMatchObject({ code: 'GQL_SYNTAX', details: { line: 2, column: 3 } });
  });

  it('show only the part of a long line that matters', () => {
    const lines = messageOf(`SELECT ${'abcdefgh, '.repeat(40)}? ${'x'.repeat(300)}`).split('\n');
    expect(lines).toHaveLength(3);
    const [, shown = '', caret = ''] = lines;
    expect(shown.length).toBeLessThan(110);
    expect(shown[caret.indexOf('^')]).toBe('?');
  });

  it('keep the caret in place under tabs and control characters', () => {
    const [, shown = '', caret = ''] = messageOf('SELECT *\t\tFROM T\x07WHERE').split('\n');
    expect(shown).toBe('  SELECT *  FROM T·WHERE');
    expect(caret.indexOf('^')).toBe(shown.indexOf('·'));
  });

  it.each(['', '  \n ', ';'])('refuse the empty statement %j', (text) => {
    expect(errorOf(text).code).toBe('GQL_SYNTAX');
  });

  it.each([
    'SELECT * FROM T WHERE NULL IS a',
    'SELECT * FROM T WHERE a IN ARRAY()',
    'SELECT * FROM T LIMIT 5 LIMIT 6',
    'SELECT * FROM T OFFSET 1 LIMIT 2',
    'SELECT COUNT(*) FROM T LIMIT 5',
    'SELECT *, a FROM T',
    'SELECT COUNT FROM T',
    'SELECT a FROM T HINT ORDER_FIRST',
    'SELECT ſELECT FROM',
    'AGGREGATE COUNT(*) OVER SELECT * FROM T',
    'SELECT * FROM T WHERE ((a = 1)',
    'SELECT * FROM T WHERE a',
  ])('refuse %s', (text) => {
    expect(errorOf(text, { dialect: 'cloud' }).code).toBe('GQL_SYNTAX');
  });
});

describe('limits', () => {
  type Filled = (bytes: number) => string;
  const fill =
    (head: string, body: string, foot = ''): Filled =>
    (bytes) =>
      head + body.repeat(Math.floor((bytes - head.length - foot.length) / body.length)) + foot;

  it('count bytes, not characters', () => {
    const longest = `SELECT * FROM T WHERE a = '${'é'.repeat((LIMITS.gqlStatementBytesMax - 28) / 2)}'`;
    expect(Buffer.byteLength(longest)).toBe(LIMITS.gqlStatementBytesMax);
    expect(parseGql(longest).dialect).toBe('cloud');
    expect(errorOf(`${longest} `)).toMatchObject({ code: 'GQL_TOO_LARGE' });
  });

  it('bound nested parentheses', () => {
    const nested = (depth: number): string => `SELECT * WHERE ${'('.repeat(depth)}a = 1${')'.repeat(depth)}`;
    expect(treeOf(nested(LIMITS.gqlDepthMax))).toEqual(treeOf('SELECT * WHERE a = 1'));
    expect(errorOf(nested(LIMITS.gqlDepthMax + 1))).toMatchObject({ code: 'GQL_TOO_LARGE', details: { line: 1, column: 36 } });
  });

  it('bound the number of words', () => {
    const names = (count: number): string => `SELECT a${',a'.repeat(count - 1)} FROM`;
    expect(parseGql(`${names(999)} T`).tree.kind).toBe('select');
    expect(errorOf(`${names(1000)} T`)).toMatchObject({ code: 'GQL_TOO_LARGE', details: { line: 1, column: 2008 } });
  });

  // As many words, and as many bytes, as a statement may have: a parser that is worse than linear would take minutes.
  it.each([
    ['a list of names', fill('SELECT a', ',a')],
    ['a path', fill('SELECT a', '.a')],
    ['conditions', fill('SELECT * WHERE a=1', ' AND a=1 OR a=1')],
    ['orders', fill('SELECT * ORDER BY a', ',a')],
    ['an array', fill('SELECT * WHERE a IN ARRAY(1', ',1', ')')],
    ['a key', fill('SELECT * WHERE a=KEY(a,1', ',a,1', ')')],
    ['a deep disjunction', fill(`SELECT * WHERE ${'('.repeat(19)}`, '(a=1)OR', `a=1${')'.repeat(19)}`)],
    ['parentheses', fill('SELECT * WHERE ', '(')],
    ['closing parentheses', fill('SELECT * WHERE a=1', ')')],
    ['nested arrays', fill('SELECT * WHERE a=', 'ARRAY(')],
    ['aggregations', fill('SELECT COUNT(*)', ',COUNT(*)')],
    ['blanks', fill('SELECT', ' ')],
    ['line breaks', fill('SELECT *', '\n', 'x')],
    ['quotes', fill('SELECT * WHERE a=', "'")],
    ['escapes', fill("SELECT * WHERE a='", '\\')],
    ['backquotes', fill('SELECT ', '`a')],
    ['signs', fill('SELECT * OFFSET @a', '+')],
    ['digits', fill('SELECT * LIMIT ', '9')],
    ['keywords', fill('', 'SELECT ')],
    ['a Python list', fill('SELECT * WHERE a IN (1', ',1', ')')],
    ['Python conditions', fill('SELECT * WHERE ANCESTOR IS :1', ' AND a=1')],
    ['Python reserved words', fill('SELECT Order', ',Order')],
    ['Python quotes', fill('SELECT ', '"a')],
    ['a dotted Python word', fill('SELECT * WHERE ANCESTOR IS :1 AND a', '.a', ' x')],
  ])('let no statement run away: %s', (_, filled) => {
    for (const bytes of [2 * LIMITS.gqlTokensMax - 50, LIMITS.gqlStatementBytesMax]) {
      try {
        parseGql(filled(bytes));
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(PlatformError);
      }
    }
  });
});
