// PropertyTransform of requests.
import { decodeValue } from '../../../../sdk/contract/entity-proto.ts';
import { type Value } from '../../../../sdk/contract/entity.ts';
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { ProtoReader } from '../../../../sdk/contract/protobuf.ts';
import { parsePropertyPath } from '../../../codec/property-path.ts';
import { type PropertyTransform } from '../../../transaction/mutation.ts';
import { known } from './known-fields.ts';
import { another, enumValue, invalid, type Parts, unknownField, whole } from './request-fields.ts';

const SERVER_VALUE_FIELD = 2;
const NUMBERS: Readonly<Record<number, 'increment' | 'maximum' | 'minimum'>> = { 3: 'increment', 4: 'maximum', 5: 'minimum' };
const ARRAYS: Readonly<Record<number, 'append-missing' | 'remove-all'>> = { 6: 'append-missing', 7: 'remove-all' };
/** SERVER_VALUE_UNSPECIFIED must not be used. */
const SERVER_VALUES: Readonly<Record<number, 'request-time'>> = { 1: 'request-time' };

/** `path` is where the transform stands in the request. */
export function readTransform(bytes: Buffer, path: string): PropertyTransform {
  // It cannot write more than an entity holds, and its values are decoded here.
  if (bytes.length > LIMITS.entityBytesMax) {
    throw new PlatformError('DS_LIMIT', `${path} is too big: ${bytes.length} bytes, at most ${LIMITS.entityBytesMax}`);
  }
  const reader = new ProtoReader(bytes);
  let property = '';
  let chosen = 0;
  let operand: Parts;
  while (reader.next()) {
    const { field } = reader;
    if (field === 1) property = reader.string();
    else if (field === SERVER_VALUE_FIELD) {
      enumValue(SERVER_VALUES, reader.small(), `${path}.set_to_server_value`);
      chosen = field;
    } else if (NUMBERS[field] ?? ARRAYS[field]) {
      operand = another(field === chosen ? operand : undefined, reader);
      chosen = field;
    } else throw unknownField('PropertyTransform', field);
  }
  if (property === '') throw invalid(`${path}.property must be given`);
  const target = { path: parsePropertyPath(property) };
  if (chosen === SERVER_VALUE_FIELD) return { ...target, kind: 'request-time' };
  const message = whole(operand);
  const number = NUMBERS[chosen];
  if (number && message) return { ...target, kind: number, operand: readNumber(message, `${path}.${number}`) };
  const array = ARRAYS[chosen];
  if (array && message) return { ...target, kind: array, elements: readElements(message) };
  throw invalid(`${path} must have a transform_type`);
}

function readNumber(bytes: Buffer, path: string): Value {
  const value = decodeValue(known(bytes, 'Value'));
  if (value.kind !== 'integer' && value.kind !== 'double') throw invalid(`${path} must be an integer or a double`);
  return value;
}

function readElements(bytes: Buffer): readonly Value[] {
  const reader = new ProtoReader(known(bytes, 'ArrayValue'));
  const elements: Value[] = [];
  while (reader.next()) elements.push(decodeValue(reader.bytes()));
  return elements;
}
