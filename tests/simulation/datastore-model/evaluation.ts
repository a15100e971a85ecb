// What a query means, by looking at every entity: the naive truth that the planner and its scans are compared with.
import { type Properties, type Value } from '../../../sdk/contract/entity.ts';
import { type ErrorCode } from '../../../sdk/contract/errors.ts';
import { type Key } from '../../../sdk/contract/key.ts';
import { type Filter, type Order, type Query } from '../../../sdk/contract/query.ts';
import { compareKeys, compareTexts, compareValues } from './value-order.ts';

export interface ModelEntity {
  readonly key: Key;
  readonly properties: Properties;
  readonly version: bigint;
}

/** One place of an entity in the order of the results. */
export interface Entry {
  readonly entity: ModelEntity;
  /** Per column of the order. */
  readonly columns: readonly Value[];
}

export interface Meaning {
  /** Columns that order the results, the key not among them. */
  readonly sort: readonly Order[];
  /** Columns that results need but that do not order them. */
  readonly free: readonly string[];
  readonly keyDirection: 'asc' | 'desc';
  readonly resultKind: 'full' | 'projection' | 'key-only';
  readonly projection: readonly string[];
  readonly distinctOn: readonly string[];
  readonly branches: readonly Branch[];
}

interface Bound {
  readonly value: Value;
  readonly inclusive: boolean;
}

interface Range {
  readonly low?: Bound;
  readonly high?: Bound;
}

interface Branch {
  readonly equalities: ReadonlyMap<string, readonly Value[]>;
  readonly ranges: ReadonlyMap<string, Range>;
  /** Ranges that some element must lie in, and that order nothing: of properties with equalities, or of a single key. */
  readonly elsewhere: ReadonlyMap<string, Range>;
  readonly ancestors: readonly Key[];
  readonly keys: Range;
}

type Condition =
  | { readonly kind: 'equal'; readonly property: string; readonly value: Value }
  | { readonly kind: 'range'; readonly property: string; readonly range: Range }
  | { readonly kind: 'ancestor'; readonly key: Key };

const KEY = '__key__';
/** Of the documentation: 30 after IN, != and OR are written out. */
const BRANCHES_MAX = 30;

/** What the query asks for, or the code that refuses it. */
export function meaningOf(query: Query, aggregated: readonly string[] = []): Meaning | ErrorCode {
  const expanded = query.filter ? expand(query.filter) : [[]];
  if (expanded.length > BRANCHES_MAX) return 'DS_LIMIT';
  const given = expanded.map(branchFrom).filter((branch) => branch !== undefined);
  const needsColumns =
    (query.projection ?? []).some((name) => name !== KEY) || (query.distinctOn ?? []).length > 0 || aggregated.length > 0;
  const single = query.entityKind === undefined || needsColumns ? undefined : ofOneKey(given);
  const branches = single ? [single] : given;
  const orders = single ? [] : query.orders;
  const sameInAll = (property: string): boolean => {
    const [first, ...others] = branches.map(({ equalities }) => equalities.get(property));
    return (
      first !== undefined &&
      others.every((one) => one?.length === first.length && one.every((value) => first.some((other) => isSame(value, other))))
    );
  };
  const keyAt = orders.findIndex(({ property }) => property === KEY);
  const sort: Order[] = [];
  for (const order of keyAt < 0 ? orders : orders.slice(0, keyAt)) {
    if (!sameInAll(order.property) && !sort.some(({ property }) => property === order.property)) sort.push(order);
  }
  const bounded = unique(branches.flatMap(({ ranges }) => [...ranges.keys()])).filter(
    (name) => !sort.some(({ property }) => property === name),
  );
  // An order by the key comes before the inequalities that are ordered by no word of the query.
  const keyOrder = bounded.length > 0 ? orders[keyAt] : undefined;
  if (keyOrder) sort.push(keyOrder);
  sort.push(...bounded.sort(compareTexts).map((property): Order => ({ property, direction: 'asc' })));

  const distinctOn = query.distinctOn ?? [];
  const asked = query.projection ?? [];
  const projection = asked.filter((property) => property !== KEY);
  const resultKind = asked.length === 0 ? 'full' : projection.length === 0 ? 'key-only' : 'projection';
  if ([...projection, ...distinctOn].some(sameInAll)) return 'DS_INVALID';
  const firstOther = sort.findIndex(({ property }) => !distinctOn.includes(property));
  if (distinctOn.length > 0 && firstOther >= 0 && firstOther < new Set(distinctOn).size) return 'DS_INVALID';
  const free = unique([...distinctOn, ...projection, ...aggregated]).filter(
    (property) => !sort.some((order) => order.property === property) && !sameInAll(property),
  );
  const keyDirection = keyOrder ? 'asc' : (orders[keyAt]?.direction ?? 'asc');
  if (query.entityKind === undefined) {
    const hasFilters = branches.some(({ equalities, ranges }) => equalities.size > 0 || ranges.size > 0);
    if (hasFilters || sort.length > 0 || keyDirection === 'desc' || free.length > 0) return 'DS_INVALID';
  }
  return { sort, free, keyDirection, resultKind, projection, distinctOn, branches };
}

