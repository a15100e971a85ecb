import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { markersOf, placeOf, ROOT, SEGMENT_BYTES } from './postgres-place.ts';

describe('the place of a key', () => {
  it('is what FORMAT.md says', async () => {
    const text = await readFile(new URL('../FORMAT.md', import.meta.url), 'utf8');
    const sha = /^`SHA` = `([0-9a-f]{64})`$/m.exec(text)?.[1] ?? '';
    const key = Buffer.alloc(2_001, 'p');
    expect(placeOf(key)).toEqual({ node: Buffer.from(sha, 'hex'), rest: Buffer.from('p') });
    expect(markersOf(key)).toEqual([{ node: ROOT, rest: Buffer.alloc(2_000, 'p'), child: Buffer.from(sha, 'hex') }]);
    const short = Buffer.from([0x45, 0x61]);
    expect(placeOf(short)).toEqual({ node: ROOT, rest: short });
    expect(markersOf(short)).toEqual([]);
  });

  it.each([0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 3 * SEGMENT_BYTES, 10_000 - 1])(
    'of %i bytes is reached over one marker for each whole segment',
    (length) => {
      const key = Buffer.from(Array.from({ length }, (_, at) => at % 251));
      const markers = markersOf(key);
      expect(markers).toHaveLength(Math.floor(length / SEGMENT_BYTES));
      expect(placeOf(key).node).toEqual(markers.at(-1)?.child ?? ROOT);
      expect(Buffer.concat([...markers.map(({ rest }) => rest), placeOf(key).rest])).toEqual(key);
      expect(markers.map(({ node }) => node)).toEqual([ROOT, ...markers.map(({ child }) => child)].slice(0, markers.length));
    },
  );
});
