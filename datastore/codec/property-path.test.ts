import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatPropertyPath, parsePropertyPath } from './property-path.ts';

describe('a property path', () => {
  it.each<[string, readonly string[]]>([
    ['a', ['a']],
    ['a.b.c', ['a', 'b', 'c']],
    [String.raw`a\.b`, ['a.b']],
    [String.raw`a\\b`, ['a\\b']],
    [String.raw`a\\.b`, ['a\\', 'b']],
    [String.raw`a\\\.b.c`, ['a\\.b', 'c']],
    ['__key__', ['__key__']],
    ['`a`', ['`a`']],
    [' a . b', [' a ', ' b']],
    ['ä.𝄞', ['ä', '𝄞']],
  ])('%s is read name by name', (text, path) => {
    expect(parsePropertyPath(text)).toEqual(path);
  });

  it.each<[string, RegExp]>([
    ['', /empty string/],
    ['.', /a name in it is empty/],
    ['a.', /a name in it is empty/],
    ['.a', /a name in it is empty/],
    ['a..b', /a name in it is empty/],
    ['a\\', /backslash/],
    [String.raw`a\b`, /backslash/],
    [String.raw`a\\\ `, /backslash/],
  ])('%j is refused', (text, reason) => {
    expect(() => parsePropertyPath(text)).toThrow(
      expect.objectContaining({ code: 'DS_INVALID', message: expect.stringMatching(reason) as unknown }),
    );
  });

  it('of any names is written and read back', () => {
    const names = fc.array(fc.oneof(fc.string({ minLength: 1 }), fc.stringMatching(/^[.\\a]+$/)), { minLength: 1 });
    fc.assert(
      fc.property(names, (path) => {
        expect(parsePropertyPath(formatPropertyPath(path))).toEqual(path);
      }),
    );
  });
});
