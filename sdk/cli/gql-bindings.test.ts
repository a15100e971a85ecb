import { describe, expect, it } from 'vitest';
import { gqlBindings } from './gql-bindings.ts';

describe('--bind', () => {
  it.each([
    ['ann', { stringValue: 'ann' }],
    ['', { stringValue: '' }],
    ['"5"', { stringValue: '5' }],
    ['a=b', { stringValue: 'a=b' }],
    ['{not json', { stringValue: '{not json' }],
    ['5', { integerValue: '5' }],
    ['-9223372036854775808', { integerValue: '-9223372036854775808' }],
    ['5.0', { doubleValue: 5 }],
    ['1e3', { doubleValue: 1000 }],
    ['true', { booleanValue: true }],
    ['null', { nullValue: null }],
    ['[1, "x", 2.5]', { arrayValue: { values: [{ integerValue: '1' }, { stringValue: 'x' }, { doubleValue: 2.5 }] } }],
    ['{"timestampValue": "2024-01-01T00:00:00Z"}', { timestampValue: '2024-01-01T00:00:00Z' }],
  ])('reads %s', (text, value) => {
    expect(gqlBindings([`x=${text}`])).toEqual({ named: { x: value } });
  });

  it('takes names and positions in any order, with or without their sign', () => {
    expect(gqlBindings(['2=b', '@x=1', '1=a', ':y=c'])).toEqual({
      named: { x: { integerValue: '1' }, y: { stringValue: 'c' } },
      positional: [{ stringValue: 'a' }, { stringValue: 'b' }],
    });
    expect(gqlBindings([])).toEqual({});
  });

  it.each([
    [['x'], 'want name=value'],
    [['=5'], 'want name=value'],
    [['x=1', 'x=2'], 'gives x twice'],
    [['1=1', '1=2'], 'gives 1 twice'],
    [['2=1'], 'leaves out 1'],
    [['1=1', '3=1'], 'leaves out 2'],
    [['x=[9007199254740993]'], 'beyond 2^53'],
  ])('refuses %j', (given, words) => {
    expect(() => gqlBindings(given)).toThrow(expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(words) as string }));
  });
});
