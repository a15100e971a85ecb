// A filter as an OR of ANDs. IN becomes one branch per value, != two and NOT IN one more than it has values; each branch is
// answered by its own index scans.
import { type Value } from '../../sdk/contract/entity.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Filter, type PropertyFilter } from '../../sdk/contract/query.ts';
import { checkKey, isReserved } from '../codec/key-check.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { type Partition, pathBytes, pathPrefixBytes } from '../codec/row-key.ts';
import { writeValue } from '../codec/value-code.ts';
import { type Bounds, contains, intersect, isEmptyBounds, singlePoint } from './bounds.ts';

export const KEY = '__key__';

/** One branch: all of it must hold. */
export interface Disjunct {
  /** Distinct encoded values per property; several mean an array property that has them all. */
  readonly equalities: ReadonlyMap<string, readonly Buffer[]>;
  /** Properties without an equality. */
  readonly ranges: ReadonlyMap<string, Bounds>;
  /**
   * Ranges that no index row is asked for. Per property with equalities one that none of their values lies in, so that another
   * element of the array must; and all ranges where the key is given.
   */
  readonly elsewhere: ReadonlyMap<string, Bounds>;
  /** The encoded path of the ancestor, without END. */
  readonly ancestor?: Buffer;
  /** Of encoded paths. */
  readonly keys: Bounds;
}

type Condition =
  | { readonly kind: 'equal'; readonly property: string; readonly value: Buffer }
  | { readonly kind: 'range'; readonly property: string; readonly bounds: Bounds }
  | { readonly kind: 'ancestor'; readonly path: Buffer };

const writer = new OrderedWriter();

/** The branches that can hold at all; none when the filter contradicts itself. Throws DS_INVALID, DS_LIMIT, DS_FORBIDDEN. */
export function disjunctsOf(filter: Filter | undefined, partition: Partition): readonly Disjunct[] {
  const branches = filter ? expand(filter, partition) : [[]];
  return branches.map(disjunctFrom).filter((disjunct) => disjunct !== undefined);
}

/** Conditions in the filter, as App Engine counts them. */
export function countFilters(filter: Filter | undefined): number {
  if (!filter) return 0;
  return filter.kind === 'property' ? 1 : filter.filters.reduce((sum, one) => sum + countFilters(one), 0);
}

const INEQUALITIES: readonly PropertyFilter['operator'][] = ['<', '<=', '>', '>=', '!=', 'not-in'];

/** Properties that the filter bounds by other than single values. */
export function inequalityProperties(filter: Filter | undefined): ReadonlySet<string> {
  if (!filter) return new Set();
  if (filter.kind !== 'property') return new Set(filter.filters.flatMap((one) => [...inequalityProperties(one)]));
  return new Set(INEQUALITIES.includes(filter.operator) ? [filter.property] : []);
}

function expand(filter: Filter, partition: Partition): readonly (readonly Condition[])[] {
  switch (filter.kind) {
    case 'property':
      return checkCount(branchesOf(filter, partition).map((condition) => [condition]));
    case 'or':
      return checkCount(filter.filters.flatMap((one) => expand(one, partition)));
    case 'and':
      return filter.filters.reduce<readonly (readonly Condition[])[]>(
        (branches, one) => {
          const added = expand(one, partition);
          checkDisjunctions(branches.length * added.length);
          return branches.flatMap((branch) => added.map((conditions) => [...branch, ...conditions]));
        },
        [[]],
      );
  }
}

function checkCount<T>(branches: readonly T[]): readonly T[] {
  checkDisjunctions(branches.length);
  return branches;
}

function checkDisjunctions(count: number): void {
  if (count > LIMITS.queryDisjunctionsMax) {
    throw new PlatformError(
      'DS_LIMIT',
      `a query has at most ${LIMITS.queryDisjunctionsMax} branches after expanding IN and OR, this one ${count}`,
    );
  }
}

function branchesOf({ property, operator, value }: PropertyFilter, partition: Partition): readonly Condition[] {
  checkProperty(property);
  const encode = (one: Value): Buffer => encodeOperand(property, one, partition);
  const range = (bounds: Bounds): Condition => ({ kind: 'range', property, bounds });
  switch (operator) {
    case '=':
      return [{ kind: 'equal', property, value: encode(value) }];
    case '<':
    case '<=':
      return [range({ high: { value: encode(value), inclusive: operator === '<=' } })];
    case '>':
    case '>=':
      return [range({ low: { value: encode(value), inclusive: operator === '>=' } })];
    case '!=':
      return outside([encode(value)]).map(range);
    case 'in':
      return sortedOperands(operator, value, encode).map((one) => ({ kind: 'equal', property, value: one }));
    case 'not-in':
      return outside(sortedOperands(operator, value, encode)).map(range);
    case 'has-ancestor':
      if (property !== KEY) throw new PlatformError('DS_INVALID', `property must be ${KEY}`);
      return [{ kind: 'ancestor', path: pathPrefixBytes(keyPath(value, partition)) }];
  }
}

