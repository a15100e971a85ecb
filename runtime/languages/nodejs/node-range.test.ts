import { describe, expect, it } from 'vitest';
import { satisfiesRange } from './node-range.ts';

describe('a range of versions', () => {
  it.each([
    ['', true],
    ['*', true],
    ['20', true],
    ['v20', true],
    ['20.x', true],
    ['20.20', true],
    ['20.19', false],
    ['20.20.2', true],
    ['=20.20.1', false],
    ['>=18', true],
    ['>= 18 < 20', false],
    ['>=18 <21', true],
    ['>20', false],
    ['>20.19', true],
    ['<=20', true],
    ['<=20.19', false],
    ['<20.20.2', false],
    ['^20.1.0', true],
    ['^18', false],
    ['~20.20.0', true],
    ['~20.19.0', false],
    ['~20', true],
    ['^0.1', false],
    ['16 - 20', true],
    ['16 - 18.4', false],
    ['18 || 20 || 22', true],
    ['18 || ^22', false],
    ['20.20.2-rc.1', true],
    ['lts/*', undefined],
    ['current', undefined],
    ['20 || latest', undefined],
  ])('%s has 20.20.2: %s', (range, expected) => {
    expect(satisfiesRange('20.20.2', range)).toBe(expected);
  });

  it('takes ^ of a leading zero by the next part', () => {
    expect(['0.2.9', '0.3.0'].map((version) => satisfiesRange(version, '^0.2.3'))).toEqual([true, false]);
    expect(['0.0.3', '0.0.4'].map((version) => satisfiesRange(version, '^0.0.3'))).toEqual([true, false]);
    expect(['0.9.0', '1.0.0'].map((version) => satisfiesRange(version, '^0'))).toEqual([true, false]);
  });
});
