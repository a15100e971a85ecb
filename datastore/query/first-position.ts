// Where an entity comes up first in the results of a plan. An array property can put one entity at several places of an
// index; it is a result only at the first of them. Worked out from the entity itself, so that it holds across batches and
// cursors without any memory of what was returned.
import { type IndexedValues } from '../index/indexed-values.ts';
import { complement } from '../codec/value-code.ts';
import { type Order } from '../../sdk/contract/query.ts';
import { contains } from './bounds.ts';
import { type Disjunct } from './disjunct.ts';
import { type QueryPlan } from './plan.ts';

/** Undefined when the entity does not fit the query. */
export function firstPosition(plan: QueryPlan, values: IndexedValues, path: Buffer): Buffer | undefined {
  const end = plan.keyDirection === 'asc' ? path : complement(path);
  let first: Buffer | undefined;
  for (const { disjunct, fixed } of plan.branches) {
    if (!fits(disjunct, values, path)) continue;
    const columns = plan.layout.map((column, at) => fixed[at] ?? firstValue(disjunct, values, column));
    if (!columns.every((column) => column !== undefined)) continue;
    const position = Buffer.concat([...columns, end]);
    if (!first || Buffer.compare(position, first) < 0) first = position;
  }
  return first;
}

function fits({ equalities, ancestor, keys }: Disjunct, values: IndexedValues, path: Buffer): boolean {
  if (!contains(keys, path)) return false;
  if (ancestor && !path.subarray(0, ancestor.length).equals(ancestor)) return false;
  return [...equalities].every(([property, wanted]) => {
    const has = values.get(property);
    return has !== undefined && wanted.every((value) => has.some((one) => one.equals(value)));
  });
}

/** The column's value that comes first in its direction, of those in its bounds. Columns of an index row vary independently. */
function firstValue({ ranges }: Disjunct, values: IndexedValues, { property, direction }: Order): Buffer | undefined {
  const bounds = ranges.get(property) ?? {};
  const wanted = (values.get(property) ?? []).filter((value) => contains(bounds, value));
  if (direction === 'asc') return wanted[0];
  const greatest = wanted.at(-1);
  return greatest && complement(greatest);
}
