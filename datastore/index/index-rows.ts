// The index rows of one entity. A pure function, so that a write finds the old rows of an entity by computing them again.
//
//   K app db ns kind path                        one
//   P app db ns kind property value path         one per indexed property and distinct value
//   C app db ns index [ancestor END] column* path  one per combination of values [and ancestor, the entity included]
//
// The value of a P or C row is empty, or 01 when the entity has several combinations of values in that index: only then
// can it stand in one index scan twice.
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { PATH_END } from '../codec/path-code.ts';
import { ancestorPrefixes, compositePrefix, ownKeyValue, type Partition } from '../codec/row-key.ts';
import { complement } from '../codec/value-code.ts';
import { type CompositeIndex } from './composite-index.ts';
import { type IndexedValues } from './indexed-values.ts';

export interface IndexRow {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** A column of the entity's own key, for what is ordered by it and then bounded by something else. */
const KEY = '__key__';
const ONLY = Buffer.alloc(0);
const ONE_OF_MANY = Buffer.from([0x01]);

export function isOneOfMany(value: Buffer): boolean {
  return value.length > 0;
}

const writer = new OrderedWriter();

/** All rows, in composite indexes those of `composites`, which are of the entity's kind and which it fits into. */
export function indexRows(
  partition: Partition,
  kind: string,
  path: Buffer,
  values: IndexedValues,
  composites: readonly CompositeIndex[],
): readonly IndexRow[] {
  const rows: IndexRow[] = [{ key: writer.clear().raw(partition.kinds).text(kind).raw(path).take(), value: ONLY }];
  const prefix = writer.clear().raw(partition.properties).text(kind).take();
  for (const [property, ofProperty] of values) {
    const rowValue = ofProperty.length > 1 ? ONE_OF_MANY : ONLY;
    for (const value of ofProperty) {
      rows.push({ key: writer.clear().raw(prefix).text(property).raw(value).raw(path).take(), value: rowValue });
    }
  }
  for (const index of composites) rows.push(...compositeRows(partition, path, values, index));
  return rows;
}

/** The rows in one composite index; none when the entity lacks one of its properties. */
export function compositeRows(partition: Partition, path: Buffer, values: IndexedValues, index: CompositeIndex): readonly IndexRow[] {
  const { ancestor, properties } = index.definition;
  const columns: (readonly Buffer[])[] = [];
  for (const { name, direction } of properties) {
    const ofProperty = name === KEY ? [ownKeyValue(partition, path)] : values.get(name);
    if (!ofProperty) return [];
    columns.push(direction === 'desc' ? ofProperty.map(complement) : ofProperty);
  }
  const prefix = compositePrefix(partition, index.id);
  const heads = ancestor ? ancestorPrefixes(path).map((head) => writer.clear().raw(prefix).raw(head).byte(PATH_END).take()) : [prefix];
  const tails = combine(columns).map((tail) => Buffer.concat([...tail, path]));
  const value = tails.length > 1 ? ONE_OF_MANY : ONLY;
  return heads.flatMap((head) => tails.map((tail) => ({ key: Buffer.concat([head, tail]), value })));
}

/** Every way to choose one of each. */
function combine(columns: readonly (readonly Buffer[])[]): readonly (readonly Buffer[])[] {
  return columns.reduce<readonly (readonly Buffer[])[]>(
    (chosen, column) => chosen.flatMap((head) => column.map((value) => [...head, value])),
    [[]],
  );
}
