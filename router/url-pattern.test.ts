import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PatternProgram } from './url-pattern-program.ts';
import { parsePattern } from './url-pattern-syntax.ts';
import { UrlPattern } from './url-pattern.ts';

const budget = (): { steps: number } => ({ steps: 2_000_000 });
const run = (pattern: string, text: string): readonly string[] | undefined =>
  new PatternProgram(parsePattern(pattern)).match(text, budget());

describe('UrlPattern', () => {
  it('matches the whole path and gives its groups', () => {
    const pattern = new UrlPattern('/(.*\\.(gif|png|jpg))');
    expect(pattern.match('/a/b.png', budget())).toEqual(['/a/b.png', 'a/b.png', 'png']);
    expect(pattern.match('/a/b.pngx', budget())).toBeUndefined();
    expect(pattern.match('x/a/b.png', budget())).toBeUndefined();
  });

  it.each(['/.*', '.*', '/a|/b', '/[a-c]+', '/[^/]+/x', '/a{2,3}', '/x?y', '/\\d+\\.\\w*', '/(?:ab)*c', '^/a$', '/[]a]', '/a.b'])(
    'gives the same with both engines for %s',
    (text) => {
      const paths = ['/', '/a', '/b', '/aa', '/aaa', '/aaaa', '/abc', '/x/x', '/xy', '/y', '/12.x', '/ababc', '/]', '/a\nb', '/a.b', ''];
      for (const path of paths) expect(new UrlPattern(text).match(path, budget()), path).toEqual(run(text, path));
    },
  );

  it.each([
    ['(?=a)', /only/],
    ['(a)\\1', /not supported/],
    ['a)', /without its/],
    ['(a', /not closed/],
    ['[a', /not closed/],
    ['[z-a]', /wrong way/],
    ['*a', /nothing to repeat/],
    ['a**', /repeated/],
    ['a{3,2}', /not within/],
    ['a{999}', /not within/],
    ['a\\', /too early/],
  ])('refuses %s', (text, message) => {
    expect(() => new UrlPattern(text)).toThrow(message);
    expect(() => new UrlPattern(text)).toThrow(expect.objectContaining({ code: 'MANIFEST_INVALID' }));
  });

  it('refuses a pattern whose repetitions make it huge', () => {
    expect(() => new UrlPattern('((a{200}){200}){200}')).toThrow(/too large/);
  });

  it('gives up when the budget is used up', () => {
    const steps = { steps: 1_000 };
    expect(() => new UrlPattern('/((a*)*)*b').match(`/${'a'.repeat(5_000)}`, steps)).toThrow(
      expect.objectContaining({ code: 'ROUTE_BAD_REQUEST' }),
    );
  });

  it('agrees with JavaScript on random patterns', () => {
    // No loops over what can be empty: there the engines may differ in captures.
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\w', '(a|b)', '(ab)', '(?:a|bc)', '(a?b)');
    const piece = fc.tuple(atom, fc.constantFrom('', '', '*', '+', '?', '{1,2}', '*?', '+?')).map(([body, repeat]) => body + repeat);
    const pattern = fc.array(
      fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join('')),
      { minLength: 1, maxLength: 3 },
    );
    fc.assert(
      fc.property(pattern, fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 }), (branches, text) => {
        const source = branches.join('|');
        const theirs = new RegExp(`^(?:${source})$`).exec(text);
        expect(run(source, text) !== undefined).toBe(theirs !== null);
        expect(new UrlPattern(source).match(text, budget()) !== undefined).toBe(theirs !== null);
      }),
      { numRuns: 2_000 },
    );
  });
});
