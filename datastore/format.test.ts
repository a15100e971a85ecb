// FORMAT.md and the code say the same: every worked example is computed here.
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type PathElement } from '../sdk/contract/key.ts';
import { decodeBound, encodeBound } from './codec/bound-row.ts';
import { encodeEntityRow } from './codec/entity-row.ts';
import {
  entityRowKey,
  historyBoundKey,
  idBoundKey,
  indexDefinitionKey,
  partitionOf,
  pathBytes,
  reservedIdKey,
  resetKey,
} from './codec/row-key.ts';
import { historyKey } from './history/history-row.ts';
import { type CompositeIndex } from './index/composite-index.ts';
import { decodeIndex, encodeIndex } from './index/index-row.ts';
import { indexRows } from './index/index-rows.ts';
import { indexedValues } from './index/indexed-values.ts';
import { type HourCounts, newHour } from './tablet/load-history.ts';
import { decodeLoad, decodeTablet, encodeLoad, encodeTablet, loadKey } from './tablet/tablet-row.ts';

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
function hourWith(minute: number, reads: number, writes: number): HourCounts {
  const hour = newHour();
  hour.set([reads, writes], 2 * minute);
  return hour;
}

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
      'H, of that E row, ended by version 3': hex(historyKey(entityRowKey(partition, encoded), 3n)),
      'S, history of all apps': hex(historyBoundKey('')),
      'S, history of one': hex(historyBoundKey('app')),
      'S, ids': hex(idBoundKey('app', '')),
      'S, reset': hex(resetKey('app')),
      'S, reserved id of counter value 5': hex(reservedIdKey('app', '', 5)),
      'entity row of the message `message`, version 3, created 1, updated 2': hex(
        encodeEntityRow({ version: 3n, createdMicros: 1n, updatedMicros: 2n, message }),
      ),
      'M, value of tablet 1 with 2 rows of 300 bytes': hex(encodeTablet({ id: 1, rows: 2, bytes: 300 })),
      'T, key of tablet 1, hour 3': hex(loadKey(1, 3)),
      'T, value of 5 reads and 2 writes in minute 7': hex(encodeLoad(hourWith(7, 5, 2))),
      'S 01, value of bound 9': hex(encodeBound(9n)),
    });
  });

  it('has rows of tablets, apps and bounds that read back, and were once written without a checksum', () => {
    const [tablet, earlier] = [{ id: 7, rows: 2, bytes: 300 }, Buffer.alloc(21)];
    earlier[0] = 1;
    earlier.writeUInt32BE(7, 1);
    earlier.writeBigUInt64BE(2n, 5);
    earlier.writeBigUInt64BE(300n, 13);
    for (const row of [encodeTablet(tablet), earlier]) expect(decodeTablet(row)).toEqual(tablet);
    expect(decodeBound(encodeBound(9n), 'a bound')).toBe(9n);
    expect(decodeBound(Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 9]), 'a bound')).toBe(9n);
    expect(decodeLoad(encodeLoad(hourWith(59, 5, 0xffffffff)))).toEqual(hourWith(59, 5, 0xffffffff));
    const corrupt = expect.objectContaining({ code: 'DS_CORRUPT' }) as unknown;
    for (const row of [encodeTablet(tablet), encodeBound(9n), encodeLoad(hourWith(7, 5, 2))]) {
      row[row.length - 1] = (row.at(-1) ?? 0) ^ 1;
      for (const decode of [decodeTablet, decodeLoad, (bytes: Buffer) => decodeBound(bytes, 'a bound')])
        expect(() => decode(row)).toThrow(corrupt);
    }
    expect(() => decodeTablet(encodeBound(9n))).toThrow(corrupt);
    expect(() => decodeLoad(encodeBound(9n))).toThrow(corrupt);
    expect(() => decodeTablet(earlier.subarray(0, 20))).toThrow(corrupt);
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
    expect(decodeIndex(1, building)).toEqual({ ...old, state: 'error', reason: expect.stringContaining('create it again') as string });
  });
});
