// Rows as people read them.
import { describeKey } from '../../sdk/contract/key.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { readPath } from '../codec/path-code.ts';
import { FAMILY } from '../codec/row-key.ts';
import { readValue } from '../codec/value-code.ts';
import { rowKeyOf } from '../history/history-row.ts';

const HEX_BYTES_MAX = 96;
const NAME_CHARACTERS_MAX = 400;

export function familyName(key: Buffer): string {
  const [family] = key;
  if (family === undefined) return 'none';
  return family > 0x20 && family < 0x7f ? String.fromCharCode(family) : `0x${family.toString(16).padStart(2, '0')}`;
}

export function hexOf(key: Buffer): string {
  return key.length <= HEX_BYTES_MAX ? key.toString('hex') : `${key.subarray(0, HEX_BYTES_MAX).toString('hex')}…`;
}

/** Never throws: what cannot be read is shown as bytes. */
export function rowName(key: Buffer): string {
  let name: string;
  try {
    name = readableName(key);
  } catch {
    name = hexOf(key);
  }
  return name.length <= NAME_CHARACTERS_MAX ? name : `${name.slice(0, NAME_CHARACTERS_MAX - 1)}…`;
}

function readableName(key: Buffer): string {
  const reader = new OrderedReader(key, 1);
  switch (key[0]) {
    case FAMILY.entity:
      return `${partitionName(reader)} ${entityName(reader)}`;
    case FAMILY.kind: {
      const partition = partitionName(reader);
      const kind = reader.text();
      return `${partition} kind ${kind} of ${entityName(reader)}`;
    }
    case FAMILY.property: {
      const partition = partitionName(reader);
      const [kind, property] = [reader.text(), reader.text()];
      const value = readValue(reader);
      return `${partition} property ${kind}.${property} (${value.kind}) of ${entityName(reader)}`;
    }
    case FAMILY.composite:
      return `${partitionName(reader)} composite index ${reader.uint32()}`;
    case FAMILY.index:
      return `${reader.text()} composite index ${reader.uint32()}`;
    case FAMILY.settings:
      return `${reader.text()} settings`;
    case FAMILY.appBytes:
      return `${reader.text()} stored bytes`;
    case FAMILY.metadata:
      return `tablet from ${key.length === 1 ? 'the beginning' : hexOf(key.subarray(1))}`;
    case FAMILY.load:
      return `tablet ${reader.uint32()} load of hour ${reader.uint32()}`;
    case FAMILY.history:
      return `history of ${readableName(rowKeyOf(key))}`;
    default:
      return hexOf(key);
  }
}

function partitionName(reader: OrderedReader): string {
  const [app, database, namespace] = [reader.text(), reader.text(), reader.text()];
  return `${app}${database === '' ? '' : ` database ${database}`}${namespace === '' ? '' : ` namespace ${namespace}`}`;
}

function entityName(reader: OrderedReader): string {
  return describeKey({ projectId: '', databaseId: '', namespace: '', path: readPath(reader) });
}
