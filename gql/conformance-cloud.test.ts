// One row for each rule of Cloud GQL, valid and not. Source of the rules: the GQL reference of Cloud Datastore.
import { describe, expect, it } from 'vitest';
import { type BindContext } from './bind.ts';
import {
  HOME,
  bound,
  CURSOR,
  cursor,
  filter,
  filtered,
  type Invalid,
  is,
  itConforms,
  keyOf,
  micros,
  named,
  positional,
  argument,
  refusal,
  timed,
  type Valid,
} from './conformance-fixture.ts';
import { parseGql } from './parse.ts';

const CLOUD: readonly Valid[] = [
  // Words
  ['keywords in any case', 'sElEcT * fRoM T', { entityKind: 'T' }],
  ['blanks of every kind', 'SELECT\t*\r\nFROM\fT \n', { entityKind: 'T' }],
  [
    'no blanks where signs part the words',
    "SELECT*FROM T WHERE a='x'AND b>=1",
    { filter: { kind: 'and', filters: [is('a', '=', 'x'), is('b', '>=', 1n)] } },
  ],
  ['names of letters, _, $ and digits', 'SELECT _a, $b, c9$_ FROM T', { projection: ['_a', '$b', 'c9$_'] }],
  ['names beyond ASCII', 'SELECT größe FROM Straße', { entityKind: 'Straße', projection: ['größe'] }],
  ['a quoted name that is a keyword', 'SELECT `count`, `In` FROM `Order`', { entityKind: 'Order', projection: ['count', 'In'] }],
  [
    'a quoted name with blanks and dots',
    'SELECT `first name`, `a.b` FROM `my kind`',
    { entityKind: 'my kind', projection: ['first name', 'a.b'] },
  ],
  ['a doubled backquote', 'SELECT * FROM `a``b`', { entityKind: 'a`b' }],
  ['escapes in a quoted name', 'SELECT * FROM `a\\n\\`\\\\`', { entityKind: 'a\n`\\' }],
  [
    'predefined names as names',
    'SELECT blob, datetime, first, key FROM Key',
    { entityKind: 'Key', projection: ['blob', 'datetime', 'first', 'key'] },
  ],
  [
    'words of functions as names',
    'SELECT array, project, namespace, over FROM T',
    { projection: ['array', 'project', 'namespace', 'over'] },
  ],
  // Strings
  ['a single-quoted string', filter(`a = 'x"y'`), filtered(is('a', '=', 'x"y'))],
  ['a double-quoted string', filter(`a = "x'y"`), filtered(is('a', '=', "x'y"))],
  ['a doubled single quote', filter(`a = 'it''s'`), filtered(is('a', '=', "it's"))],
  ['a doubled double quote', filter(`a = "x""y"`), filtered(is('a', '=', 'x"y'))],
  ['the empty string', filter(`a = ''`), filtered(is('a', '=', ''))],
  ...(
    [
      ['\\\\', '\\'],
      ['\\0', '\0'],
      ['\\b', '\b'],
      ['\\n', '\n'],
      ['\\r', '\r'],
      ['\\t', '\t'],
      ['\\Z', '\x1a'],
      ["\\'", "'"],
      ['\\"', '"'],
      ['\\`', '`'],
      ['\\%', '\\%'],
      ['\\_', '\\_'],
    ] as const
  ).map(([escape, meant]): Valid => [`the escape ${escape}`, filter(`a = 'x${escape}y'`), filtered(is('a', '=', `x${meant}y`))]),
  // Numbers
  ['an integer', filter('a = 42'), filtered(is('a', '=', 42n))],
  ['signs of integers', filter('a = -1 AND b = +1'), filtered({ kind: 'and', filters: [is('a', '=', -1n), is('b', '=', 1n)] })],
  ['the least integer', filter('a = -9223372036854775808'), filtered(is('a', '=', -(2n ** 63n)))],
  ['the greatest integer', filter('a = 9223372036854775807'), filtered(is('a', '=', 2n ** 63n - 1n))],
  ['a double, which is no integer', filter('a = 4.0'), filtered(is('a', '=', 4))],
  ['a double that ends in its point', filter('a = -3.'), filtered(is('a', '=', -3))],
  ['a double that begins with its point', filter('a = +.1'), filtered(is('a', '=', 0.1))],
  ['an exponent', filter('a = 314159e-5'), filtered(is('a', '=', 3.14159))],
  ['an exponent in capitals', filter('a = 6.022E+23'), filtered(is('a', '=', 6.022e23))],
  // Other values
  ['TRUE, FALSE and NULL in any case', filter('a IN ARRAY(TRUE, false, Null)'), filtered(is('a', 'in', [true, false, null]))],
  ['DATETIME in UTC', filter("a = DATETIME('2024-02-29T18:30:00Z')"), filtered(timed('a', '=', micros('2024-02-29T18:30:00Z')))],
  [
    'DATETIME with small letters',
    filter("a = DATETIME('2024-02-29t18:30:00z')"),
    filtered(timed('a', '=', micros('2024-02-29T18:30:00Z'))),
  ],
  [
    'DATETIME with an offset',
    filter("a = DATETIME('2024-02-29T18:30:00+02:30')"),
    filtered(timed('a', '=', micros('2024-02-29T16:00:00Z'))),
  ],
  [
    'DATETIME to the microsecond',
    filter("a = DATETIME('1970-01-01T00:00:00.000007Z')"),
    filtered(timed('a', '=', { kind: 'timestamp', micros: 7n })),
  ],
  [
    'DATETIME in the first year',
    filter("a = DATETIME('0001-01-01T00:00:00Z')"),
    filtered(timed('a', '=', { kind: 'timestamp', micros: -62_135_596_800_000_000n })),
  ],
  ['BLOB of base64url without padding', filter("a = BLOB('_-8')"), filtered(is('a', '=', new Uint8Array(Buffer.from([0xff, 0xef]))))],
  ['BLOB of nothing', filter("a = BLOB('')"), filtered(is('a', '=', new Uint8Array(Buffer.alloc(0))))],
  ['KEY with an id', filter('a = KEY(Book, 5)'), filtered(is('a', '=', keyOf('Book', 5n)))],
  ['KEY with names and parents', filter("a = key(Shelf, 'x', `Order`, 2)"), filtered(is('a', '=', keyOf('Shelf', 'x', 'Order', 2n)))],
  ['KEY with PROJECT', filter("a = KEY(PROJECT('p'), Book, 5)"), filtered(is('a', '=', { ...keyOf('Book', 5n), projectId: 'p' }))],
  ['KEY with NAMESPACE', filter("a = KEY(NAMESPACE(''), Book, 5)"), filtered(is('a', '=', { ...keyOf('Book', 5n), namespace: '' }))],
  [
    'KEY with both',
    filter("a = KEY(PROJECT('p'), NAMESPACE('n'), Book, 5)"),
    filtered(is('a', '=', { ...keyOf('Book', 5n), projectId: 'p', namespace: 'n' })),
  ],
  [
    'KEY of the kinds Project and Namespace',
    filter("a = KEY(Project, 5, Namespace, 'x')"),
    filtered(is('a', '=', keyOf('Project', 5n, 'Namespace', 'x'))),
  ],
  ['ARRAY of values of every kind', filter("a IN ARRAY(1, 'x', KEY(K, 1))"), filtered(is('a', 'in', [1n, 'x', keyOf('K', 1n)]))],
  // Selection
  ['everything', 'SELECT * FROM T', { entityKind: 'T', orders: [], offset: 0 }],
  ['no kind', 'SELECT *', { orders: [] }],
  ['keys', 'SELECT __key__ FROM T', { projection: ['__key__'] }],
  ['keys of all kinds', 'SELECT __key__', { projection: ['__key__'] }],
  ['a projection', 'SELECT a, b.c FROM T', { projection: ['a', 'b.c'] }],
  ['DISTINCT', 'SELECT DISTINCT a, b FROM T', { projection: ['a', 'b'], distinctOn: ['a', 'b'] }],
  ['DISTINCT ON', 'SELECT DISTINCT ON (a) a, b FROM T', { projection: ['a', 'b'], distinctOn: ['a'] }],
  ['DISTINCT ON everything', 'SELECT DISTINCT ON (a, b) * FROM T', { distinctOn: ['a', 'b'] }],
  ['a metadata kind', 'SELECT * FROM __kind__', { entityKind: '__kind__' }],
  [
    'the kind in front of a property',
    'SELECT T.a FROM T WHERE T.b = 1 ORDER BY T.c',
    { projection: ['a'], filter: is('b', '=', 1n), orders: [{ property: 'c', direction: 'asc' }] },
  ],
  ['the kind twice in front', 'SELECT T.T.a FROM T', { projection: ['T.a'] }],
  ['the kind alone, which is a property', 'SELECT T FROM T', { projection: ['T'] }],
  ['a quoted name that begins like the kind', 'SELECT `T.a` FROM T', { projection: ['T.a'] }],
  ['no kind to take away', 'SELECT * WHERE __key__ > KEY(T, 1)', { filter: is('__key__', '>', keyOf('T', 1n)) }],
  // Conditions
  ...(['=', '!=', '<', '<=', '>', '>='] as const).map((operator): Valid => [
    `the operator ${operator}`,
    filter(`a ${operator} 1`),
    filtered(is('a', operator, 1n)),
  ]),
  ...(
    [
      ['=', '='],
      ['!=', '!='],
      ['<', '>'],
      ['<=', '>='],
      ['>', '<'],
      ['>=', '<='],
    ] as const
  ).map(([written, meant]): Valid => [`the value on the left of ${written}`, filter(`1 ${written} a`), filtered(is('a', meant, 1n))]),
  ['CONTAINS', filter("a CONTAINS 'x'"), filtered(is('a', '=', 'x'))],
  ['a value IN a property', filter("'x' IN a"), filtered(is('a', '=', 'x'))],
  ['a property IN values', filter('a IN ARRAY(1, 2)'), filtered(is('a', 'in', [1n, 2n]))],
  ['NOT IN', filter('a NOT IN ARRAY(1)'), filtered(is('a', 'not-in', [1n]))],
  ['IS NULL', filter('a IS NULL'), filtered(is('a', '=', null))],
  ['= NULL', filter('a = NULL'), filtered(is('a', '=', null))],
  ['NULL = on the left', filter('NULL = a'), filtered(is('a', '=', null))],
  ['HAS ANCESTOR', filter('__key__ HAS ANCESTOR KEY(P, 1)'), filtered(is('__key__', 'has-ancestor', keyOf('P', 1n)))],
  ['HAS DESCENDANT', filter('KEY(P, 1) HAS DESCENDANT __key__'), filtered(is('__key__', 'has-ancestor', keyOf('P', 1n)))],
  [
    'AND before OR',
    filter('a = 1 OR b = 2 AND c = 3'),
    filtered({ kind: 'or', filters: [is('a', '=', 1n), { kind: 'and', filters: [is('b', '=', 2n), is('c', '=', 3n)] }] }),
  ],
  [
    'parentheses',
    filter('(a = 1 OR b = 2) AND c = 3'),
    filtered({ kind: 'and', filters: [{ kind: 'or', filters: [is('a', '=', 1n), is('b', '=', 2n)] }, is('c', '=', 3n)] }),
  ],
  ['a condition alone is not wrapped', filter('((a = 1))'), filtered(is('a', '=', 1n))],
  [
    'conditions on one array property',
    filter("t = 'x' AND t > 'y'"),
    filtered({ kind: 'and', filters: [is('t', '=', 'x'), is('t', '>', 'y')] }),
  ],
  // Order and window
  [
    'ORDER BY',
    'SELECT * FROM T ORDER BY a, b DESC, c ASC',
    {
      orders: [
        { property: 'a', direction: 'asc' },
        { property: 'b', direction: 'desc' },
        { property: 'c', direction: 'asc' },
      ],
    },
  ],
  ['ORDER BY keys', 'SELECT * FROM T ORDER BY __key__ DESC', { orders: [{ property: '__key__', direction: 'desc' }] }],
  ['LIMIT', 'SELECT * FROM T LIMIT 5', { limit: 5, offset: 0 }],
  ['LIMIT 0', 'SELECT * FROM T LIMIT 0', { limit: 0 }],
  ['LIMIT with a sign', 'SELECT * FROM T LIMIT +5', { limit: 5 }],
  ['LIMIT of an argument', 'SELECT * FROM T LIMIT @n', { limit: 5 }, named({ n: 5n })],
  ['LIMIT at a cursor', 'SELECT * FROM T LIMIT @c', { endCursor: CURSOR }, { named: { c: cursor } }],
  ['FIRST of a cursor and a number', 'SELECT * FROM T LIMIT FIRST(@c, 5)', { endCursor: CURSOR, limit: 5 }, { named: { c: cursor } }],
  ['FIRST the other way round', 'SELECT * FROM T LIMIT FIRST(5, @1)', { endCursor: CURSOR, limit: 5 }, { positional: [cursor] }],
  [
    'FIRST of two arguments',
    'SELECT * FROM T LIMIT FIRST(@1, @2)',
    { endCursor: CURSOR, limit: 6 },
    { positional: [argument(6n), cursor] },
  ],
  ['OFFSET', 'SELECT * FROM T OFFSET 5', { offset: 5 }],
  ['OFFSET at a cursor', 'SELECT * FROM T OFFSET @c', { startCursor: CURSOR, offset: 0 }, { named: { c: cursor } }],
  ['OFFSET behind a cursor', 'SELECT * FROM T OFFSET @c + 17', { startCursor: CURSOR, offset: 17 }, { named: { c: cursor } }],
  ['a signed number behind the plus', 'SELECT * FROM T OFFSET @c + +17', { startCursor: CURSOR, offset: 17 }, { named: { c: cursor } }],
  [
    'a plus without blanks before an argument',
    'SELECT * FROM T OFFSET @c+@n',
    { startCursor: CURSOR, offset: 3 },
    { named: { c: cursor, n: argument(3n) } },
  ],
  [
    'LIMIT and OFFSET',
    'SELECT * FROM T LIMIT @end OFFSET @start',
    { startCursor: CURSOR, endCursor: CURSOR },
    { named: { end: cursor, start: cursor } },
  ],
  // Aggregations
  ['COUNT', 'SELECT COUNT(*) FROM T WHERE a = 1', { aggregations: [{ kind: 'count', alias: 'property_1' }], filter: is('a', '=', 1n) }],
  ['COUNT with an alias', 'SELECT COUNT(*) AS `n n` FROM T', { aggregations: [{ kind: 'count', alias: 'n n' }] }],
  ['COUNT_UP_TO', 'SELECT COUNT_UP_TO(1000) FROM T', { aggregations: [{ kind: 'count', upTo: 1000n, alias: 'property_1' }] }],
  [
    'SUM and AVG',
    'SELECT SUM(T.a), AVG(b.c) AS mean FROM T',
    {
      aggregations: [
        { kind: 'sum', property: 'a', alias: 'property_1' },
        { kind: 'avg', property: 'b.c', alias: 'mean' },
      ],
    },
  ],
  [
    'names that count on',
    'SELECT COUNT(*), SUM(a) AS s, AVG(a) FROM T',
    { aggregations: [{ alias: 'property_1' }, { alias: 's' }, { alias: 'property_2' }] },
  ],
  [
    'AGGREGATE OVER',
    'AGGREGATE COUNT(*) AS n OVER (SELECT * FROM T ORDER BY a LIMIT 5 OFFSET 2)',
    { aggregations: [{ kind: 'count', alias: 'n' }], orders: [{ property: 'a', direction: 'asc' }], limit: 5, offset: 2 },
  ],
  [
    'AGGREGATE of several',
    'AGGREGATE COUNT_UP_TO(5), SUM(a) OVER (SELECT __key__ WHERE __key__ HAS ANCESTOR KEY(P, 1))',
    { aggregations: [{ upTo: 5n }, { kind: 'sum' }] },
  ],
  ['the alias over', 'AGGREGATE COUNT(*) AS over OVER (SELECT * FROM T)', { aggregations: [{ kind: 'count', alias: 'over' }] }],
  [
    'five aggregations',
    'SELECT COUNT(*) AS a, COUNT(*) AS b, COUNT(*) AS c, COUNT(*) AS d, COUNT(*) AS e FROM T',
    { aggregations: [{}, {}, {}, {}, {}] },
  ],
  // Arguments
  ['a named argument', filter('a = @x'), filtered(is('a', '=', 'v')), named({ x: 'v' })],
  ['names of _, $ and digits', filter('a = @_x$9'), filtered(is('a', '=', 'v')), named({ _x$9: 'v' })],
  ['a surplus named argument', filter('a = @x'), filtered(is('a', '=', 'v')), named({ x: 'v', y: 1n })],
  [
    'a positional argument, twice',
    filter('a = @1 AND b = @1'),
    filtered({ kind: 'and', filters: [is('a', '=', 1n), is('b', '=', 1n)] }),
    positional(1n),
  ],
  [
    'both in one statement',
    filter('a = @x AND b = @1'),
    filtered({ kind: 'and', filters: [is('a', '=', 'v'), is('b', '=', 2n)] }),
    { ...named({ x: 'v' }), ...positional(2n) },
  ],
  ['an array for IN', filter('a IN @list'), filtered(is('a', 'in', [1n, 2n])), named({ list: [1n, 2n] })],
  ['arguments in an array', filter('a IN ARRAY(@1, 5)'), filtered(is('a', 'in', [4n, 5n])), positional(4n)],
  [
    'a key as ancestor',
    filter('__key__ HAS ANCESTOR @k'),
    filtered(is('__key__', 'has-ancestor', keyOf('P', 1n))),
    named({ k: keyOf('P', 1n) }),
  ],
  ['an argument on the left', filter('@1 < a'), filtered(is('a', '>', 1n)), positional(1n)],
];

