import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTarget } from './request-target.ts';

describe('readTarget', () => {
  it('decodes the path once and leaves the target alone', () => {
    expect(readTarget('/a%20b/%252e?x=%zz')).toEqual({ target: '/a%20b/%252e?x=%zz', path: '/a b/%2e' });
  });

  it.each([
    ['http://h/p?q', { authority: 'h', target: '/p?q', path: '/p' }],
    ['HTTPS://h:8080', { authority: 'h:8080', target: '/', path: '/' }],
    ['http://h?q', { authority: 'h', target: '/?q', path: '/' }],
  ])('takes %s apart', (raw, target) => expect(readTarget(raw)).toEqual(target));

  it.each([
    '',
    '*',
    'a',
    'ftp://h/',
    '/a b',
    '/ä',
    '/a#b',
    '/%',
    '/%zz',
    '/%ff',
    '/%c0%af',
    '/%00',
    '/a%0ab',
    '/..',
    '/a/../b',
    '/.',
    '/%2e%2e/x',
    '/..%5cx',
    '/..\\x',
    '/a/%2e',
  ])('refuses %j', (raw) => expect(() => readTarget(raw)).toThrow(expect.objectContaining({ code: 'ROUTE_BAD_REQUEST' })));

  it.each(['/...', '/a..b', '/.well-known/x', '/a.', '/..a'])('lets %s pass', (raw) => expect(readTarget(raw).path).toBe(raw));

  it('never yields a path with a dot segment or a control character', () => {
    const unit = fc.constantFrom('/', '.', '%2e', '%2f', '%5c', '\\', '%00', '%0a', 'a', '%25', '?', '%c0%ae', '%E2%80%AE');
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 12 }), (parts) => {
        let path: string;
        try {
          ({ path } = readTarget(`/${parts.join('')}`));
        } catch {
          return;
        }
        expect(path.split(/[/\\]/)).not.toContain('..');
        expect(path.split(/[/\\]/)).not.toContain('.');
        expect(Array.from(path).every((character) => character >= ' ')).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});
