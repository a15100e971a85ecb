import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { ProtoReader } from '../../../../sdk/contract/protobuf.ts';
import { invalid, unknownField } from './request-fields.ts';

/** The name in a PropertyReference. `path` is where it stands in the request. */
export function readPropertyReference(bytes: Buffer | undefined, path: string): string {
  if (!bytes) throw invalid(`${path} must be given`);
  const reader = new ProtoReader(bytes);
  let name = '';
  while (reader.next()) {
    if (reader.field !== 2) throw unknownField('PropertyReference', reader.field);
    name = reader.string();
  }
  if (name === '') throw invalid('The property.name is the empty string.');
  if (Buffer.byteLength(name) > LIMITS.keyNameBytesMax) {
    throw new PlatformError('DS_LIMIT', `The property.name is longer than ${LIMITS.keyNameBytesMax} bytes.`);
  }
  return name;
}
