// Which entity an index row belongs to.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { readPath } from '../codec/path-code.ts';
import { FAMILY } from '../codec/row-key.ts';
import { readValue } from '../codec/value-code.ts';
import { type CompositeIndex } from '../index/composite-index.ts';

export interface IndexRowPlace {
  readonly appId: string;
  /** The key of the entity's row. */
  readonly entityKey: Buffer;
}

/** Of a K or P row. Throws DS_CORRUPT. */
export function builtInPlace(key: Buffer): IndexRowPlace {
  const reader = new OrderedReader(key, 1);
  const [appId] = [reader.text(), reader.text(), reader.text()];
  const partitionEnd = reader.offset;
  // The kind; in P rows the property and the value as well.
  reader.text();
  if (key[0] === FAMILY.property) {
    reader.text();
    readValue(reader);
  }
  return place(key, appId, partitionEnd, reader);
}

/** The app and the index of a C row. Throws DS_CORRUPT. */
export function compositeIdIn(key: Buffer): { readonly appId: string; readonly indexId: number } {
  const reader = new OrderedReader(key, 1);
  const [appId] = [reader.text(), reader.text(), reader.text()];
  return { appId, indexId: reader.uint32() };
}

/** Of a C row of `index`. Throws DS_CORRUPT. */
export function compositePlace(key: Buffer, { definition }: CompositeIndex): IndexRowPlace {
  const reader = new OrderedReader(key, 1);
  const [appId] = [reader.text(), reader.text(), reader.text()];
  const partitionEnd = reader.offset;
  reader.uint32();
  if (definition.ancestor) readPath(reader);
  for (const { direction } of definition.properties) {
    const column = new OrderedReader(key, reader.offset, { complemented: direction === 'desc' });
    readValue(column);
    reader.offset = column.offset;
  }
  return place(key, appId, partitionEnd, reader);
}

function place(key: Buffer, appId: string, partitionEnd: number, reader: OrderedReader): IndexRowPlace {
  const pathStart = reader.offset;
  if (readPath(reader).length === 0 || !reader.atEnd) throw new PlatformError('DS_CORRUPT', 'an index row that names no entity');
  const entityKey = Buffer.concat([ENTITY, key.subarray(1, partitionEnd), key.subarray(pathStart)]);
  return { appId, entityKey };
}

const ENTITY = Buffer.from([FAMILY.entity]);
