import { describe, expect, it } from 'vitest';
import { LIMITS } from '../sdk/contract/limits.ts';
import { GqlCache } from './statement-cache.ts';

describe('GqlCache', () => {
  it('parses a text once', () => {
    const cache = new GqlCache();
    expect(cache.parse('SELECT * FROM T')).toBe(cache.parse('SELECT * FROM T'));
    expect(cache.size).toBe(1);
  });

  it('keeps no errors', () => {
    const cache = new GqlCache();
    expect(() => cache.parse('SELECT')).toThrow('Encountered');
    expect(() => cache.parse('SELECT')).toThrow('Encountered');
    expect(cache.size).toBe(0);
  });

  it('parses in the dialect that it was made for', () => {
    expect(new GqlCache({ dialect: 'python' }).parse('SELECT * FROM T').dialect).toBe('python');
    expect(() => new GqlCache({ dialect: 'cloud' }).parse('SELECT * FROM T LIMIT 1, 2')).toThrow('Encountered');
  });

  it('is bounded in statements', () => {
    const cache = new GqlCache();
    for (let index = 0; index < LIMITS.gqlCacheEntriesMax + 10; index += 1) cache.parse(`SELECT * FROM K${index}`);
    expect(cache.size).toBe(LIMITS.gqlCacheEntriesMax);
  });

  it('is bounded in text', () => {
    const cache = new GqlCache();
    const comment = 'x'.repeat(LIMITS.gqlStatementBytesMax - 60);
    for (let index = 0; index < 60; index += 1) cache.parse(`SELECT * FROM T WHERE a = '${index}${comment}'`);
    expect(cache.size).toBeGreaterThan(1);
    expect(cache.size * comment.length).toBeLessThanOrEqual(LIMITS.gqlCacheTextBytesMax);
  });
});
