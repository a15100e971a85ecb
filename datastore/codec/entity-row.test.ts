import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Entity } from '../../sdk/contract/entity.ts';
import { decodeEntity, encodeEntity } from '../../sdk/contract/entity-proto.ts';
import { withKey as pieces } from './entity-message.ts';
import { decodeEntityRow, encodeEntityRow } from './entity-row.ts';

const row = { version: 3n, createdMicros: 1n, updatedMicros: 2n, message: Buffer.from('message') };
const parts = { ...row, message: [Buffer.from('mess'), Buffer.from('age')] };
const key = { projectId: 'app', databaseId: '', namespace: '', path: [{ kind: 'K', id: 7n }] };
const entity: Entity = { key: { ...key, projectId: '' }, properties: { name: { kind: 'string', value: 'x'.repeat(200) } } };

describe('entity row', () => {
  it('reads back what it wrote', () => {
    expect(decodeEntityRow(encodeEntityRow(parts))).toEqual(row);
  });

  it('starts with its format version and matches the documented bytes', () => {
    expect(encodeEntityRow(parts).toString('hex')).toBe(
      '01' + 'f68b7c75' + '0000000000000003' + '0000000000000001' + '0000000000000002' + '6d657373616765',
    );
  });

  it('notices any changed byte', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = encodeEntityRow(parts);
        bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ flip;
        expect(() => decodeEntityRow(bytes)).toThrow(expect.objectContaining({ code: 'DS_CORRUPT' }));
      }),
    );
  });
});

const withKey = (...args: Parameters<typeof pieces>): Buffer => Buffer.concat(pieces(...args));

describe('entity message with another key', () => {
  it('keeps every other byte', () => {
    const message = withKey(encodeEntity(entity), key);
    expect(decodeEntity(message)).toEqual({ ...entity, key });
    expect(withKey(message, key)).toEqual(message);
  });

  it('leaves no other key behind, however it was written', () => {
    const foreign = encodeEntity({ key: { ...key, projectId: 'other' }, properties: {} });
    // The same field with its tag 0A written over-long as 8A 00.
    const overlong = Buffer.concat([Buffer.from([0x8a, 0x00]), foreign.subarray(1)]);
    const message = withKey(Buffer.concat([overlong, encodeEntity(entity), overlong]), key);
    expect(message).toEqual(withKey(encodeEntity(entity), key));
  });
});
