// FORMAT.md and the code say the same: every worked example is computed here.
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type PathElement } from '../sdk/contract/key.ts';
import { encodeEntityRow } from './codec/entity-row.ts';
import { entityRowKey, idBoundKey, indexDefinitionKey, partitionOf, pathBytes } from './codec/row-key.ts';
import { type CompositeIndex } from './index/composite-index.ts';
import { decodeIndex, encodeIndex } from './index/index-row.ts';
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
  since: 3n,
  done: 2,
  estimate: 2,
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
      'X, value while serving, complete at version 3, 2 of 2 entities': hex(encodeIndex(index)),
      'S, ids': hex(idBoundKey('app', '')),
      'entity row of the message `message`, version 3, created 1, updated 2': hex(
        encodeEntityRow({ version: 3n, createdMicros: 1n, updatedMicros: 2n, message }),
      ),
    });
  });

  it('has index rows that read back in every state', () => {
    const building: CompositeIndex = { ...index, state: 'building', progress: Buffer.from('K row key') };
    const failed: CompositeIndex = { ...index, state: 'error', reason: 'DS_LIMIT: too many' };
    for (const one of [index, building, failed, { ...building, state: 'deleting' as const }]) {
      expect(decodeIndex(1, encodeIndex(one))).toEqual(one);
    }
  });

  it.each([
    ['an unknown format', Buffer.from([7])],
    ['a wrong checksum', Buffer.from([2, 0, 0, 0, 0, 1, 1])],
    ['an unknown state', Buffer.from([1, 9, 1])],
  ])('has index rows that are refused with %s', (_, row) => {
    expect(() => decodeIndex(1, row)).toThrow(expect.objectContaining({ code: 'DS_CORRUPT' }));
  });

  it('reads index rows of the format before', () => {
    const old = { ...index, since: 0n, done: 0, estimate: 0 };
    const serving = Buffer.from('01' + '0101' + '4b0001' + '0001' + '016e0001', 'hex');
    expect(decodeIndex(1, serving)).toEqual(old);
    const building = Buffer.concat([Buffer.from('01' + '0001' + '4b0001' + '0001' + '016e0001', 'hex'), Buffer.from('key')]);
    expect(decodeIndex(1, building)).toEqual({ ...old, state: 'building', progress: Buffer.from('key') });
  });
});
