// What a query means, before any index is looked at: its branches, and the one order that all results have.
//
// Rules (reference, sections 0, 1.9 and 3.3): an equality drops a sort order on its property, an IN does not; inequality
// properties without an order are ordered ascending, by name, after the explicit orders; `__key__` ends every order,
// ascending unless asked for; a projected or grouped property must be there.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Order, type Query } from '../../sdk/contract/query.ts';
import { checkPartition, isReserved } from '../codec/key-check.ts';
import { type Partition, partitionOf } from '../codec/row-key.ts';
import { singlePoint } from './bounds.ts';
import { countFilters, type Disjunct, disjunctsOf, inequalityProperties, KEY } from './disjunct.ts';
import { checkMetadataQuery, metadataKind } from './metadata-kind.ts';

export type Direction = 'asc' | 'desc';

export interface NormalQuery {
  readonly partition: Partition;
  readonly entityKind?: string;
  readonly disjuncts: readonly Disjunct[];
  /** Columns that order the results, `__key__` not among them. */
  readonly sort: readonly Order[];
  /** Properties that results need but that do not order them: those to group by first, then the others. */
  readonly groups: readonly (readonly string[])[];
  readonly keyDirection: Direction;
  readonly resultKind: 'full' | 'projection' | 'key-only';
  readonly projection: readonly string[];
  readonly distinctOn: readonly string[];
}

export interface NormalizeOptions {
  /** Properties whose values an aggregation needs besides. */
  readonly aggregated?: readonly string[];
}

/** Throws DS_INVALID, DS_LIMIT, DS_FORBIDDEN. */
export function normalize(query: Query, appId: string, options: NormalizeOptions = {}): NormalQuery {
  checkPartition(query.databaseId, query.namespace);
  const terms = countFilters(query.filter) + query.orders.length;
  if (terms > LIMITS.queryFiltersMax) {
    throw new PlatformError(
      'DS_LIMIT',
      `query is too large. may not have more than ${LIMITS.queryFiltersMax} filters + sort orders ancestor total`,
    );
  }
  const bounded = inequalityProperties(query.filter);
  if (bounded.size > LIMITS.queryInequalityPropertiesMax) {
    throw new PlatformError('DS_LIMIT', `a query has inequality filters on at most ${LIMITS.queryInequalityPropertiesMax} properties`);
  }
  if (query.limit !== undefined && query.limit < 0) throw new PlatformError('DS_INVALID', 'Limit must be non-negative.');
  if (query.offset < 0) throw new PlatformError('DS_INVALID', 'Offset must be non-negative.');
  const partition = partitionOf(appId, query.databaseId, query.namespace);
  const { resultKind, projection } = projectionOf(query);
  const distinctOn = query.distinctOn ?? [];
  const needsColumns = projection.length + distinctOn.length + (options.aggregated?.length ?? 0) > 0;
  const given = disjunctsOf(query.filter, partition);
  const single = needsColumns || query.entityKind === undefined ? undefined : ofOneKey(given);
  const disjuncts = single ? [single] : given;
  if (new Set(distinctOn).size < distinctOn.length) throw new PlatformError('DS_INVALID', 'cannot group by a property multiple times');
  checkNames([...projection, ...distinctOn, ...query.orders.map(({ property }) => property)]);
  const isFixed = (property: string): boolean => disjuncts.length > 0 && isSameInAll(disjuncts, property);
  for (const property of distinctOn) {
    if (isFixed(property))
      throw new PlatformError('DS_INVALID', `cannot use group by on a property with an equality filter: "${property}"`);
  }
  for (const property of projection) {
    if (isFixed(property))
      throw new PlatformError('DS_INVALID', `cannot use projection on a property with an equality filter: "${property}"`);
  }
  const { sort, keyDirection } = sortOf(single ? [] : query.orders, disjuncts, isFixed);
  checkGroupOrder(sort, distinctOn, query.orders);
  const sorted = new Set(sort.map(({ property }) => property));
  const grouped = unique(distinctOn).filter((property) => !sorted.has(property));
  const others = unique([...projection, ...(options.aggregated ?? [])]).filter(
    (property) => !sorted.has(property) && !grouped.includes(property) && !isFixed(property),
  );
  const normal: NormalQuery = {
    partition,
    ...(query.entityKind === undefined ? {} : { entityKind: query.entityKind }),
    disjuncts,
    sort,
    groups: [grouped, others].filter((group) => group.length > 0),
    keyDirection,
    resultKind,
    projection,
    distinctOn,
  };
  checkKindless(normal);
  const metadata = metadataKind(query.entityKind);
  if (metadata) checkMetadataQuery(metadata, { disjuncts, columns: sort.length + grouped.length + others.length, keyDirection });
  return normal;
}

