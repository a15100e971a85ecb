// Text → tokens, for both dialects. Never throws on what it cannot read: that becomes a bad token, which the parser
// refuses where it stands, so that a statement's first error is the one reported.
import moo from 'moo';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type GqlDialect } from './ast.ts';
import { canonicalWord, isReserved } from './keyword.ts';
import { PlaceFinder } from './text-place.ts';
import { type Token, type TokenType } from './token.ts';

// A sign glued to digits always belongs to the number, so `@c +17` is a binding and an integer, and no sum.
const CLOUD = moo.compile({
  space: { match: /[ \t\r\n\f]+/, lineBreaks: true },
  string: /'(?:[^'\\\r\n]|\\[^\r\n]|'')*'|"(?:[^"\\\r\n]|\\[^\r\n]|"")*"/,
  quotedName: /`(?:[^`\\\r\n]|\\[^\r\n]|``)*`/,
  double: /[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?[0-9]+[eE][+-]?[0-9]+/,
  integer: /[+-]?[0-9]+/,
  binding: /@(?:[0-9]+|[A-Za-z_$][\w$]*)/,
  word: /[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*/,
  symbol: /<=|>=|!=|[(),.*+=<>]/,
  bad: /[^\n]/,
});

const PYTHON = moo.compile({
  space: { match: /\s+/, lineBreaks: true },
  string: /(?:'[^'\r\n]*')+/,
  binding: /:(?:\w|[^\s\x00-\x7f])+/,
  double: /-?[0-9]+\.[0-9]+/,
  integer: /-?[0-9]+/,
  word: /(?:[A-Za-z_]|[^\s\x00-\x7f])(?:\w|[^\s\x00-\x7f])*(?:\.(?:\w|[^\s\x00-\x7f])+)*/,
  quotedName: /(?:"[^"\s]+")+/,
  symbol: /<=|>=|!=|[(),*=<>;]/,
  bad: /[^\n]/,
});

export interface LexerOptions {
  /** False lets reserved words stand as names where the grammar wants one; they keep their meaning elsewhere. */
  readonly reserveWords: boolean;
}

/** All tokens of a statement, the last one of type `end`; it stops one word beyond gqlTokensMax. */
export function tokenize(text: string, dialect: GqlDialect, options: LexerOptions = { reserveWords: true }): Token[] {
  const lexer = dialect === 'cloud' ? CLOUD : PYTHON;
  const places = new PlaceFinder(text);
  const tokens: Token[] = [];
  let end = 0;
  lexer.reset(text);
  for (const found of lexer) {
    if (found.type === 'space') continue;
    if (tokens.length > LIMITS.gqlTokensMax) break;
    end = found.offset + found.text.length;
    const read = readToken(found.type ?? 'bad', found.text, text.slice(end, end + 1), dialect, options);
    tokens.push({ ...read, at: places.at(found.offset + ('problemAt' in read ? read.problemAt : 0), end) });
  }
  tokens.push({ type: 'end', text: '<EOF>', value: undefined, at: places.at(end, end) });
  return tokens;
}

interface ReadToken {
  readonly type: TokenType;
  readonly text: string;
  readonly value: unknown;
}

interface BadToken extends ReadToken {
  readonly problem: string;
  /** Where within the token. */
  readonly problemAt: number;
}

const bad = (text: string, problem: string, problemAt = 0): BadToken => ({ type: 'bad', text, value: undefined, problem, problemAt });

/** `next` is the character behind. */
function readToken(type: string, text: string, next: string, dialect: GqlDialect, options: LexerOptions): ReadToken | BadToken {
  // A lone surrogate is no character: it could be neither stored nor sent, only silently replaced.
  if (/\p{Cs}/u.test(text)) return bad(text, 'The text is not valid Unicode here.', text.search(/\p{Cs}/u));
  switch (type) {
    case 'word':
      if (options.reserveWords && isReserved(text, dialect)) return { type: 'keyword', text: canonicalWord(text), value: text };
      return { type: 'name', text: canonicalWord(text), value: text };
    case 'symbol':
      return { type: 'symbol', text, value: text };
    case 'integer':
      return readInteger(text);
    case 'double':
      return readDouble(text);
    case 'binding':
      return readBinding(text, dialect);
    case 'string':
    case 'quotedName':
      return dialect === 'cloud' ? readEscaped(type, text) : readDoubled(type, text);
    default:
      return bad(text, strayCharacter(text, next));
  }
}

function readInteger(text: string): ReadToken | BadToken {
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  if (BigInt.asIntN(64, value) !== value) return bad(text, 'The integer does not fit 64 bits.');
  return { type: 'integer', text, value };
}

function readDouble(text: string): ReadToken | BadToken {
  const value = Number(text);
  if (!Number.isFinite(value)) return bad(text, 'The number is too large for a double.');
  return { type: 'double', text, value };
}

const DIGITS = /^[0-9]+$/;
/** Far more arguments than a statement of the greatest length can name, and safely a number. */
const POSITION_DIGITS_MAX = 6;

function readBinding(text: string, dialect: GqlDialect): ReadToken | BadToken {
  const name = text.slice(1);
  if (DIGITS.test(name)) {
    const position = name.length <= POSITION_DIGITS_MAX ? Number(name) : 0;
    if (position === 0) return bad(text, 'Positions of arguments count from 1.');
    return { type: 'binding', text, value: position };
  }
  if (/^[0-9]/.test(name)) return bad(text, 'The name of an argument starts with a letter.');
  if (dialect === 'cloud' && /^__.*__$/.test(name)) return bad(text, 'Names of the form __…__ are reserved.');
  return { type: 'binding', text, value: name };
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  '0': '\0',
  b: '\b',
  n: '\n',
  r: '\r',
  t: '\t',
  Z: '\x1a',
  "'": "'",
  '"': '"',
  '`': '`',
  '%': '\\%',
  _: '\\_',
};

function readEscaped(type: 'string' | 'quotedName', text: string): ReadToken | BadToken {
  const [quote = ''] = text;
  let value = '';
  for (let index = 1; index < text.length - 1; index += 1) {
    const character = text.charAt(index);
    if (character === '\\') {
      const escape = text.charAt(index + 1);
      const decoded = Object.hasOwn(ESCAPES, escape) ? ESCAPES[escape] : undefined;
      if (decoded === undefined) return bad(text, `There is no escape \\${escape}; write \\\\ for a backslash.`, index);
      value += decoded;
      index += 1;
      continue;
    }
    value += character;
    if (character === quote) index += 1;
  }
  if (type === 'quotedName' && value === '') return bad(text, 'A name cannot be empty.');
  return { type, text, value };
}

function readDoubled(type: 'string' | 'quotedName', text: string): ReadToken {
  const [quote = ''] = text;
  return { type, text, value: text.slice(1, -1).replaceAll(quote + quote, quote) };
}

const COMMENTS: readonly string[] = ['--', '/*', '//'];

function strayCharacter(text: string, next: string): string {
  if (text === '#' || COMMENTS.includes(text + next)) return 'GQL has no comments.';
  switch (text) {
    case "'":
    case '"':
      return 'The string that starts here is not closed.';
    case '`':
      return 'The name that starts here is not closed.';
    case ';':
      return 'A statement does not end in ";" in this dialect.';
    case ':':
      return 'An argument is written @1 or @name here.';
    default:
      return 'This character has no meaning in GQL.';
  }
}
