// Which entity an index row belongs to, read from the row's key.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { skipPath } from '../codec/path-code.ts';
import { FAMILY, type Partition, partitionOf } from '../codec/row-key.ts';
import { skipValue } from '../codec/value-code.ts';
import { type CompositeIndex } from './composite-index.ts';

export interface IndexRowOwner {
  readonly partition: Partition;
  readonly kind: string;
  /** The encoded path. */
  readonly path: Buffer;
  /** Of a C row. */
  readonly composite?: CompositeIndex;
}

/**
 * Of a K, P or C row; `indexesOf` are the composite indexes of its app. Undefined for a C row of an index that is not among
 * them. Throws DS_CORRUPT.
 */
export function ownerOfIndexRow(key: Buffer, indexesOf: (appId: string) => readonly CompositeIndex[]): IndexRowOwner | undefined {
  const reader = new OrderedReader(key, 1);
  const partition = partitionOf(reader.text(), reader.text(), reader.text());
  switch (key[0]) {
    case FAMILY.kind:
      return { partition, kind: reader.text(), path: key.subarray(reader.offset) };
    case FAMILY.property: {
      const kind = reader.text();
      reader.skipStr();
      skipValue(reader);
      return { partition, kind, path: key.subarray(reader.offset) };
    }
    case FAMILY.composite: {
      const id = reader.uint32();
      const composite = indexesOf(partition.appId).find((index) => index.id === id);
      if (!composite) return undefined;
      if (composite.definition.ancestor) skipPath(reader);
      let { offset } = reader;
      for (const { direction } of composite.definition.properties) {
        const column = new OrderedReader(key, offset, { complemented: direction === 'desc' });
        skipValue(column);
        ({ offset } = column);
      }
      return { partition, kind: composite.definition.kind, path: key.subarray(offset), composite };
    }
    default:
      throw new PlatformError('DS_CORRUPT', 'not an index row');
  }
}
