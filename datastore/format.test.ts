// FORMAT.md and the code say the same: every worked example is computed here.
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type PathElement } from '../sdk/contract/key.ts';
import { encodeEntityRow } from './codec/entity-row.ts';
import { entityRowKey, idBoundKey, indexDefinitionKey, partitionOf, pathBytes } from './codec/row-key.ts';
import { type CompositeIndex, decodeIndex, encodeIndex } from './index/composite-index.ts';
import { indexRows } from './index/index-rows.ts';
import { indexedValues } from './index/indexed-values.ts';

const path: readonly PathElement[] = [
  { kind: 'P', name: 'x' },
  { kind: 'K', id: 5n },
];
const index: CompositeIndex = {
  id: 1,
  definition: { kind: 'K', ancestor: true, properties: [{ name: 'n', direction: 'desc' }] },
  state: 'serving',
};
const hex = (bytes: Buffer): string => bytes.toString('hex').replace(/..(?=.)/g, '$& ');

async function examples(): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(new URL('./FORMAT.md', import.meta.url), 'utf8');
  const section = text.slice(text.indexOf('## Worked bytes'), text.indexOf('## Decisions'));
  return new Map([...section.matchAll(/^\| (.+?) +\| `([0-9a-f ]+)` +\|$/gm)].map(([, row = '', bytes = '']) => [row, bytes]));
}

describe('FORMAT.md', () => {
  it('shows the bytes that the code writes', async () => {
    const partition = partitionOf('app', '', '');
    const encoded = pathBytes(path);
    const [kind, property, ofParent, ofItself] = indexRows(
      partition,
      'K',
      encoded,
      indexedValues({ n: { kind: 'integer', value: 1n } }, 'app'),
      [index],
    );
    const message = [Buffer.from('message')];
    expect(Object.fromEntries(await examples())).toEqual({
      E: hex(entityRowKey(partition, encoded)),
      K: hex(kind!.key),
      P: hex(property!.key),
      'C, of ancestor `P:"x"`': hex(ofParent!.key),
      'C, of itself': hex(ofItself!.key),
      'X, key': hex(indexDefinitionKey('app', 1)),
      'X, value while serving': hex(encodeIndex(index)),
      'S, ids': hex(idBoundKey('app', '')),
      'entity row of the message `message`, version 3, created 1, updated 2': hex(
        encodeEntityRow({ version: 3n, createdMicros: 1n, updatedMicros: 2n, message }),
      ),
    });
  });

  it('has index rows that read back, with progress and without', () => {
    const building: CompositeIndex = { ...index, state: 'building', progress: Buffer.from('K row key') };
    for (const one of [index, building]) expect(decodeIndex(1, encodeIndex(one))).toEqual(one);
    expect(() => decodeIndex(1, Buffer.from([2]))).toThrow(expect.objectContaining({ code: 'DS_CORRUPT' }));
  });
});
