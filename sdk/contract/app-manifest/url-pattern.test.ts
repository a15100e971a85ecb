import { describe, expect, it } from 'vitest';
import { LIMITS } from '../limits.ts';
import { patternProblem } from './url-pattern.ts';

describe('patternProblem', () => {
  it.each([
    '/',
    '/.*',
    '/(.*)',
    '/static/(.*\\.(gif|png|jpg|jpeg))',
    '/(.*)\\.html',
    '/(.*)/(.*)\\.js',
    '/api/v[0-9]+/.*',
    '/[^/]+/[^/]+/[^/]+/[^/]+/edit',
    '/foo(/.*)?',
    '/(en|de|fr)/.*',
    '/a{1,3}b',
    '/x\\$',
    '/[]a-z.-]+',
    '/(\\.min)?\\.js',
  ])('accepts %s', (pattern) => {
    expect(patternProblem(pattern)).toBeUndefined();
  });

  it.each([
    ['^/x', /leading "\^"/],
    ['/x$', /trailing "\$"/],
    ['/a^b', /may not stand within/],
    ['/(a+)+b', /repeated group/],
    ['/(a|aa)+b', /repeated group/],
    ['/(a?){30}a{30}', /repeated group/],
    ['/.*.*.*.*x', /very long/],
    ['/.*a.*a.*a.*x', /very long/],
    ['/(.*)x(.*)x[^/]*/', /very long/],
    [`/${'a?'.repeat(30)}${'a'.repeat(30)}`, /very long/],
    [`/${'(a|a)'.repeat(30)}b`, /very long/],
    ['/(a', /no "\)"/],
    ['/a)', /no "\("/],
    ['/[a', /no "\]"/],
    ['/(?:a)', /plain groups/],
    ['/(a)\\1', /refer back/],
    ['/a**', /follows another repeat/],
    ['*', /nothing stands before/],
    ['/a{3,1}', /backwards/],
    ['/[[:alpha:]]', /named classes/],
    ['', /empty/],
    [`/${'a'.repeat(LIMITS.manifestPatternBytesMax)}`, /longer than/],
  ])('refuses %s', (pattern, problem) => {
    expect(patternProblem(pattern)).toMatch(problem);
  });

  it('accepts nothing that takes long on a path made to defeat it', () => {
    const bad = [
      '/.*.*x',
      '/(.*)/(.*)\\.js',
      '/[^/]*/[^/]*/[^/]*x',
      '/.*a?a?a?x',
      '/(.*)(ab|a)x',
      '/a{0,40}a{0,40}x',
      '/.*x[^/]*/',
      '/(.*\\.(gif|png))',
    ];
    for (const pattern of bad.filter((candidate) => patternProblem(candidate) === undefined)) {
      const matcher = new RegExp(`^(?:${pattern})$`);
      for (const unit of ['a', '/', 'a/', './', '.']) {
        const startMs = performance.now();
        matcher.test(`/${unit.repeat(LIMITS.manifestPatternPathBytesMax / unit.length)}!`);
        expect(performance.now() - startMs, `${pattern} on ${unit}`).toBeLessThan(1_000);
      }
    }
  });
});
