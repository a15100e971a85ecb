// Random GQL: statements that follow the grammar of either dialect, the same with mistakes, and text that only looks like it.
import { type Random } from '../../sdk/support/clock.ts';

export class StatementMaker {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Any text: most of it nearly a statement. */
  next(): string {
    const dice = this.#random.fraction();
    if (dice < 0.4) return this.statement();
    if (dice < 0.75) return this.#withMistakes(this.statement());
    if (dice < 0.9) return this.#withStrangeCharacters(this.statement());
    if (dice < 0.995) return this.#soup();
    return this.#vast();
  }

  /** One that follows the grammar, if not always its meaning. */
  statement(): string {
    return this.#chance(0.6) ? this.#cloud() : this.#python();
  }

  // ── Cloud ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #cloud(): string {
    if (this.#chance(0.8)) return this.#select();
    const functions = this.#list(3, () => {
      const name = this.#pick(['COUNT(*)', `COUNT_UP_TO(${this.#integer()})`, `SUM(${this.#property()})`, `avg ( ${this.#property()} )`]);
      return this.#chance(0.4) ? `${name} AS ${this.#name()}` : name;
    });
    if (this.#chance(0.5)) return `AGGREGATE ${functions} OVER (${this.#select()})`;
    return `SELECT ${functions}${this.#from()}${this.#where()}`;
  }

  #select(): string {
    const properties = (): string => this.#list(3, () => this.#property());
    const selection = this.#pick([
      '*',
      '*',
      '__key__',
      properties(),
      `DISTINCT ${properties()}`,
      `DISTINCT ON (${properties()}) ${this.#chance(0.5) ? '*' : properties()}`,
    ]);
    const order = this.#maybe(
      0.4,
      () => ` ORDER BY ${this.#list(3, () => `${this.#property()}${this.#pick(['', '', ' ASC', ' DESC', ' desc'])}`)}`,
    );
    const position = (): string => this.#pick([this.#cloudBinding(), String(this.#count(50)), '@c']);
    const limit = this.#maybe(0.4, () => ` LIMIT ${this.#chance(0.7) ? position() : `FIRST(${position()}, ${position()})`}`);
    const offset = this.#maybe(0.3, () => ` OFFSET ${position()}${this.#maybe(0.3, () => ` + ${position()}`)}`);
    return `${this.#pick(['SELECT', 'select', 'Select'])} ${selection}${this.#from()}${this.#where()}${order}${limit}${offset}`;
  }

  #from(): string {
    return this.#maybe(0.9, () => ` FROM ${this.#name()}`);
  }

  #where(): string {
    return this.#maybe(0.7, () => ` WHERE ${this.#condition(4)}`);
  }

  #condition(depth: number): string {
    if (depth > 0 && this.#chance(0.35)) {
      const parts = Array.from({ length: 2 + this.#count(3) }, () => this.#condition(depth - 1));
      const joined = parts.join(this.#pick([' AND ', ' OR ', ' and ']));
      return this.#chance(0.6) ? `(${joined})` : joined;
    }
    const comparator = this.#pick(['=', '!=', '<', '<=', '>', '>=']);
    return this.#make([
      () => `${this.#property()} ${comparator} ${this.#cloudValue()}`,
      () => `${this.#cloudValue()} ${comparator} ${this.#property()}`,
      () => `${this.#property()}${comparator}${this.#cloudValue()}`,
      () => `${this.#property()} IS NULL`,
      () => `${this.#property()} CONTAINS ${this.#cloudValue()}`,
      () => `${this.#property()} IN ${this.#array()}`,
      () => `${this.#property()} NOT IN ${this.#array()}`,
      () => `${this.#cloudValue()} IN ${this.#property()}`,
      () => `__key__ HAS ANCESTOR ${this.#chance(0.5) ? this.#key() : '@k'}`,
      () => `${this.#key()} HAS DESCENDANT __key__`,
    ]);
  }

  #array(): string {
    return this.#chance(0.3) ? this.#pick(['@list', '@1']) : `ARRAY(${this.#list(4, () => this.#cloudValue())})`;
  }

  #key(): string {
    const project = this.#maybe(0.2, () => `PROJECT(${this.#cloudString()}), `);
    const namespace = this.#maybe(0.2, () => `NAMESPACE(${this.#cloudString()}), `);
    const path = this.#list(3, () => `${this.#name()}, ${this.#chance(0.5) ? this.#integer() : this.#cloudString()}`);
    return `KEY(${project}${namespace}${path})`;
  }

  #cloudValue(): string {
    return this.#make([
      () => this.#integer(),
      () => this.#double(),
      () => this.#cloudString(),
      () => this.#cloudString(),
      () => this.#cloudBinding(),
      () => this.#cloudBinding(),
      () => this.#pick(['TRUE', 'false', 'NULL', 'Null']),
      () => this.#key(),
      () => `BLOB('${this.#pick(['', 'aGk', '_-8', '====', 'a'])}')`,
      () =>
        `DATETIME('${this.#pick(['2024-02-29T18:30:00Z', '0001-01-01T00:00:00.000001z', '2023-02-29T00:00:00Z', '9999-12-31T23:59:59-23:59', 'x'])}')`,
    ]);
  }

  #cloudBinding(): string {
    return this.#pick(['@1', '@2', '@3', '@x', '@k', '@list', '@x', '@n$9']);
  }

  #cloudString(): string {
    const quote = this.#pick(["'", '"']);
    const body = Array.from({ length: this.#count(6) }, () =>
      this.#pick([
        'a',
        'B',
        ' ',
        '😀',
        'é',
        '\u0000',
        '\\n',
        '\\0',
        '\\Z',
        '\\%',
        '\\\\',
        quote + quote,
        quote === '"' ? "'" : '"',
        '\u200d',
        '\u202e',
      ]),
    );
    return quote + body.join('') + quote;
  }

  #property(): string {
    return this.#chance(0.2) ? `${this.#name()}.${this.#name()}` : this.#name();
  }

  #name(): string {
    return this.#pick([...NAMES, '`Order`', '`a``b`', '`x y`', '`\\n`']);
  }

  // ── Python ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #python(): string {
    const properties = (): string => this.#list(3, () => this.#pythonName());
    const selection = this.#pick(['*', '*', '__key__', properties(), `DISTINCT ${properties()}`]);
    const from = this.#maybe(0.9, () => ` FROM ${this.#pythonName()}`);
    const conditions = Array.from({ length: this.#count(4) }, () => this.#pythonCondition());
    const where = conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : '';
    const order = this.#maybe(0.4, () => ` ORDER BY ${this.#list(2, () => `${this.#pythonName()}${this.#pick(['', ' ASC', ' DESC'])}`)}`);
    const window = this.#pick(['', '', ' LIMIT 5', ' LIMIT 5, 10', ' LIMIT 5 OFFSET 3', ' OFFSET 9']);
    const hint = this.#maybe(0.1, () => ` HINT ${this.#pick(['ORDER_FIRST', 'FILTER_FIRST', 'ancestor_first'])}`);
    return `SELECT ${selection}${from}${where}${order}${window}${hint}${this.#maybe(0.2, () => ';')}`;
  }

  #pythonCondition(): string {
    const comparator = this.#pick(['=', '!=', '<', '<=', '>', '>=']);
    return this.#make([
      () => `${this.#pythonName()} ${comparator} ${this.#pythonValue()}`,
      () => `${this.#pythonName()}${comparator}${this.#pythonValue()}`,
      () =>
        `${this.#pythonName()} ${this.#pick(['IN', 'NOT IN', 'in'])} ${this.#chance(0.3) ? ':list' : `(${this.#list(4, () => this.#pythonValue())})`}`,
      () => `ANCESTOR IS ${this.#pick([':1', ':k', "KEY('P', 1)", "KEY('agNhcHByBwsSAVQYBQw')"])}`,
    ]);
  }

  #pythonValue(): string {
    return this.#make([
      () => this.#integer().replace('+', ''),
      () => this.#pick(['1.5', '-0.25', '00.10']),
      () => this.#pick(["'x'", "'it''s'", "''", "'😀\\n'", "'\u0000'"]),
      () => this.#pick([':1', ':2', ':x', ':list', ':k']),
      () => this.#pick(['TRUE', 'false', 'NULL']),
      () =>
        this.#pick([
          'DATE(2024, 2, 29)',
          "DATE('2023-02-29')",
          "DATETIME('2024-02-29 18:30:05')",
          'DATETIME(2024, 2, 29, 25)',
          'TIME(18, 30)',
          'TIME()',
        ]),
      () => this.#pick(['GEOPT(52.5, -13)', "GEOPT('91,0')", "USER('ann@example.com')", "KEY('T', :1)", "KEY('T')", "KEY('????')"]),
    ]);
  }

  #pythonName(): string {
    return this.#pick([...NAMES, '"Order"', '"a-b"', 'a.b', 'Order', 'Group']);
  }

  // ── Mistakes ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #withMistakes(text: string): string {
    const words = text.match(/\s+|[A-Za-z_]+|\d+|'[^']*'|[^\sA-Za-z_\d]/gu) ?? [];
    for (let mistakes = 1 + this.#count(3); mistakes > 0; mistakes--) {
      const at = this.#count(words.length + 1);
      const other = this.#count(words.length + 1);
      const word = words[at] ?? '';
      this.#pick<() => unknown>([
        () => words.splice(at, 1),
        () => words.splice(at, 0, word),
        () => words.splice(at, 1, words[other] ?? ''),
        () => words.splice(at, 0, this.#pick(WORDS), ' '),
        () => words.splice(at, 1, this.#pick(WORDS)),
        () => words.splice(at, 1, word.toLowerCase()),
        () => words.splice(at, 1, this.#misspelt(word)),
        () => words.splice(at, this.#count(6)),
        () => words.splice(at, 0, ...words.slice(other, other + this.#count(8))),
      ])();
    }
    return words.join('');
  }

  #misspelt(word: string): string {
    const at = this.#count(word.length + 1);
    return this.#pick([
      word.slice(0, at) + word.slice(at + 1),
      word.slice(0, at) + word.charAt(at + 1) + word.charAt(at) + word.slice(at + 2),
      word.slice(0, at) + this.#pick(['a', 'E', 'x', '_', '9']) + word.slice(at),
    ]);
  }

  #withStrangeCharacters(text: string): string {
    let changed = text;
    for (let changes = 1 + this.#count(4); changes > 0; changes--) {
      const at = this.#count(changed.length + 1);
      const strange = this.#chance(0.5) ? this.#pick(STRANGE) : String.fromCharCode(this.#count(0x10000));
      changed = changed.slice(0, at) + strange + changed.slice(at + this.#count(2));
    }
    return changed;
  }

  #soup(): string {
    const separator = this.#pick(['', ' ', ' ', '\n']);
    return Array.from({ length: this.#count(30) }, () => (this.#chance(0.9) ? this.#pick(WORDS) : this.#pick(STRANGE))).join(separator);
  }

  /** As long or as deep as a statement may be, or a little more. */
  #vast(): string {
    const [head, body, foot] = this.#pick(VAST);
    const length = this.#pick([2_000, 4_000, 10_240, 10_400, 30_000]);
    const times = Math.max(1, Math.floor((length - head.length - foot.length) / body.length));
    const text = head + body.repeat(times) + foot;
    return this.#chance(0.5) ? text : this.#withStrangeCharacters(text);
  }

  // ── Chance ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #integer(): string {
    return this.#pick(['0', '1', '+7', '-3', '42', '9223372036854775807', '-9223372036854775808', '9223372036854775808', '00012']);
  }

  #double(): string {
    return this.#pick(['0.0', '-3.', '+.1', '314159e-5', '6.022E23', '1e308', '1e309', '-0.0', '4.9e-324']);
  }

  #list(lengthMax: number, item: () => string): string {
    return Array.from({ length: 1 + this.#count(lengthMax) }, item).join(this.#pick([', ', ',', ' ,\n']));
  }

  #maybe(chance: number, text: () => string): string {
    return this.#chance(chance) ? text() : '';
  }

  #chance(chance: number): boolean {
    return this.#random.fraction() < chance;
  }

  /** 0 … below − 1. */
  #count(below: number): number {
    return Math.floor(this.#random.fraction() * below);
  }

  #make(choices: readonly (() => string)[]): string {
    return this.#pick(choices)();
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#count(choices.length)] as T;
  }
}