/** The open intervals between and beside `values`, which are ascending. */
function outside(values: readonly Buffer[]): readonly Bounds[] {
  const open = (value: Buffer | undefined): { readonly value: Buffer; readonly inclusive: false } | undefined =>
    value && { value, inclusive: false };
  return [...values, undefined].map((value, at) => {
    const [low, high] = [open(values[at - 1]), open(value)];
    return { ...(low ? { low } : {}), ...(high ? { high } : {}) };
  });
}

function sortedOperands(operator: string, value: Value, encode: (one: Value) => Buffer): readonly Buffer[] {
  if (value.kind !== 'array') throw new PlatformError('DS_INVALID', `${operator.toUpperCase()} needs a list value`);
  if (value.values.length === 0) throw new PlatformError('DS_INVALID', `${operator.toUpperCase()} needs at least one value`);
  const valuesMax = operator === 'in' ? LIMITS.queryInValuesMax : LIMITS.queryNotInValuesMax;
  if (value.values.length > valuesMax) {
    throw new PlatformError('DS_LIMIT', `${operator.toUpperCase()} takes at most ${valuesMax} values, got ${value.values.length}`);
  }
  const sorted = value.values.map(encode).sort((left, right) => Buffer.compare(left, right));
  return sorted.filter((one, at) => at === 0 || !one.equals(sorted[at - 1] ?? one));
}

function checkProperty(property: string): void {
  if (property === '') throw new PlatformError('DS_INVALID', 'The property.name is the empty string.');
  if (property !== KEY && isReserved(property)) throw new PlatformError('DS_INVALID', `The property.name "${property}" is reserved.`);
}

function encodeOperand(property: string, value: Value, partition: Partition): Buffer {
  if (property === KEY) return pathBytes(keyPath(value, partition));
  return writeValue(writer.clear(), value, partition.appId).take();
}

function keyPath(value: Value, partition: Partition): Parameters<typeof pathBytes>[0] {
  if (value.kind !== 'key') throw new PlatformError('DS_INVALID', `${KEY} filter value must be a key`);
  const key = value.value;
  checkKey(key, 'filter');
  if (key.projectId !== '' && key.projectId !== partition.appId) {
    throw new PlatformError('DS_FORBIDDEN', `a key of "${key.projectId}" in a query of "${partition.appId}"`);
  }
  if (key.databaseId !== partition.databaseId || key.namespace !== partition.namespace) {
    throw new PlatformError('DS_INVALID', `a ${KEY} filter must be in the query's own database and namespace`);
  }
  return key.path;
}

function disjunctFrom(conditions: readonly Condition[]): Disjunct | undefined {
  const equalities = new Map<string, Buffer[]>();
  const ranges = new Map<string, Bounds>();
  const elsewhere = new Map<string, Bounds>();
  let ancestor: Buffer | undefined;
  let keys: Bounds = {};
  for (const condition of conditions) {
    if (condition.kind === 'ancestor') {
      const narrower = nestedAncestor(ancestor, condition.path);
      if (!narrower) return undefined;
      ancestor = narrower;
    } else if (condition.property === KEY) {
      keys = intersect(keys, condition.kind === 'equal' ? pointBounds(condition.value) : condition.bounds);
    } else if (condition.kind === 'equal') addValue(equalities, condition.property, condition.value);
    else ranges.set(condition.property, intersect(ranges.get(condition.property) ?? {}, condition.bounds));
  }
  if (isEmptyBounds(keys)) return undefined;
  for (const [property, bounds] of ranges) {
    if (isEmptyBounds(bounds)) return undefined;
    const point = singlePoint(bounds);
    if (point) addValue(equalities, property, point);
    if (!point && !equalities.has(property)) continue;
    // An equality fixes the property; a range on it as well either says nothing new or needs another element.
    if (!(equalities.get(property) ?? []).some((value) => contains(bounds, value))) elsewhere.set(property, bounds);
    ranges.delete(property);
  }
  // In one order whatever the filter's, so that branches that fix the same values are seen to.
  for (const values of equalities.values()) values.sort((left, right) => Buffer.compare(left, right));
  return { equalities, ranges, elsewhere, keys, ...(ancestor ? { ancestor } : {}) };
}

/** Both conditions hold only if one ancestor is below the other. */
function nestedAncestor(one: Buffer | undefined, other: Buffer): Buffer | undefined {
  if (!one) return other;
  const [shorter, longer] = one.length < other.length ? [one, other] : [other, one];
  return longer.subarray(0, shorter.length).equals(shorter) ? longer : undefined;
}

function pointBounds(value: Buffer): Bounds {
  return { low: { value, inclusive: true }, high: { value, inclusive: true } };
}

function addValue(map: Map<string, Buffer[]>, property: string, value: Buffer): void {
  const known = map.get(property);
  if (!known) map.set(property, [value]);
  else if (!known.some((one) => one.equals(value))) known.push(value);
}
