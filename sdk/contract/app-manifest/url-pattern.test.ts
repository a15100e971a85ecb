import { describe, expect, it } from 'vitest';
import { LIMITS } from '../limits.ts';
import { patternGroups, patternProblem } from './url-pattern.ts';

describe('patternProblem', () => {
  it.each([
    '/',
    '/.*',
    '/(.*)',
    '/static/(.*\\.(gif|png|jpg|jpeg))',
    '/(.*)/(.*)/(.*)\\.js',
    '/api/v[0-9]+/.*',
    '/foo(/.*)?',
    '/(en|de|fr)/.*',
    '/(?:a|b)+/((c+)+)+',
    '/a{1,3}b.*?c',
    '/x\\$',
    '/[]a-z.\\d-]+',
    '/(\\.min)?\\.js',
  ])('accepts %s', (pattern) => {
    expect(patternProblem(pattern)).toBeUndefined();
  });

  it.each([
    ['^/x', /leading "\^"/],
    ['/x$', /trailing "\$"/],
    ['/a^b', /may not stand within/],
    ['/((a{255}){255}){255}', /more than \d+ parts/],
    [`/${'(a{200}){9}'.repeat(40)}`, /more than \d+ parts/],
    [`/${'('.repeat(100)}`, /nested deeper/],
    ['/(a', /no "\)"/],
    ['/a)', /no "\("/],
    ['/[a', /no "\]"/],
    ['/(?=a)', /plain groups/],
    ['/(a)\\1', /refer back/],
    ['/\\b', /not part of/],
    ['/a\\', /lone/],
    ['/a**', /follows another repeat/],
    ['*', /nothing stands before/],
    ['/a{3,1}', /backwards/],
    ['/a{1,999}', /larger than 255/],
    ['/[z-a]', /backwards/],
    ['/[[:alpha:]]', /named classes/],
    ['', /empty/],
    [`/${'a'.repeat(LIMITS.manifestPatternBytesMax)}`, /longer than/],
  ])('refuses %s', (pattern, problem) => {
    expect(patternProblem(pattern)).toMatch(problem);
  });

  it('counts the groups that \\1 and its like can stand for', () => {
    expect(patternGroups('/(a(b)|(?:c))[(]\\(')).toBe(2);
  });
});
