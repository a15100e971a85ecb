// PropertyMask of requests: which properties a read answers, or a write changes.
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { ProtoReader } from '../../../../sdk/contract/protobuf.ts';
import { parsePropertyPath, type PropertyPath } from '../../../codec/property-path.ts';
import { unknownField } from './request-fields.ts';

/** Throws DS_INVALID for what is no path. */
export function readPropertyMask(bytes: Buffer): readonly PropertyPath[] {
  const reader = new ProtoReader(bytes);
  const paths: PropertyPath[] = [];
  while (reader.next()) {
    if (reader.field !== 1) throw unknownField('PropertyMask', reader.field);
    paths.push(parsePropertyPath(reader.string()));
    if (paths.length > LIMITS.propertyMaskPathsMax) {
      throw new PlatformError('DS_LIMIT', `a property mask has at most ${LIMITS.propertyMaskPathsMax} paths`);
    }
  }
  return paths;
}