const CLOUD_INVALID: readonly Invalid[] = [
  ['a comment of two dashes', 'SELECT * FROM T -- all', 'GQL_SYNTAX', 'no comments'],
  ['a comment of a sharp', 'SELECT * FROM T # all', 'GQL_SYNTAX', 'no comments'],
  ['a comment in stars', 'SELECT /* all */ * FROM T', 'GQL_SYNTAX', 'no comments'],
  ['a closing semicolon', 'SELECT * FROM T;', 'GQL_SYNTAX', 'does not end in ";"'],
  ['a keyword as a kind', 'SELECT * FROM Order', 'GQL_SYNTAX', 'is a reserved word; as a name it is quoted: `Order`'],
  ...[
    'AGGREGATE',
    'all',
    'Any',
    'child',
    'Cursor',
    'div',
    'exists',
    'group',
    'having',
    'join',
    'like',
    'mod',
    'parent',
    'regexp',
    'rlike',
    'subset',
    'superset',
    'sum',
    'xor',
  ].map((word): Invalid => [`the reserved word ${word}`, `SELECT * FROM ${word}`, 'GQL_SYNTAX', 'reserved word']),
  ['an empty quoted name', 'SELECT * FROM ``', 'GQL_SYNTAX', 'cannot be empty'],
  ['a line break in a quoted name', 'SELECT * FROM `a\nb`', 'GQL_SYNTAX', 'not closed'],
  ['a line break in a string', filter("a = 'x\ny'"), 'GQL_SYNTAX', 'not closed'],
  ['an unknown escape', filter("a = 'x\\y'"), 'GQL_SYNTAX', 'no escape \\y'],
  ['an escape in the wrong case', filter("a = 'x\\z'"), 'GQL_SYNTAX', 'no escape \\z'],
  ['an integer beyond 64 bits', filter('a = 9223372036854775808'), 'GQL_SYNTAX', '64 bits'],
  ['a double beyond all', filter('a = 1e400'), 'GQL_SYNTAX', 'too large'],
  ['a number with a blank behind its sign', filter('a = - 1'), 'GQL_SYNTAX'],
  ['a glued plus, which is a sign', 'SELECT * FROM T OFFSET @c +17', 'GQL_SYNTAX', 'Put a space after the plus'],
  ['an argument of Python', filter('a = :1'), 'GQL_SYNTAX', 'written @1 or @name'],
  ['the argument 0', filter('a = @0'), 'GQL_SYNTAX', 'count from 1'],
  ['a reserved argument', filter('a = @__x__'), 'GQL_SYNTAX', 'reserved'],
  ['an argument in a key', filter('__key__ = KEY(T, @id)'), 'GQL_SYNTAX', 'Encountered "@id"'],
  ['an argument as a kind', 'SELECT * FROM @kind', 'GQL_SYNTAX', 'Encountered "@kind"'],
  ['NULL IS a property', filter('NULL IS a'), 'GQL_SYNTAX'],
  ['IS NOT NULL', filter('a IS NOT NULL'), 'GQL_SYNTAX', 'p != NULL'],
  ['two properties compared', filter('a = b'), 'GQL_SYNTAX'],
  ['an empty ARRAY', filter('a IN ARRAY()'), 'GQL_SYNTAX'],
  ['a list of Python', filter('a IN (1, 2)'), 'GQL_SYNTAX', 'ARRAY'],
  ['IN one value', filter('a IN 1'), 'GQL_SYNTAX', 'IN takes a list'],
  ['an array in an array', filter('a IN ARRAY(ARRAY(1))'), 'GQL_SYNTAX', 'cannot hold an array'],
  ['HAS ANCESTOR of a property', filter('a HAS ANCESTOR KEY(P, 1)'), 'GQL_SYNTAX', 'must be __key__'],
  ['HAS DESCENDANT of a property', filter('KEY(P, 1) HAS DESCENDANT a'), 'GQL_SYNTAX', 'must be __key__'],
  ['HAS ANCESTOR of no key', filter('__key__ HAS ANCESTOR 5'), 'GQL_SYNTAX', 'An ancestor is a key'],
  ['HAS ANCESTOR of an argument that is no key', filter('__key__ HAS ANCESTOR @1'), 'GQL_BIND', 'want "key"', positional(5n)],
  ['KEY without an id', filter('a = KEY(T)'), 'GQL_SYNTAX'],
  ['KEY with the id 0', filter('a = KEY(T, 0)'), 'GQL_SYNTAX', 'greater than 0'],
  ['KEY with an empty name', filter("a = KEY(T, '')"), 'GQL_SYNTAX', 'cannot be empty'],
  ['KEY with NAMESPACE before PROJECT', filter("a = KEY(NAMESPACE('n'), PROJECT('p'), T, 1)"), 'GQL_SYNTAX'],
  ['BLOB with padding', filter("a = BLOB('_-8=')"), 'GQL_SYNTAX', 'base64url'],
  ['BLOB of half a byte', filter("a = BLOB('a')"), 'GQL_SYNTAX', 'base64url'],
  ...[
    '2024-02-30T00:00:00Z',
    '2023-02-29T00:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T00:00:60Z',
    '2024-01-01T00:00:00+00:00',
    '2024-01-01T00:00:00-00:00',
    '2024-01-01T00:00:00',
    '2024-01-01',
    '2024-01-01 00:00:00Z',
    '2024-01-01T00:00:00.Z',
    '2024-01-01T00:00:00.1234567Z',
    '0000-01-01T00:00:00Z',
    '10000-01-01T00:00:00Z',
  ].map((text): Invalid => [`DATETIME of ${text}`, filter(`a = DATETIME('${text}')`), 'GQL_SYNTAX', 'RFC 3339']),
  ['DISTINCT everything', 'SELECT DISTINCT * FROM T', 'GQL_SYNTAX'],
  ['DISTINCT ON what is not selected', 'SELECT DISTINCT ON (a) b FROM T', 'GQL_SYNTAX', 'not selected'],
  ['everything and more', 'SELECT *, a FROM T', 'GQL_SYNTAX'],
  ['nothing selected', 'SELECT FROM T', 'GQL_SYNTAX', 'or write SELECT *'],
  ['GROUP BY', 'SELECT a FROM T GROUP BY a', 'GQL_SYNTAX', 'no GROUP BY'],
  ['clauses in the wrong order', 'SELECT * FROM T ORDER BY a WHERE a = 1', 'GQL_SYNTAX', 'Encountered "WHERE"'],
  ['LIMIT of a comma', 'SELECT * FROM T LIMIT 5, 10', 'GQL_SYNTAX'],
  ['a negative LIMIT', 'SELECT * FROM T LIMIT -1', 'GQL_SYNTAX', 'Limit must be non-negative'],
  ['a negative OFFSET', 'SELECT * FROM T OFFSET -1', 'GQL_SYNTAX', 'Offset must be non-negative'],
  ['a LIMIT beyond 32 bits', 'SELECT * FROM T LIMIT 2147483648', 'GQL_SYNTAX', 'at most'],
  ['a LIMIT of a string', 'SELECT * FROM T LIMIT @n', 'GQL_BIND', 'want "integer or cursor"', named({ n: '5' })],
  ['FIRST of two numbers', 'SELECT * FROM T LIMIT FIRST(1, 2)', 'GQL_SYNTAX', 'a cursor and an integer'],
  ['FIRST of two cursors', 'SELECT * FROM T LIMIT FIRST(@c, @c)', 'GQL_BIND', 'want "integer"', { named: { c: cursor } }],
  ['a number plus a number', 'SELECT * FROM T OFFSET 5 + 5', 'GQL_SYNTAX', 'is a cursor'],
  ['a cursor plus a cursor', 'SELECT * FROM T OFFSET @c + @c', 'GQL_BIND', 'want "integer"', { named: { c: cursor } }],
  ['a cursor as a value', filter('a = @c'), 'GQL_BIND', 'found "cursor"', { named: { c: cursor } }],
  ['six aggregations', 'SELECT COUNT(*), COUNT(*), COUNT(*), COUNT(*), COUNT(*), COUNT(*) FROM T', 'GQL_SYNTAX', 'at most 5'],
  ['an alias twice', 'SELECT COUNT(*) AS n, SUM(a) AS n FROM T', 'GQL_SYNTAX', 'used twice'],
  ['COUNT of a property', 'SELECT COUNT(a) FROM T', 'GQL_SYNTAX'],
  ['COUNT_UP_TO of an argument', 'SELECT COUNT_UP_TO(@n) FROM T', 'GQL_SYNTAX'],
  ['COUNT_UP_TO of less than nothing', 'SELECT COUNT_UP_TO(-1) FROM T', 'GQL_SYNTAX', 'not negative'],
  ['an order on a simple aggregation', 'SELECT COUNT(*) FROM T ORDER BY a', 'GQL_SYNTAX', 'AGGREGATE'],
  ['a limit on a simple aggregation', 'SELECT COUNT(*) FROM T LIMIT 5', 'GQL_SYNTAX', 'AGGREGATE'],
  ['an aggregation of an aggregation', 'AGGREGATE COUNT(*) OVER (SELECT COUNT(*) FROM T)', 'GQL_SYNTAX'],
  ['AGGREGATE without parentheses', 'AGGREGATE COUNT(*) OVER SELECT * FROM T', 'GQL_SYNTAX'],
  ['an absent named argument', filter('a = @x'), 'GQL_BIND', 'Absent named binding: x'],
  ['an absent positional argument', filter('a = @3'), 'GQL_BIND', 'Absent positional binding: 3', positional(1n)],
  ['a surplus positional argument', filter('a = @1'), 'GQL_BIND', 'Unused positional binding: 2', positional(1n, 2n)],
  ['ANCESTOR IS', filter('ANCESTOR IS @1'), 'GQL_SYNTAX', '__key__ HAS ANCESTOR'],
  ['a misspelt keyword', 'SELECT * FORM T', 'GQL_SYNTAX', 'Did you mean "FROM"?'],
  ...(
    [
      ['INSERT INTO T VALUES (1)', 'call insert'],
      ['UPSERT INTO T VALUES (1)', 'call put'],
      ['REPLACE INTO T VALUES (1)', 'call put'],
      ['MERGE INTO T', 'call put'],
      ['UPDATE T SET a = 1', 'call update'],
      ['DELETE FROM T', 'delete of the datastore SDK'],
      ['TRUNCATE TABLE T', 'delete of the datastore SDK'],
      ['CREATE INDEX i ON T (a)', 'index.yaml'],
      ['ALTER TABLE T ADD a', 'no schema'],
      ['DROP TABLE T', 'last entity'],
      ['BEGIN', 'begin a transaction'],
      ['COMMIT', 'transaction'],
      ['ROLLBACK', 'transaction'],
      ['EXPLAIN SELECT * FROM T', 'explain'],
      ['SHOW TABLES', '__kind__'],
      ['DESCRIBE T', '__property__'],
      ['GRANT ALL ON T', 'SELECT or AGGREGATE'],
      ['WITH x AS (SELECT 1) SELECT * FROM x', 'no subqueries'],
      ['SET a = 1', 'only reads'],
      ['CALL f()', 'only reads'],
    ] as const
  ).map(([text, words]): Invalid => [`what SQL has: ${text}`, text, 'GQL_SYNTAX', words]),
];

