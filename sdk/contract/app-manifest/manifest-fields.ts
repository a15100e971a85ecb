// Kinds of values in the YAML files, as zod schemas over text (yaml-source.ts gives every scalar as its text).
// A schema's message says what the value must be; schema-check.ts puts the element's name and the place in front.
import { z } from 'zod';

/** A scalar that `read` understands; `wanted` completes "must be …". */
export function field<T>(wanted: string, read: (text: string) => T | undefined): z.ZodType<T, string> {
  return z.string({ error: `must be ${wanted}` }).transform((text, context): T => {
    const value = read(text);
    if (value !== undefined) return value;
    context.issues.push({ code: 'custom', message: `must be ${wanted}, not ${quoted(text)}`, input: text });
    return z.NEVER;
  });
}

/** As it stands, with a length in characters. */
export function text(wanted: string, charactersMax: number): z.ZodType<string, string> {
  return field(`${wanted} of at most ${charactersMax} characters`, (value) =>
    value !== '' && value.length <= charactersMax && !hasControl(value) ? value : undefined,
  );
}

export function matching(wanted: string, pattern: RegExp): z.ZodType<string, string> {
  return field(wanted, (value) => (pattern.test(value) ? value : undefined));
}

export function oneOf<const W extends string>(words: readonly W[]): z.ZodType<W, string> {
  const list = words.map((word) => `"${word}"`);
  const wanted = list.length === 1 ? (list[0] ?? '') : `${list.slice(0, -1).join(', ')} or ${list.at(-1) ?? ''}`;
  return field(wanted, (value) => words.find((word) => word === value));
}

/** YAML 1.1's words for truth, which App Engine's files use. */
export const yesOrNo: z.ZodType<boolean, string> = field('true or false', (value) => {
  if (/^(true|yes|on|y)$/i.test(value)) return true;
  if (/^(false|no|off|n)$/i.test(value)) return false;
  return undefined;
});

export function wholeNumber(min: number, max: number): z.ZodType<number, string> {
  return field(`a whole number from ${min} to ${max}`, (value) => {
    const number = /^\d{1,10}$/.test(value) ? Number(value) : NaN;
    return number >= min && number <= max ? number : undefined;
  });
}

export function fraction(min: number, max: number): z.ZodType<number, string> {
  return field(`a number from ${min} to ${max}`, (value) => {
    const number = /^\d*\.?\d{1,9}$/.test(value) ? Number(value) : NaN;
    return number >= min && number <= max ? number : undefined;
  });
}

export function quoted(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
}

function hasControl(value: string): boolean {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if ((code < 0x20 && code !== 0x09 && code !== 0x0a) || code === 0x7f) return true;
  }
  return false;
}