const NAMES = ['a', 'b', 'T', 'Task', '__key__', 'key', 'first', 'over', 'array', 'project', '$x', 'größe', '__kind__', '名前'];

const WORDS = (
  'SELECT|*|FROM|WHERE|AND|OR|NOT|IN|IS|NULL|HAS|ANCESTOR|DESCENDANT|CONTAINS|ORDER|BY|ASC|DESC|LIMIT|OFFSET|FIRST|DISTINCT|ON|COUNT|' +
  'COUNT_UP_TO|SUM|AVG|AS|AGGREGATE|OVER|KEY|PROJECT|NAMESPACE|ARRAY|BLOB|DATETIME|DATE|TIME|USER|GEOPT|HINT|ORDER_FIRST|TRUE|FALSE|' +
  'INSERT|UPDATE|DELETE|CREATE|JOIN|GROUP|HAVING|UNION|LIKE|BETWEEN|(|)|((|))|,|.|+|-|=|==|<|<=|>|>=|!=|<>|;|--|/*|#|?|@|@1|@2|@x|@c|:|' +
  ':1|:x|1|-1|+1|1.5|1e9|.5|5.|99999999999999999999|\'x\'|"y"|`z`|\'|"|`|\\|a|b|T|Task|__key__|SELCT|FORM|WEHRE|LIMTI|ſELECT|İN'
).split('|');

