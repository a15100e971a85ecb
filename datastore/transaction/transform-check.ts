// The rules of paths and transforms that can be seen without the entity that they change.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { isReserved } from '../codec/key-check.ts';
import { type DatastoreScope, ownValue } from '../codec/own-key.ts';
import { formatPropertyPath, type PropertyPath } from '../codec/property-path.ts';
import { assertNever } from '../../sdk/support/assert.ts';
import { type PropertyTransform } from './mutation.ts';

/** The one reserved name that a mask may hold: the key, which no write changes and every read answers. */
const KEY_NAME = '__key__';

/** Throws DS_INVALID or DS_LIMIT. */
export function checkPath(path: PropertyPath, use: 'mask' | 'transform'): void {
  const text = formatPropertyPath(path);
  if (use === 'mask' && text === KEY_NAME) return;
  if (path.length > LIMITS.entityDepthMax + 1) {
    throw new PlatformError('DS_LIMIT', `a property path has ${path.length} names, entities nest at most ${LIMITS.entityDepthMax} deep`);
  }
  for (const name of path) {
    if (isReserved(name)) throw new PlatformError('DS_INVALID', `The property.name "${name}" is reserved.`);
    if (Buffer.byteLength(name) > LIMITS.keyNameBytesMax) {
      throw new PlatformError('DS_LIMIT', `The property.name is longer than ${LIMITS.keyNameBytesMax} bytes.`);
    }
  }
}

/** The transform with its values as they are stored. Throws DS_INVALID for a value that it cannot be made with. */
export function ownTransform(transform: PropertyTransform, scope: DatastoreScope): PropertyTransform {
  switch (transform.kind) {
    case 'request-time':
      return transform;
    case 'increment':
    case 'maximum':
    case 'minimum': {
      const { operand, kind } = transform;
      if (operand.kind === 'integer' || operand.kind === 'double') return transform;
      throw invalid(transform, `${kind} must be an integer or a double value, not one of type ${operand.kind}`);
    }
    case 'append-missing':
    case 'remove-all':
      for (const { kind } of transform.elements) {
        if (kind === 'array') throw invalid(transform, 'list_value cannot contain a Value containing another list_value.');
      }
      return { ...transform, elements: transform.elements.map((element) => ownValue(element, scope)) };
    default:
      return assertNever(transform);
  }
}

function invalid({ path }: PropertyTransform, reason: string): PlatformError {
  return new PlatformError('DS_INVALID', `the transform of "${formatPropertyPath(path)}": ${reason}`);
}
