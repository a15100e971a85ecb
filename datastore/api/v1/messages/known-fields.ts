// Keys, values and entities inside requests: whether they are well-formed and hold only fields that their messages have. What
// they mean is decoded elsewhere, by readers that pass over what they do not know, since stored bytes may hold anything.
// Bounds the nesting, so that hostile bytes cannot overflow the stack.
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { BYTES, FIXED64, ProtoReader, VARINT } from '../../../../sdk/contract/protobuf.ts';
import { invalid, unknownField } from './request-fields.ts';

/** By field number: the wire type, or the nested message. */
type Shape = Readonly<Record<number, number | ShapeName>>;

type ShapeName =
  | 'Key'
  | 'PartitionId'
  | 'Key.PathElement'
  | 'Value'
  | 'ArrayValue'
  | 'Timestamp'
  | 'LatLng'
  | 'Entity'
  | 'Entity.PropertiesEntry'
  | 'written Entity'
  | 'property of a written Entity';

const SHAPES: Readonly<Record<ShapeName, Shape>> = {
  Key: { 1: 'PartitionId', 2: 'Key.PathElement' },
  PartitionId: { 2: BYTES, 3: BYTES, 4: BYTES },
  'Key.PathElement': { 1: BYTES, 2: VARINT, 3: BYTES },
  Value: {
    ...{ 1: VARINT, 2: VARINT, 3: FIXED64, 11: VARINT, 14: VARINT, 17: BYTES, 18: BYTES, 19: VARINT },
    ...{ 5: 'Key', 6: 'Entity', 8: 'LatLng', 9: 'ArrayValue', 10: 'Timestamp' },
  },
  ArrayValue: { 1: 'Value' },
  Timestamp: { 1: VARINT, 2: VARINT },
  LatLng: { 1: FIXED64, 2: FIXED64 },
  Entity: { 1: 'Key', 3: 'Entity.PropertiesEntry' },
  'Entity.PropertiesEntry': { 1: BYTES, 2: 'Value' },
  // One to be stored: its values stay as they were sent, with whatever newer clients put into them.
  'written Entity': { 1: 'Key', 3: 'property of a written Entity' },
  'property of a written Entity': { 1: BYTES, 2: BYTES },
};

/** `bytes`, if they are such a message. Throws DS_INVALID, or DS_LIMIT for too deep nesting. */
export function known(bytes: Buffer, message: 'Key' | 'Value' | 'ArrayValue' | 'written Entity'): Buffer {
  check(new ProtoReader(bytes), message, 0, false);
  return bytes;
}

function check(reader: ProtoReader, name: ShapeName, depth: number, isInArray: boolean): void {
  if (depth > LIMITS.entityDepthMax) throw new PlatformError('DS_LIMIT', `entities nest deeper than ${LIMITS.entityDepthMax}`);
  const shape = SHAPES[name];
  while (reader.next()) {
    const expected = shape[reader.field];
    if (expected === undefined) throw unknownField(name, reader.field);
    if (typeof expected === 'number') {
      if (reader.type !== expected) {
        throw invalid(`malformed message: field ${reader.field} of ${name} has wire type ${reader.type}, want ${expected}`);
      }
      reader.skip();
      continue;
    }
    const nested = reader.message();
    if (expected === 'ArrayValue' && isInArray) {
      throw invalid('list_value cannot contain a Value containing another list_value.');
    }
    check(nested, expected, depth + (expected === 'Entity' ? 1 : 0), name === 'ArrayValue');
  }
}
