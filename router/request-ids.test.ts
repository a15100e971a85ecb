import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../sdk/support/virtual-time.ts';
import { RequestIds } from './request-ids.ts';

describe('RequestIds', () => {
  it('never repeats within many batches', () => {
    const ids = new RequestIds(new SeededRandom(1));
    const seen = new Set(Array.from({ length: 2_000 }, () => ids.next()));
    expect(seen.size).toBe(2_000);
    expect([...seen].every((id) => /^[0-9a-f]{32}$/.test(id))).toBe(true);
  });
});