/** Every place of every entity that fits, in order. Places that differ in free columns only are in no certain order. */
export function entriesOf(meaning: Meaning, query: Query, entities: Iterable<ModelEntity>): readonly Entry[] {
  const columns = columnsOf(meaning);
  const entries: Entry[] = [];
  for (const entity of entities) {
    if (query.entityKind !== undefined && entity.key.path.at(-1)?.kind !== query.entityKind) continue;
    if (entity.key.namespace !== query.namespace || entity.key.databaseId !== query.databaseId) continue;
    for (const branch of meaning.branches) {
      if (!fits(entity, branch)) continue;
      const choices = columns.map(({ property, direction }) => choicesOf(entity, branch, property, direction));
      for (const chosen of combinations(choices)) entries.push({ entity, columns: chosen });
    }
  }
  entries.sort((left, right) => compareEntries(meaning, left, right));
  return entries.filter((entry, at) => at === 0 || compareEntries(meaning, entry, entries[at - 1] ?? entry) !== 0);
}

/** Each entity once, at its first place. */
export function firstPlaces(entries: readonly Entry[]): readonly Entry[] {
  const seen = new Set<ModelEntity>();
  return entries.filter(({ entity }) => !seen.has(entity) && seen.add(entity));
}

export function compareEntries(meaning: Meaning, left: Entry, right: Entry): number {
  for (const [at, { direction }] of columnsOf(meaning).entries()) {
    const [one, other] = [left.columns[at], right.columns[at]];
    const order = one && other ? compareValues(one, other) : 0;
    if (order !== 0) return direction === 'asc' ? order : -order;
  }
  const byKey = compareKeys(left.entity.key, right.entity.key);
  return meaning.keyDirection === 'asc' ? byKey : -byKey;
}

/** By the ordering columns alone. */
export function sortText(meaning: Meaning, { columns }: Entry): string {
  return columns.slice(0, meaning.sort.length).map(valueText).join(' ');
}

export function columnsOf({ sort, free }: Meaning): readonly Order[] {
  return [...sort, ...free.map((property): Order => ({ property, direction: 'asc' }))];
}

/** A value as an index gives it back, as text. */
export function valueText(value: Value): string {
  switch (value.kind) {
    case 'null':
      return 'null';
    case 'integer':
      return `${value.value}`;
    case 'timestamp':
      return `${value.micros}`;
    case 'boolean':
      return String(value.value);
    case 'blob':
      return `x'${Buffer.from(value.value).toString('hex')}'`;
    case 'string':
      return JSON.stringify(value.value);
    case 'double':
      return `double ${value.value + 0}`;
    case 'geoPoint':
      return `(${value.latitude + 0},${value.longitude + 0})`;
    case 'key':
      return keyText(value.value);
    case 'array':
      return `[${value.values.map(valueText).join()}]`;
    case 'entity':
      return propertiesText(value.value.properties);
  }
}

