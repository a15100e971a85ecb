// Where an entity comes up first in the results of a plan. An array property can put one entity at several places of an
// index; it is a result only at the first of them. Worked out from the entity itself, so that it holds across batches and
// cursors without any memory of what was returned.
import { ownKeyValue } from '../codec/row-key.ts';
import { type IndexedValues } from '../index/indexed-values.ts';
import { complement } from '../codec/value-code.ts';
import { type Order } from '../../sdk/contract/query.ts';
import { contains } from './bounds.ts';
import { type Disjunct, KEY } from './disjunct.ts';
import { type QueryPlan } from './plan.ts';
import { columnEnds } from './position.ts';

/** Undefined when the entity does not fit the query. */
export function firstPosition(plan: QueryPlan, values: IndexedValues, path: Buffer): Buffer | undefined {
  const end = plan.keyDirection === 'asc' ? path : complement(path);
  const own = withKey(plan, values, path);
  let first: Buffer | undefined;
  for (const { disjunct, fixed } of plan.branches) {
    if (!fits(disjunct, values, path)) continue;
    const columns = plan.layout.map((column, at) => fixed[at] ?? firstValue(disjunct, own, column));
    if (!columns.every((column) => column !== undefined)) continue;
    const position = Buffer.concat([...columns, end]);
    if (!first || Buffer.compare(position, first) < 0) first = position;
  }
  return first;
}

/** Whether one branch puts the entity at `position`, which one of its index rows gave. */
export function hasPosition(plan: QueryPlan, values: IndexedValues, path: Buffer, position: Buffer): boolean {
  const ends = columnEnds(position, plan.layout);
  const own = withKey(plan, values, path);
  return plan.branches.some(
    ({ disjunct, fixed }) =>
      fits(disjunct, values, path) &&
      plan.layout.every((column, at) => {
        const found = position.subarray(ends[at - 1] ?? 0, ends[at]);
        return (fixed[at] ? [fixed[at]] : wantedValues(disjunct, own, column)).some((one) => one.equals(found));
      }),
  );
}

/** With the key among the values where it is a column. */
function withKey({ layout, query }: QueryPlan, values: IndexedValues, path: Buffer): IndexedValues {
  if (!layout.some(({ property }) => property === KEY)) return values;
  return new Map([...values, [KEY, [ownKeyValue(query.partition, path)]]]);
}

function fits({ equalities, elsewhere, ancestor, keys }: Disjunct, values: IndexedValues, path: Buffer): boolean {
  if (!contains(keys, path)) return false;
  if (ancestor && !path.subarray(0, ancestor.length).equals(ancestor)) return false;
  if (![...elsewhere].every(([property, bounds]) => values.get(property)?.some((value) => contains(bounds, value)))) return false;
  return [...equalities].every(([property, wanted]) => {
    const has = values.get(property);
    return has !== undefined && wanted.every((value) => has.some((one) => one.equals(value)));
  });
}

/** The column's value that comes first in its direction. Columns of an index row vary independently. */
function firstValue(disjunct: Disjunct, values: IndexedValues, column: Order): Buffer | undefined {
  const wanted = wantedValues(disjunct, values, column);
  return column.direction === 'asc' ? wanted[0] : wanted.at(-1);
}

/** The property's values in its bounds as they stand in the column, by ascending value. */
function wantedValues({ ranges }: Disjunct, values: IndexedValues, { property, direction }: Order): readonly Buffer[] {
  const bounds = ranges.get(property) ?? {};
  const wanted = (values.get(property) ?? []).filter((value) => contains(bounds, value));
  return direction === 'asc' ? wanted : wanted.map(complement);
}
