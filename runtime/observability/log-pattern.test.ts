import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogPattern } from './log-pattern.ts';

const LONG = 16 * 1024;

describe('a pattern of a log', () => {
  it.each([
    ['refused', 'connection refused', true],
    ['^refused', 'connection refused', false],
    ['^connection.*refused$', 'connection refused', true],
    ['Refused', 'connection refused', false],
    ['(?i)REFUSED|timeout', 'connection reFused', true],
    ['(?i)[^a]b', 'Ab', false],
    ['(?i)[W-Z]', 'x', true],
    ['took \\d{3,} ms', 'took 1234 ms', true],
    ['took \\d{3,} ms', 'took 12 ms', false],
    ['a.c', 'a\nc', false],
    ['second$', 'first\nsecond', true],
    ['', 'anything', true],
  ])('%j in %j: %s', (pattern, text, isIn) => {
    expect(new LogPattern(pattern).isIn(text)).toBe(isIn);
    // Long enough that the linear engine answers.
    const padded = `${pattern.startsWith('^') ? '' : '\u2500'.repeat(LONG)}${text}`;
    expect(new LogPattern(pattern).isIn(padded)).toBe(isIn);
  });

  it.each([
    ['(a+)+$', 'a'.repeat(LONG) + '!'],
    ['(a|a)*b', 'a'.repeat(LONG)],
    ['(.*)(.*)(.*)(.*)x', 'y'.repeat(LONG)],
    ['(?:a?){200}a{200}', 'a'.repeat(199)],
  ])('%s takes time in proportion to the text, not more', (pattern, text) => {
    // A backtracking engine would not come back within the life of this machine.
    expect(new LogPattern(pattern).isIn(text)).toBe(false);
  });

  it.each(['(', 'a)', '[', '\\1', '(?=a)', 'a**', '\\', '(?:(?:a{255}){255}){255}'])('%s is refused', (pattern) => {
    expect(() => new LogPattern(pattern)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('regex') }),
    );
  });

  it('agrees with the language about what it finds, whichever engine answers', () => {
    const piece = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '(?:a|b)', 'a*', 'b+', 'a?', '(ab){1,2}', '^', '$');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 }), (pieces, text) => {
        const source = pieces.join('');
        const pattern = new LogPattern(source);
        expect(pattern.isIn(text)).toBe(new RegExp(source).test(text));
        const padded = `${'c'.repeat(3_000)}${text}`;
        expect(pattern.isIn(padded)).toBe(new RegExp(source).test(padded));
      }),
      { numRuns: 300 },
    );
  });
});