export function propertiesText(properties: Properties): string {
  const names = Object.keys(properties).sort();
  const one = (name: string): string => {
    const value = properties[name];
    return value ? `${name}: ${value.kind} ${value.excludeFromIndexes ? 'unindexed ' : ''}${valueText(value)}` : '';
  };
  return `{${names.map(one).join('; ')}}`;
}

export function keyText({ databaseId, namespace, path }: Key): string {
  return [databaseId, namespace, ...path.map(({ kind, id, name }) => `${kind}:${id === undefined ? JSON.stringify(name) : id}`)].join('/');
}

/** The distinct values under which a property is indexed, ascending; `a.b` is of an embedded entity. */
export function elementsOf(properties: Properties, property: string): readonly Value[] {
  const found: Value[] = [];
  const walk = (prefix: string, from: Properties): void => {
    for (const [name, value] of Object.entries(from)) add(prefix + name, value);
  };
  const add = (name: string, value: Value): void => {
    if (value.excludeFromIndexes) return;
    if (value.kind === 'array') for (const one of value.values) add(name, one);
    else if (value.kind === 'entity') walk(`${name}.`, value.value.properties);
    else if (name === property) found.push(value);
  };
  walk('', properties);
  found.sort(compareValues);
  return found.filter((value, at) => at === 0 || !isSame(value, found[at - 1] ?? value));
}

/** A query for one key has at most one result, which needs no order. */
function ofOneKey(branches: readonly Branch[]): Branch | undefined {
  const [only] = branches;
  if (!only || branches.length > 1) return undefined;
  const { low, high } = only.keys;
  if (!low || !high || compareValues(low.value, high.value) !== 0) return undefined;
  return { ...only, ranges: new Map(), elsewhere: new Map([...only.elsewhere, ...only.ranges]) };
}

function expand(filter: Filter): readonly (readonly Condition[])[] {
  if (filter.kind !== 'property') {
    if (filter.kind === 'or') return filter.filters.flatMap(expand);
    return filter.filters.map(expand).reduce((all, some) => all.flatMap((one) => some.map((other) => [...one, ...other])), [[]]);
  }
  const { property, operator, value } = filter;
  const range = (bounds: Range): readonly Condition[] => [{ kind: 'range', property, range: bounds }];
  switch (operator) {
    case '=':
      return [[{ kind: 'equal', property, value }]];
    case 'in':
      return distinct(value).map((one) => [{ kind: 'equal', property, value: one }]);
    case '<':
    case '<=':
      return [range({ high: { value, inclusive: operator === '<=' } })];
    case '>':
    case '>=':
      return [range({ low: { value, inclusive: operator === '>=' } })];
    case '!=':
      return gaps([value]).map(range);
    case 'not-in':
      return gaps(distinct(value)).map(range);
    case 'has-ancestor':
      return value.kind === 'key' ? [[{ kind: 'ancestor', key: value.value }]] : [];
  }
}

function distinct(list: Value): readonly Value[] {
  const values = list.kind === 'array' ? [...list.values].sort(compareValues) : [];
  return values.filter((value, at) => at === 0 || !isSame(value, values[at - 1] ?? value));
}

/** The open intervals around ascending values. */
function gaps(values: readonly Value[]): readonly Range[] {
  return Array.from({ length: values.length + 1 }, (_, at): Range => {
    const [low, high] = [values[at - 1], values[at]];
    return { ...(low ? { low: { value: low, inclusive: false } } : {}), ...(high ? { high: { value: high, inclusive: false } } : {}) };
  });
}

