// The rules of an entity's properties (reference, sections 1.3 and 3.6), in App Engine's words.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Properties, type Value } from '../../sdk/contract/entity.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { checkKey, isReserved } from '../codec/key-check.ts';

/** Marks a value that comes from an index; never written. */
export const INDEX_VALUE_MEANING = 18;
const LINK_MEANING = 2;
/** Text and compressed values are too long to be indexed by what they are. */
const UNINDEXED_MEANINGS: ReadonlySet<number> = new Set([15, 22]);

/** Throws DS_INVALID or DS_LIMIT with the rule that a property breaks. Sizes of indexed values are the index's concern. */
export function checkProperties(properties: Properties, isIndexed = true): void {
  for (const name in properties) {
    const value = properties[name];
    if (!value) continue;
    if (name === '') throw new PlatformError('DS_INVALID', 'The property.name is the empty string.');
    if (isReserved(name)) throw new PlatformError('DS_INVALID', `The property.name "${name}" is reserved.`);
    if (name.length * 3 > LIMITS.keyNameBytesMax && Buffer.byteLength(name) > LIMITS.keyNameBytesMax) {
      throw new PlatformError('DS_LIMIT', `The property.name is longer than ${LIMITS.keyNameBytesMax} bytes.`);
    }
    checkValue(name, value, isIndexed);
  }
}

function checkValue(name: string, value: Value, isParentIndexed: boolean): void {
  const isIndexed = isParentIndexed && !value.excludeFromIndexes;
  if (value.meaning !== undefined) checkMeaning(name, value, value.meaning, isIndexed);
  switch (value.kind) {
    case 'string':
    case 'blob':
      if (value.value.length * 3 > LIMITS.unindexedValueBytesMax && Buffer.byteLength(value.value) > LIMITS.unindexedValueBytesMax) {
        throw new PlatformError('DS_LIMIT', `The value of property "${name}" is longer than ${LIMITS.unindexedValueBytesMax} bytes.`);
      }
      return;
    case 'geoPoint':
      if (!(Math.abs(value.latitude) <= 90))
        throw new PlatformError('DS_INVALID', 'Geo point latitude outside permitted range -90.0 to 90.0.');
      if (!(Math.abs(value.longitude) <= 180)) {
        throw new PlatformError('DS_INVALID', 'Geo point longitude outside permitted range -180.0 to 180.0.');
      }
      return;
    case 'key':
      checkKey(value.value, 'filter');
      return;
    case 'entity':
      checkProperties(value.value.properties, isIndexed);
      return;
    case 'array':
      if (value.excludeFromIndexes) {
        throw new PlatformError(
          'DS_INVALID',
          `property "${name}": exclude_from_indexes belongs on the elements of a list_value, not on itself`,
        );
      }
      for (const item of value.values) checkValue(name, item, isIndexed);
      return;
    default:
  }
}

function checkMeaning(name: string, value: Value, meaning: number, isIndexed: boolean): void {
  if (meaning === INDEX_VALUE_MEANING) {
    throw new PlatformError('DS_INVALID', `the value of property "${name}" came from a projection and cannot be written`);
  }
  if (UNINDEXED_MEANINGS.has(meaning) && isIndexed && value.kind !== 'array') {
    throw new PlatformError('DS_INVALID', `the value of property "${name}" has meaning ${meaning} and must be excluded from indexes`);
  }
  if (meaning === LINK_MEANING && value.kind === 'string' && value.value.length > LIMITS.linkCharactersMax) {
    throw new PlatformError('DS_LIMIT', `The link of property "${name}" is longer than ${LIMITS.linkCharactersMax} characters.`);
  }
}