describe('Cloud GQL', () => {
  itConforms('cloud', CLOUD, CLOUD_INVALID);
});

describe('without leave to write values into the statement', () => {
  const strict: BindContext = { ...HOME, allowLiterals: false };

  it.each([
    ["'x'", "Disallowed literal: 'x'."],
    ['"x"', 'Disallowed literal: "x".'],
    ['5', 'Disallowed literal: 5.'],
    ['1.5', 'Disallowed literal: 1.5.'],
    ['TRUE', 'Disallowed literal: TRUE.'],
    ['NULL', 'Disallowed literal: NULL.'],
    ['KEY(T, 1)', 'Disallowed literal: KEY'],
    ["BLOB('')", 'Disallowed literal: BLOB'],
    ["DATETIME('2024-01-01T00:00:00Z')", 'Disallowed literal: DATETIME'],
  ])('Cloud GQL refuses %s', (literal, message) => {
    expect(refusal(filter(`a = ${literal}`), 'cloud', {}, strict).message).toContain(message);
  });

  it('refuses them in arrays, LIMIT and OFFSET too', () => {
    for (const text of [filter('a IN ARRAY(@1)'), 'SELECT * FROM T LIMIT 5', 'SELECT * FROM T OFFSET 5']) {
      expect(refusal(text, 'cloud', text.includes('@1') ? positional(1n) : {}, strict)).toMatchObject({
        code: 'GQL_SYNTAX',
        message: expect.stringContaining('Disallowed literal') as string,
      });
    }
  });

  it('takes arguments, and IS NULL, which is no value', () => {
    expect(bound(filter('a = @1'), 'cloud', positional('x'), strict)).toMatchObject(filtered(is('a', '=', 'x')));
    expect(bound(filter('a IS NULL'), 'cloud', {}, strict)).toMatchObject(filtered(is('a', '=', null)));
  });
});

describe('the dialect', () => {
  it.each([
    ['SELECT * FROM T', 'cloud'],
    [filter("a = 'x'"), 'cloud'],
    [filter('a = @x'), 'cloud'],
    [filter('a IN ARRAY(1)'), 'cloud'],
    [filter('a = :x'), 'python'],
    [filter('a IN (1)'), 'python'],
    [filter('ANCESTOR IS :1'), 'python'],
    [filter('a = DATE(2024, 1, 1)'), 'python'],
    ['SELECT * FROM T LIMIT 5, 10', 'python'],
    ['SELECT * FROM Order', 'python'],
    ['SELECT * FROM T;', 'python'],
  ])('of %s is %s, unless it is asked for', (text, dialect) => {
    expect(parseGql(text).dialect).toBe(dialect);
    expect(parseGql(text, { dialect: 'auto' }).dialect).toBe(dialect);
  });
});
