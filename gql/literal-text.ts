// How single literals and quoted names are written; lexer.ts reads them back.
import { type GqlDialect } from './ast.ts';

const ESCAPED: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\0': '\\0',
  '\b': '\\b',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\x1a': '\\Z',
};

const escaped = (text: string): string => text.replaceAll(/[\\\0\x08\n\r\t\x1a]/g, (character) => ESCAPED[character] ?? character);

export function cloudString(text: string): string {
  return `'${escaped(text).replaceAll("'", "''")}'`;
}

/** For text without line breaks, which the dialect cannot write. */
export function pythonString(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function quotedName(name: string, dialect: GqlDialect): string {
  return dialect === 'cloud' ? `\`${escaped(name).replaceAll('`', '``')}\`` : `"${name.replaceAll('"', '""')}"`;
}

/** A finite number so that it reads as a double: 5.0, -0.0, 1e+21. */
export function cloudDouble(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  return /[.e]/.test(String(value)) ? String(value) : `${value}.0`;
}

/** The same without an exponent, which the Python dialect does not know. */
export function pythonDouble(value: number): string {
  const text = cloudDouble(value);
  const [, sign = '', whole = '', fraction = '', exponent] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(text) ?? [];
  if (exponent === undefined) return text;
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return `${sign}${digits.slice(0, point).padEnd(point, '0')}.${digits.slice(point) || '0'}`;
}
