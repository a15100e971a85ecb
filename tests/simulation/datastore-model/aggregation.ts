// count, sum and avg of the entries of a query, by adding them up.
import { type AggregationFunction } from '../../../sdk/contract/query.ts';
import { type Value } from '../../../sdk/contract/entity.ts';
import { columnsOf, type Entry, type Meaning, valueText } from './evaluation.ts';

const INTEGER_MAX = 2n ** 63n - 1n;
const INTEGER_MIN = -(2n ** 63n);

/** Undefined where the documentation does not say what comes out. */
export function aggregatesText(
  meaning: Meaning,
  entries: readonly Entry[],
  aggregations: readonly (AggregationFunction & { readonly alias: string })[],
): string | undefined {
  const texts: string[] = [];
  // A count that ends early reads no further, and nothing is said about the others of its request.
  const upTo = Math.max(...aggregations.map((one) => (one.kind === 'count' ? Number(one.upTo ?? Infinity) : Infinity)));
  const counted = entries.slice(0, upTo);
  for (const one of aggregations) {
    if (one.kind === 'count') {
      texts.push(`${one.alias}=${Math.min(counted.length, Number(one.upTo ?? Infinity))}`);
      continue;
    }
    const values = counted.map((entry) => valueOf(meaning, entry, one.property));
    if (values.includes('unsaid')) return undefined;
    texts.push(`${one.alias}=${valueText(one.kind === 'sum' ? sumOf(values) : averageOf(values))}`);
  }
  return texts.join(' ');
}

function valueOf(meaning: Meaning, { columns }: Entry, property: string): Value | undefined | 'unsaid' {
  const at = columnsOf(meaning).findIndex((column) => column.property === property);
  if (at >= 0) return columns[at];
  // The filter fixes it: one value, or several of which nothing says which counts.
  const fixed = meaning.branches[0]?.equalities.get(property) ?? [];
  return fixed.length > 1 ? 'unsaid' : fixed[0];
}

function sumOf(values: readonly (Value | undefined | 'unsaid')[]): Value {
  const { integers, doubles, hasDoubles } = totals(values);
  if (!hasDoubles && integers <= INTEGER_MAX && integers >= INTEGER_MIN) return { kind: 'integer', value: integers };
  return { kind: 'double', value: Number(integers) + doubles };
}

function averageOf(values: readonly (Value | undefined | 'unsaid')[]): Value {
  const { integers, doubles, count } = totals(values);
  return count === 0 ? { kind: 'null' } : { kind: 'double', value: (Number(integers) + doubles) / count };
}

function totals(values: readonly (Value | undefined | 'unsaid')[]) {
  let [integers, doubles, hasDoubles, count] = [0n, 0, false, 0];
  for (const value of values) {
    if (value === undefined || value === 'unsaid') continue;
    if (value.kind === 'integer') integers += value.value;
    else if (value.kind === 'timestamp') integers += value.micros;
    else if (value.kind === 'double') [doubles, hasDoubles] = [doubles + value.value, true];
    else continue;
    count++;
  }
  return { integers, doubles, hasDoubles, count };
}
