import { describe, expect, it } from 'vitest';
import { chooseCoding } from './content-coding.ts';

const both = { br: {}, gzip: {} };

describe('chooseCoding', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['GZIP;Q=0.5', 'gzip'],
    ['br;q=0.2, gzip;q=0.9', 'gzip'],
    ['br;q=0, gzip', 'gzip'],
    ['br;q=0, gzip;q=0', undefined],
    ['*', 'br'],
    ['*;q=0.1, br;q=0', 'gzip'],
    ['identity', undefined],
    ['identity;q=1, br;q=0.5', undefined],
    ['identity;q=0.5, br;q=1', 'br'],
    ['identity, br', 'br'],
    ['identity;q=1, *;q=0', undefined],
    ['identity;q=0', undefined],
    ['deflate, zstd', undefined],
    ['brr, gzipp', undefined],
    ['br;q=nonsense, gzip', 'gzip'],
    ['br;q=1.5', 'br'],
  ])('for %j is %s', (accepted, coding) => expect(chooseCoding(accepted, both)).toBe(coding));

  it('knows what there is', () => {
    expect(chooseCoding('br, gzip;q=0.1', { gzip: {} })).toBe('gzip');
    expect(chooseCoding('br, gzip', {})).toBeUndefined();
  });
});
