// What a plan reads, in lines for people: the index of each scan, the range of its rows, and what is left to check row by row.
import { type Filter } from '../../sdk/contract/query.ts';
import { describeKey } from '../../sdk/contract/key.ts';
import { formatTimestamp } from '../../sdk/contract/timestamp-text.ts';
import { type Value } from '../../sdk/contract/entity.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { keyFromPath } from '../codec/row-key.ts';
import { readValue } from '../codec/value-code.ts';
import { type Bounds, singlePoint } from './bounds.ts';
import { KEY } from './disjunct.ts';
import { type BranchPlan, type QueryPlan, type ScanPlan } from './plan.ts';

const TEXT_CHARACTERS_MAX = 60;

/** `filter` is what the plan was made for: an index row does not say whether an integer was a time. */
export function planLines(plan: QueryPlan, filter: Filter | undefined): readonly string[] {
  if (plan.branches.length === 0) return ['nothing: the filter contradicts itself'];
  const writer = new PlanWriter(plan, filter);
  return plan.branches.flatMap((branch, at) => writer.branch(branch, plan.branches.length > 1 ? `branch ${at + 1}: ` : ''));
}

/** An index that a query reads, in the words of the public API's query plans. */
export interface UsedIndex {
  readonly scope: 'Collection group' | 'Includes ancestors';
  /** `(date DESC, __name__ ASC)`: the key is called `__name__` there. */
  readonly properties: string;
}

/** Each index once, in the order of the scans. */
export function indexesUsed({ branches }: QueryPlan): readonly UsedIndex[] {
  const used = branches.flatMap(({ scans, disjunct }) => scans.map((scan) => usedIndex(scan, disjunct.ancestor !== undefined)));
  return [...new Map(used.map((one) => [`${one.scope} ${one.properties}`, one])).values()];
}

function usedIndex({ indexed, bounds, belowAncestor }: ScanPlan, hasAncestor: boolean): UsedIndex {
  const key = { property: KEY, direction: 'asc' };
  const columns = (indexed.some(({ property }) => property === KEY) ? indexed : [...indexed, key]).map(
    ({ property, direction }) => `${property === KEY ? '__name__' : property} ${direction.toUpperCase()}`,
  );
  // Rows in key order lie below the ancestor by themselves.
  const isWithin = belowAncestor || (bounds === 'keys' && hasAncestor);
  return { scope: isWithin ? 'Includes ancestors' : 'Collection group', properties: `(${columns.join(', ')})` };
}

class PlanWriter {
  readonly #plan: QueryPlan;
  readonly #times: ReadonlySet<bigint>;

  constructor(plan: QueryPlan, filter: Filter | undefined) {
    this.#plan = plan;
    this.#times = new Set(timesIn(filter));
  }

  branch(branch: BranchPlan, head: string): readonly string[] {
    const { scans } = branch;
    const join = scans.length > 1 ? 'merge join: ' : '';
    const lines = scans.map((scan) => {
      const range = this.#range(scan, branch);
      return `${head}${join}${scan.label}${range.length > 0 ? `: ${range.join(', ')}` : ''}`;
    });
    const checks = this.#checks(branch);
    return checks.length > 0 ? [...lines, `${head}of these rows: ${checks.join(', ')}`] : lines;
  }

  #range({ fixes, bounds, belowAncestor }: ScanPlan, { disjunct, columns }: BranchPlan): readonly string[] {
    const fixed = fixes.map(([property, value]) => `${property} = ${this.#value(value)}`);
    const [first] = columns;
    const ofColumn =
      bounds === 'column' && first && first.property !== KEY ? this.#bounds(first.property, disjunct.ranges.get(first.property)) : [];
    const ofKeys = bounds === 'keys' || first?.property === KEY ? this.#keys(disjunct.keys) : [];
    return [...(bounds === 'keys' || belowAncestor ? this.#ancestor(disjunct.ancestor) : []), ...fixed, ...ofColumn, ...ofKeys];
  }

  #checks({ disjunct, columns, columnChecks, checksKeys }: BranchPlan): readonly string[] {
    const ofColumns = columns.flatMap(({ property }, at) => {
      if (!columnChecks[at]) return [];
      return property === KEY ? this.#keys(disjunct.keys) : this.#bounds(property, disjunct.ranges.get(property));
    });
    const ofKeys = checksKeys && columns[0]?.property !== KEY ? this.#keys(disjunct.keys) : [];
    const elsewhere = [...disjunct.elsewhere].flatMap(([property, bounds]) =>
      this.#bounds(property, bounds).map((one) => `${one} by the entity`),
    );
    return [...ofColumns, ...ofKeys, ...elsewhere];
  }

  #bounds(property: string, bounds: Bounds = {}): readonly string[] {
    return this.#written(property, bounds, (value) => this.#value(value));
  }

  #keys(bounds: Bounds): readonly string[] {
    return this.#written(KEY, bounds, (path) => cut(describeKey(keyFromPath(this.#plan.query.partition, path))));
  }

  #ancestor(path: Buffer | undefined): readonly string[] {
    if (!path) return [];
    return [`below ${cut(describeKey(keyFromPath(this.#plan.query.partition, Buffer.concat([path, Buffer.alloc(1)]))))}`];
  }

  #written(property: string, { low, high }: Bounds, text: (value: Buffer) => string): readonly string[] {
    const point = singlePoint({ ...(low ? { low } : {}), ...(high ? { high } : {}) });
    if (point) return [`${property} = ${text(point)}`];
    return [
      ...(low ? [`${property} ${low.inclusive ? '>=' : '>'} ${text(low.value)}`] : []),
      ...(high ? [`${property} ${high.inclusive ? '<=' : '<'} ${text(high.value)}`] : []),
    ];
  }

  #value(encoded: Buffer): string {
    const value = readValue(new OrderedReader(encoded));
    return cut(this.#text(value));
  }

  #text(value: Value): string {
    switch (value.kind) {
      case 'integer':
        return this.#times.has(value.value) ? formatTimestamp(value.value) : String(value.value);
      case 'double':
      case 'boolean':
        return String(value.value);
      case 'string':
        return JSON.stringify(value.value);
      case 'blob':
        return `blob ${Buffer.from(value.value).toString('base64url')}`;
      case 'geoPoint':
        return `${value.latitude}, ${value.longitude}`;
      case 'key':
        return describeKey(value.value);
      default:
        return value.kind;
    }
  }
}

function timesIn(filter: Filter | undefined): readonly bigint[] {
  if (!filter) return [];
  if (filter.kind !== 'property') return filter.filters.flatMap(timesIn);
  const values = filter.value.kind === 'array' ? filter.value.values : [filter.value];
  return values.flatMap((value) => (value.kind === 'timestamp' ? [value.micros] : []));
}

function cut(text: string): string {
  return text.length > TEXT_CHARACTERS_MAX ? `${text.slice(0, TEXT_CHARACTERS_MAX - 1)}…` : text;
}