const STRANGE = [
  '\u0000',
  '\u0007',
  '\u001b[2J',
  '\u00a0',
  '\u0085',
  '\u2028',
  '\u2029',
  '\u200b',
  '\u200d',
  '\u202e',
  '\ufeff',
  '\ufffd',
  '\uffff',
  '\ud800',
  '\udc00',
  '\udfff\ud800',
  '😀',
  '👩‍👩‍👧‍👦',
  'e\u0301\u0301\u0301\u0301',
  'ﷺ',
  'ß',
  'ı',
  'K',
  '１',
  '＝',
  '‘',
  '”',
  '\u{10ffff}',
  '__proto__',
  'constructor',
  '${x}',
  '%s',
  '\r\n',
  '\n\r',
  '\t',
  '\f',
  '\v',
];

const VAST: readonly (readonly [head: string, body: string, foot: string])[] = [
  ['SELECT a', ',a', ' FROM T'],
  ['SELECT a', '.a', ' FROM T'],
  ['SELECT * WHERE a=1', ' OR a=1', ''],
  ['SELECT * WHERE a=1', ' AND a=1 OR a=1', ''],
  ['SELECT * WHERE ((((((((((((((((((((', 'a=1 OR ', 'a=1))))))))))))))))))))'],
  ['SELECT * WHERE ', '(', 'a=1'],
  ['SELECT * WHERE a=1', ')', ''],
  ['SELECT * WHERE ', '(a=1)AND', 'a=1'],
  ['SELECT * WHERE ', '((((a=1))))OR', 'a=1'],
  ['SELECT * WHERE a=', 'ARRAY(', '1'],
  ['SELECT * WHERE a IN ARRAY(1', ',1', ')'],
  ['SELECT * WHERE a=KEY(a,1', ',a,1', ')'],
  ['SELECT * ORDER BY a', ',a DESC', ''],
  ['SELECT COUNT(*)', ',COUNT(*)', ' FROM T'],
  ['', 'AGGREGATE COUNT(*) OVER (', 'SELECT *'],
  ['SELECT', ' ', '*'],
  ['SELECT *', '\n', 'x'],
  ["SELECT * WHERE a='", "''", "'"],
  ["SELECT * WHERE a='", '\\\\', "'"],
  ["SELECT * WHERE a='", '\\', ''],
  ['SELECT ', '`a', ''],
  ['SELECT * WHERE a=', "'", ''],
  ['SELECT * OFFSET @a', '+', ''],
  ['SELECT * OFFSET @a', ' + @a', ''],
  ['SELECT * LIMIT ', '9', ''],
  ['SELECT * WHERE a=', '1.', ''],
  ['SELECT * WHERE a=1', 'e', '5'],
  ['', 'SELECT ', ''],
  ['', '(', ''],
  ['', '😀', ''],
  ['SELECT * FROM ', 'é', ''],
  ['SELECT * WHERE a IN (1', ',1', ')'],
  ['SELECT * WHERE ANCESTOR IS :1', ' AND a=1', ';'],
  ['SELECT * WHERE ANCESTOR IS :1 AND a', '.a', ' = 1'],
  ['SELECT Order', ',Order', ' FROM T'],
  ['SELECT ', '"a', ''],
  ['SELECT * WHERE a=', "'a", "'"],
];