/** No branch when the conditions contradict each other. */
function branchFrom(conditions: readonly Condition[]): Branch | undefined {
  const equalities = new Map<string, Value[]>();
  const ranges = new Map<string, Range>();
  const ancestors: Key[] = [];
  const equal = (property: string, value: Value): void => {
    const known = equalities.get(property) ?? [];
    if (!known.some((one) => isSame(one, value))) equalities.set(property, [...known, value]);
  };
  for (const condition of conditions) {
    if (condition.kind === 'ancestor') ancestors.push(condition.key);
    else if (condition.kind === 'equal' && condition.property === KEY) {
      const point: Bound = { value: condition.value, inclusive: true };
      ranges.set(KEY, intersect(ranges.get(KEY) ?? {}, { low: point, high: point }));
    } else if (condition.kind === 'equal') equal(condition.property, condition.value);
    else ranges.set(condition.property, intersect(ranges.get(condition.property) ?? {}, condition.range));
  }
  const elsewhere = new Map<string, Range>();
  let isEmpty = ancestors.some((one) => ancestors.some((other) => !isBelow(one, other) && !isBelow(other, one)));
  const keys = ranges.get(KEY) ?? {};
  for (const [property, range] of ranges) {
    const { low, high } = range;
    const order = low && high ? compareValues(low.value, high.value) : -1;
    if (order > 0 || (order === 0 && !(low?.inclusive && high?.inclusive))) isEmpty = true;
    if (property === KEY) continue;
    if (order === 0 && low) equal(property, low.value);
    const fixed = equalities.get(property);
    if (!fixed) continue;
    if (!fixed.some((value) => isInside(value, range))) elsewhere.set(property, range);
    ranges.delete(property);
  }
  ranges.delete(KEY);
  return isEmpty ? undefined : { equalities, ranges, elsewhere, ancestors, keys };
}

function fits({ key, properties }: ModelEntity, { equalities, ranges, elsewhere, ancestors, keys }: Branch): boolean {
  if (!ancestors.every((ancestor) => isBelow(key, ancestor))) return false;
  if (!isInside({ kind: 'key', value: key }, keys)) return false;
  for (const [property, values] of equalities) {
    const elements = elementsOf(properties, property);
    if (!values.every((value) => elements.some((one) => isSame(one, value)))) return false;
  }
  return [...ranges, ...elsewhere].every(([property, range]) => elementsOf(properties, property).some((one) => isInside(one, range)));
}

/** What a column may hold: the value that the branch fixes, or each element that its bounds let through. */
function choicesOf(
  { key, properties }: ModelEntity,
  { equalities, ranges }: Branch,
  property: string,
  direction: Order['direction'],
): readonly Value[] {
  if (property === KEY) return [{ kind: 'key', value: key }];
  const fixed = equalities.get(property);
  if (fixed) {
    const sorted = [...fixed].sort(compareValues);
    const first = direction === 'asc' ? sorted[0] : sorted.at(-1);
    return first ? [first] : [];
  }
  return elementsOf(properties, property).filter((one) => isInside(one, ranges.get(property) ?? {}));
}

function isInside(value: Value, { low, high }: Range): boolean {
  const above = low ? compareValues(value, low.value) : 1;
  const below = high ? compareValues(value, high.value) : -1;
  return (above > 0 || (above === 0 && low?.inclusive === true)) && (below < 0 || (below === 0 && high?.inclusive === true));
}

function intersect(one: Range, other: Range): Range {
  const low = tighter(one.low, other.low, 1);
  const high = tighter(one.high, other.high, -1);
  return { ...(low ? { low } : {}), ...(high ? { high } : {}) };
}

function tighter(one: Bound | undefined, other: Bound | undefined, sign: 1 | -1): Bound | undefined {
  if (!one || !other) return one ?? other;
  const order = compareValues(one.value, other.value) * sign;
  if (order === 0) return one.inclusive ? other : one;
  return order > 0 ? one : other;
}

function isSame(left: Value, right: Value): boolean {
  return compareValues(left, right) === 0;
}

/** Whether `key` is `ancestor` or below it. */
function isBelow(key: Key, ancestor: Key): boolean {
  const head = { ...key, path: key.path.slice(0, ancestor.path.length) };
  return keyText(head) === keyText({ ...ancestor, namespace: key.namespace });
}

function combinations(choices: readonly (readonly Value[])[]): readonly (readonly Value[])[] {
  return choices.reduce<readonly (readonly Value[])[]>((all, some) => all.flatMap((one) => some.map((value) => [...one, value])), [[]]);
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
