// The entities that the datastore's benches write, as their client sends them and as their rows lie on disk.
import { encodeEntityRow } from '../../../datastore/codec/entity-row.ts';
import { entityRowKey, partitionOf, pathBytes } from '../../../datastore/codec/row-key.ts';
import { indexedValues } from '../../../datastore/index/indexed-values.ts';
import { indexRows } from '../../../datastore/index/index-rows.ts';
import { type WireMutation } from '../../../sdk/contract/datastore-wire.ts';
import { encodeEntity, encodeKey } from '../../../sdk/contract/entity-proto.ts';
import { type Entity } from '../../../sdk/contract/entity.ts';
import { type Key } from '../../../sdk/contract/key.ts';
import { systemRandom } from '../../../sdk/support/clock.ts';

export const SCOPE = { appId: 'bench' };
export const KIND = 'Item';
export const OWNERS = 100;
const PAYLOAD_BYTES = 1_000;

export interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface Item {
  readonly id: number;
  readonly name: string;
  readonly owner: string;
  readonly text: string;
  readonly key: Key;
  readonly keyMessage: Buffer;
  readonly mutation: WireMutation;
  readonly rowKey: Buffer;
}

const payload = Array.from(systemRandom.bytes(PAYLOAD_BYTES * 2), (byte) => String.fromCharCode(32 + (byte % 95))).join('');

/** Ids one after the other have names far apart. */
export function nameOf(id: number): string {
  return `item-${String((id * 7_919) % 1_000_003).padStart(8, '0')}`;
}

export function keyOf(id: number): Key {
  return { projectId: SCOPE.appId, databaseId: '', namespace: '', path: [{ kind: KIND, name: nameOf(id) }] };
}

/** Of about 1 kB, with two indexed properties. Each round has another text: to write the same again would be no write. */
export function makeItem(id: number, round = 0): Item {
  const entity = entityOf(id, round);
  const { path } = entity.key;
  return {
    id,
    name: nameOf(id),
    owner: ownerOf(id),
    text: textOf(id + round),
    key: entity.key,
    keyMessage: encodeKey(entity.key),
    mutation: { op: 'upsert', entity: encodeEntity(entity) },
    rowKey: entityRowKey(partitionOf(SCOPE.appId, '', ''), pathBytes(path)),
  };
}

/** The four rows that the item is on disk. */
export function rowsOf({ id, rowKey }: Pick<Item, 'id' | 'rowKey'>): readonly Row[] {
  const entity = entityOf(id);
  const partition = partitionOf(SCOPE.appId, '', '');
  const version = BigInt(id);
  const value = encodeEntityRow({ version, createdMicros: version, updatedMicros: version, message: [encodeEntity(entity)] });
  return [
    { key: rowKey, value },
    ...indexRows(partition, KIND, pathBytes(entity.key.path), indexedValues(entity.properties, SCOPE.appId), []),
  ];
}

function entityOf(id: number, round = 0): Entity {
  return {
    key: keyOf(id),
    properties: {
      owner: { kind: 'string', value: ownerOf(id) },
      rank: { kind: 'integer', value: BigInt(id) },
      text: { kind: 'string', value: textOf(id + round), excludeFromIndexes: true },
    },
  };
}

function ownerOf(id: number): string {
  return `owner-${id % OWNERS}`;
}

function textOf(id: number): string {
  const start = id % PAYLOAD_BYTES;
  return payload.slice(start, start + PAYLOAD_BYTES);
}