/** A query for one key has at most one result: it needs no order, and no index but the key's own row. */
function ofOneKey(disjuncts: readonly Disjunct[]): Disjunct | undefined {
  const [only] = disjuncts;
  if (!only || disjuncts.length > 1 || !singlePoint(only.keys)) return undefined;
  return { ...only, ranges: new Map(), elsewhere: new Map([...only.elsewhere, ...only.ranges]) };
}

function projectionOf({ projection, distinctOn }: Query): Pick<NormalQuery, 'resultKind' | 'projection'> {
  if (!projection || projection.length === 0) return { resultKind: 'full', projection: [] };
  if (new Set(projection).size < projection.length) throw new PlatformError('DS_INVALID', 'cannot project a property multiple times');
  const properties = projection.filter((property) => property !== KEY);
  if (properties.length === 0) return { resultKind: 'key-only', projection: [] };
  const stray = distinctOn?.find((property) => !projection.includes(property));
  if (stray !== undefined) throw new PlatformError('DS_INVALID', `the property to group by "${stray}" is not projected`);
  return { resultKind: 'projection', projection: properties };
}

function checkNames(properties: readonly string[]): void {
  for (const property of properties) {
    if (property === '') throw new PlatformError('DS_INVALID', 'The property.name is the empty string.');
    if (property !== KEY && isReserved(property)) throw new PlatformError('DS_INVALID', `The property.name "${property}" is reserved.`);
  }
}

/** Whether every branch fixes the property, and to the same values. */
function isSameInAll(disjuncts: readonly Disjunct[], property: string): boolean {
  const first = disjuncts[0]?.equalities.get(property);
  return (
    first !== undefined &&
    disjuncts.every((disjunct) => {
      const values = disjunct.equalities.get(property);
      return values?.length === first.length && values.every((value, at) => value.equals(first[at] ?? value));
    })
  );
}

function sortOf(
  orders: readonly Order[],
  disjuncts: readonly Disjunct[],
  isFixed: (property: string) => boolean,
): Pick<NormalQuery, 'sort' | 'keyDirection'> {
  const keyAt = orders.findIndex(({ property }) => property === KEY);
  const explicit = keyAt === -1 ? orders : orders.slice(0, keyAt);
  const sort: Order[] = [];
  for (const order of explicit) {
    if (!isFixed(order.property) && !sort.some(({ property }) => property === order.property)) sort.push(order);
  }
  const unordered = unique(disjuncts.flatMap(({ ranges }) => [...ranges.keys()])).filter(
    (name) => !sort.some(({ property }) => property === name),
  );
  // A range on a property behind the key in the order: the key is a column of its own then.
  const keyOrder = unordered.length > 0 ? orders[keyAt] : undefined;
  const byName = [...unordered].sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
  return {
    sort: [...sort, ...(keyOrder ? [keyOrder] : []), ...byName.map((property): Order => ({ property, direction: 'asc' }))],
    keyDirection: keyOrder ? 'asc' : (orders[keyAt]?.direction ?? 'asc'),
  };
}

function checkGroupOrder(sort: readonly Order[], distinctOn: readonly string[], orders: readonly Order[]): void {
  if (distinctOn.length === 0) return;
  const firstOther = sort.findIndex(({ property }) => !distinctOn.includes(property));
  const other = sort[firstOther];
  if (!other || firstOther >= new Set(distinctOn).size) return;
  if (orders.some(({ property }) => property === other.property)) {
    throw new PlatformError('DS_INVALID', 'must specify all group by orderings before any non group by orderings');
  }
  throw new PlatformError(
    'DS_INVALID',
    `Inequality filter on ${other.property} must also be a group by property when group by properties are set.`,
  );
}

function checkKindless({ entityKind, disjuncts, sort, groups, keyDirection }: NormalQuery): void {
  if (entityKind !== undefined) return;
  if (disjuncts.some(({ equalities, ranges }) => equalities.size > 0 || ranges.size > 0)) {
    throw new PlatformError('DS_INVALID', `kind is required for non-${KEY} filters`);
  }
  if (sort.length > 0 || keyDirection === 'desc') {
    throw new PlatformError('DS_INVALID', `kind is required for all orders except ${KEY} ascending`);
  }
  if (groups.length > 0) throw new PlatformError('DS_INVALID', `kind is required for non-${KEY} projections`);
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}
