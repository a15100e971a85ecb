// Which values of an entity are indexed, under which names, as they stand in ascending index rows.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Properties, type Value } from '../../sdk/contract/entity.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { writeValue } from '../codec/value-code.ts';

/** Per property its distinct values, ascending. A property of an embedded entity is named `outer.inner`. */
export type IndexedValues = ReadonlyMap<string, readonly Buffer[]>;

const writer = new OrderedWriter();

/**
 * Missing, unindexed and empty-array properties have no values. Throws DS_LIMIT for a value too long to index or too many
 * values.
 */
export function indexedValues(properties: Properties, appId: string): IndexedValues {
  const values = new Map<string, Buffer[]>();
  let count = 0;
  const add = (name: string, value: Value): void => {
    if (value.excludeFromIndexes) return;
    if (value.kind === 'array') {
      for (const item of value.values) add(name, item);
      return;
    }
    if (value.kind === 'entity') {
      addAll(`${name}.`, value.value.properties);
      return;
    }
    checkSize(name, value);
    const encoded = writeValue(writer.clear(), value, appId).take();
    const known = values.get(name);
    if (!known) values.set(name, [encoded]);
    else known.push(encoded);
    if (++count > LIMITS.indexEntriesPerEntityMax) throw tooManyEntries();
  };
  const addAll = (prefix: string, from: Properties): void => {
    for (const name in from) {
      const value = from[name];
      if (value) add(prefix + name, value);
    }
  };
  addAll('', properties);
  for (const [name, known] of values) if (known.length > 1) values.set(name, distinct(known));
  return values;
}

function tooManyEntries(): PlatformError {
  return new PlatformError('DS_LIMIT', `an entity has at most ${LIMITS.indexEntriesPerEntityMax} index entries`);
}

function distinct(values: readonly Buffer[]): Buffer[] {
  const sorted = [...values].sort((left, right) => Buffer.compare(left, right));
  return sorted.filter((value, index) => index === 0 || !value.equals(sorted[index - 1] ?? value));
}

function checkSize(name: string, value: Value): void {
  const bytes =
    value.kind === 'blob'
      ? value.value.length
      : value.kind === 'string' && value.value.length * 3 > LIMITS.indexedValueBytesMax
        ? Buffer.byteLength(value.value)
        : 0;
  if (bytes > LIMITS.indexedValueBytesMax) {
    throw new PlatformError('DS_LIMIT', `The value of property "${name}" is longer than ${LIMITS.indexedValueBytesMax} bytes.`);
  }
}
