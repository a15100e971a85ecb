// count, sum and avg over the index entries of a query; no entity is read. One entry of an array property counts as one.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Value } from '../../sdk/contract/entity.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type AggregationFunction, type AggregationQuery } from '../../sdk/contract/query.ts';
import { assertNever } from '../../sdk/support/assert.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { readValue } from '../codec/value-code.ts';
import { KEY } from './disjunct.ts';
import { columnValues, type Window } from './executor.ts';
import { NOWHERE, type Reading } from './hit-source.ts';
import { type QueryPlan } from './plan.ts';
import { ResultScan } from './result-scan.ts';

const CHUNK = 512;
const INTEGER_MAX = 2n ** 63n - 1n;
const INTEGER_MIN = -(2n ** 63n);

export interface AggregateValue {
  readonly alias: string;
  readonly value: Value;
}

/** The properties that the aggregations need in the index. Throws DS_INVALID or DS_LIMIT. */
export function aggregatedProperties({ aggregations, nested }: AggregationQuery): readonly string[] {
  if (aggregations.length === 0) throw new PlatformError('DS_INVALID', 'an aggregation query has at least one aggregation');
  if (aggregations.length > LIMITS.queryAggregationsMax) {
    throw new PlatformError(
      'DS_LIMIT',
      `The maximum number of aggregations allowed in an aggregation query is ${LIMITS.queryAggregationsMax}. Received: ${aggregations.length}`,
    );
  }
  if (new Set(aggregations.map(({ alias }) => alias)).size < aggregations.length) {
    throw new PlatformError('DS_INVALID', 'two aggregations have the same alias');
  }
  const properties = aggregations.flatMap((one) => (one.kind === 'count' ? [] : [one.property]));
  if (properties.includes(KEY)) throw new PlatformError('DS_INVALID', `Aggregations are not supported for the property: ${KEY}`);
  const stray = properties.find((property) => nested.projection && nested.projection.length > 0 && !nested.projection.includes(property));
  if (stray !== undefined) throw new PlatformError('DS_INVALID', `the aggregated property "${stray}" is not projected`);
  return [...new Set(properties)];
}

/** Reads every entry of the window. `checkDeadline` throws when there is no time left. */
export async function runAggregations(
  plan: QueryPlan,
  { aggregations }: AggregationQuery,
  window: Window,
  reading: Reading,
  checkDeadline: () => void,
): Promise<readonly AggregateValue[]> {
  const tallies = aggregations.map((one) => new Tally(one));
  const onlyCounts = aggregations.every(({ kind }) => kind === 'count');
  const end = window.end ? { end: window.end } : {};
  const limit = Math.min(window.limit ?? Infinity, onlyCounts ? Math.max(...tallies.map(({ upTo }) => upTo)) : Infinity);
  let toSkip = window.offset;
  let left = limit;
  const scan = plan.branches.length > 0 ? new ResultScan(plan, reading, 'entry', { from: window.from ?? NOWHERE, ...end }) : undefined;
  try {
    for (let isDone = !scan; !isDone && left > 0 && scan;) {
      checkDeadline();
      const { accepted, state } = await scan.next(Math.min(CHUNK, toSkip + left));
      const counted = accepted.slice(toSkip, toSkip + left);
      toSkip -= Math.min(toSkip, accepted.length);
      left -= counted.length;
      for (const candidate of counted) {
        const values = onlyCounts ? undefined : withFixed(columnValues(plan, candidate), plan);
        for (const tally of tallies) tally.add(values);
      }
      isDone = state !== 'more';
    }
  } finally {
    await scan?.close();
  }
  return tallies.map((tally, at) => ({ alias: aggregations[at]?.alias ?? '', value: tally.result() }));
}

/** A property that the filter fixes is in no column: every entry has the value of the filter. */
function withFixed(values: ReadonlyMap<string, Value>, plan: QueryPlan): ReadonlyMap<string, Value> {
  const all = new Map(values);
  for (const [property, [value]] of plan.branches[0]?.disjunct.equalities ?? []) {
    if (value && !all.has(property)) all.set(property, readValue(new OrderedReader(value)));
  }
  return all;
}

class Tally {
  readonly #aggregation: AggregationFunction;
  #count = 0;
  #integers = 0n;
  #doubles = 0;
  #hasDoubles = false;

  constructor(aggregation: AggregationFunction) {
    if (aggregation.kind === 'count' && aggregation.upTo !== undefined && aggregation.upTo < 0n) {
      throw new PlatformError('DS_INVALID', 'COUNT UP TO needs a number that is not negative');
    }
    this.#aggregation = aggregation;
  }

  get upTo(): number {
    return this.#aggregation.kind === 'count' && this.#aggregation.upTo !== undefined ? Number(this.#aggregation.upTo) : Infinity;
  }

  add(values: ReadonlyMap<string, Value> | undefined): void {
    if (this.#aggregation.kind === 'count') {
      this.#count = Math.min(this.#count + 1, this.upTo);
      return;
    }
    const value = values?.get(this.#aggregation.property);
    if (value?.kind === 'integer') this.#integers += value.value;
    else if (value?.kind === 'double') {
      this.#doubles += value.value;
      this.#hasDoubles = true;
    } else return;
    this.#count++;
  }

  result(): Value {
    switch (this.#aggregation.kind) {
      case 'count':
        return { kind: 'integer', value: BigInt(this.#count) };
      case 'sum':
        if (!this.#hasDoubles && this.#integers <= INTEGER_MAX && this.#integers >= INTEGER_MIN)
          return { kind: 'integer', value: this.#integers };
        return { kind: 'double', value: Number(this.#integers) + this.#doubles };
      case 'avg':
        if (this.#count === 0) return { kind: 'null' };
        return { kind: 'double', value: (Number(this.#integers) + this.#doubles) / this.#count };
      default:
        return assertNever(this.#aggregation);
    }
  }
}
