// Which index rows answer a query: a pure function of the query and the indexes there are.
//
// Single-property rows answer a query with equalities only (joined when there are several), or with one ordered or bounded
// property and nothing else. Everything else needs composite indexes of the same kind that end in exactly the ordered
// columns and begin with equality properties; several are joined when together they cover all equalities and the ancestor.
import { type IndexDefinition } from '../../sdk/contract/index-definition.ts';
import { type Order } from '../../sdk/contract/query.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { PATH_END } from '../codec/path-code.ts';
import { compositePrefix, kindPrefix, ownKeyValue, propertyPrefix } from '../codec/row-key.ts';
import { complement } from '../codec/value-code.ts';
import { type CompositeIndex, describeIndex } from '../index/composite-index.ts';
import { keyAfterPrefix } from '../storage/key-bytes.ts';
import { type Bound, type Bounds, type ColumnRange, columnRange, EVERYTHING } from './bounds.ts';
import { type Disjunct, KEY } from './disjunct.ts';
import { type MetadataKind, metadataKind, metadataPrefix } from './metadata-kind.ts';
import { NeedIndexError } from './need-index.ts';
import { type NormalQuery } from './normal-query.ts';
import { type BranchPlan, type QueryPlan, type ScanPlan } from './plan.ts';

/**
 * Throws DS_NEED_INDEX when the serving indexes do not answer the query; `details.indexYaml` holds the lines of index.yaml
 * that would. A read at an earlier time uses what has been maintained since then.
 */
export function planQuery(query: NormalQuery, indexes: readonly CompositeIndex[], readTime?: bigint): QueryPlan {
  const metadata = metadataKind(query.entityKind);
  if (metadata) return metadataPlan(query, metadata);
  const ready = indexes.filter((index) => index.state === 'serving' && index.definition.kind === query.entityKind);
  const serving = readTime === undefined ? ready : ready.filter(({ since }) => since <= readTime);
  const plan = firstPlan(query, serving);
  if (plan) return plan;
  if (firstPlan(query, ready)) {
    throw new NeedIndexError([], 'the index that the query needs is younger than the read time: it was complete only later');
  }
  const awaited = indexes.filter((index) => index.state !== 'deleting' && index.definition.kind === query.entityKind);
  if (firstPlan(query, awaited)) {
    throw new NeedIndexError([], 'the index that the query needs is not ready: it is being built, or its building failed');
  }
  const layout = canonicalLayout(query);
  const wanted = query.disjuncts.filter((disjunct) => !planBranch(query, disjunct, layout, serving));
  throw new NeedIndexError(wanted.map((disjunct) => idealIndex(query, disjunct, layout)));
}

const KEYS = { indexed: [], fixes: [], bounds: 'keys', belowAncestor: false } as const;

function metadataPlan(query: NormalQuery, kind: MetadataKind): QueryPlan {
  const prefix = metadataPrefix(kind, query.partition);
  const branches = query.disjuncts.map((disjunct): BranchPlan => {
    const scan: ScanPlan = { kind: 'forward', prefix, range: pathRange(disjunct), hasFlags: false, label: `${kind}, by seeks`, ...KEYS };
    return { disjunct, scans: [scan], fixed: [], columns: [], columnChecks: [], checksKeys: false };
  });
  return { query, layout: [], keyDirection: 'asc', branches };
}

function firstPlan(query: NormalQuery, indexes: readonly CompositeIndex[]): QueryPlan | undefined {
  for (const layout of layouts(query, indexes)) {
    const branches = query.disjuncts.map((disjunct) => planBranch(query, disjunct, layout, indexes));
    if (branches.every((branch) => branch !== undefined)) return { query, layout, keyDirection: query.keyDirection, branches };
  }
  return undefined;
}

/** Properties that only have to be there may stand in any order that an index offers, each group by itself. */
function layouts(query: NormalQuery, indexes: readonly CompositeIndex[]): readonly (readonly Order[])[] {
  const canonical = canonicalLayout(query);
  if (query.groups.length === 0) return [canonical];
  const offered = indexes
    .map(({ definition }) => rowOrders(ordersOf(definition).slice(-canonical.length), query))
    .filter((columns) => isLayout(columns, query, canonical.length));
  return [canonical, ...offered];
}

function canonicalLayout({ sort, groups }: NormalQuery): readonly Order[] {
  return [...sort, ...groups.flatMap((group) => [...group].sort().map((property): Order => ({ property, direction: 'asc' })))];
}

function isLayout(columns: readonly Order[], { sort, groups }: NormalQuery, length: number): boolean {
  if (columns.length !== length || !sort.every((order, at) => isSameOrder(order, columns[at]))) return false;
  let from = sort.length;
  return groups.every((group) => {
    const part = columns.slice(from, (from += group.length));
    return group.every((name) => part.some(({ property }) => property === name));
  });
}

/** Columns of an index as the results come when it is read so that keys have the wanted direction. */
function rowOrders(columns: readonly Order[], { keyDirection }: NormalQuery): readonly Order[] {
  return keyDirection === 'asc' ? columns : columns.map(opposite);
}

function ordersOf({ properties }: IndexDefinition): readonly Order[] {
  return properties.map(({ name, direction }) => ({ property: name, direction }));
}

function opposite({ property, direction }: Order): Order {
  return { property, direction: direction === 'asc' ? 'desc' : 'asc' };
}

function isSameOrder(left: Order, right: Order | undefined): boolean {
  return left.property === right?.property && left.direction === right.direction;
}

function planBranch(
  query: NormalQuery,
  disjunct: Disjunct,
  layout: readonly Order[],
  indexes: readonly CompositeIndex[],
): BranchPlan | undefined {
  const fixed = layout.map(({ property, direction }) => fixedColumn(disjunct, property, direction));
  const columns = layout.filter((_, at) => fixed[at] === undefined);
  const ranges = columns.map(({ property, direction }): ColumnRange | undefined => {
    const bounds = boundsOf(query, disjunct, property);
    return bounds && columnRange(bounds, direction);
  });
  const scans = columns.length === 0 ? keyScans(query, disjunct, indexes) : columnScans(query, disjunct, columns, indexes);
  if (!scans) return undefined;
  return {
    disjunct,
    scans,
    fixed,
    columns,
    columnChecks: ranges.map((range, at) => (at === 0 ? undefined : range)),
    checksKeys: columns.length > 0 && (disjunct.keys.low !== undefined || disjunct.keys.high !== undefined),
    ...proofOf(disjunct),
  };
}

/** The rows of an equality say whether the entity has other elements at all. */
function proofOf({ equalities, elsewhere }: Disjunct): Pick<BranchPlan, 'proof'> {
  if (elsewhere.size === 0) return {};
  return { proof: [...elsewhere.keys()].some((property) => equalities.has(property)) ? 'several' : 'each' };
}

/** Of the values of a column. Keys stand in a column as values, and not as their paths. */
function boundsOf({ partition }: NormalQuery, { ranges, keys }: Disjunct, property: string): Bounds | undefined {
  if (property !== KEY) return ranges.get(property);
  const valueBound = (bound: Bound): Bound => ({ ...bound, value: ownKeyValue(partition, bound.value) });
  return { ...(keys.low ? { low: valueBound(keys.low) } : {}), ...(keys.high ? { high: valueBound(keys.high) } : {}) };
}

/** Of several values the one that comes first in the column's direction. */
function fixedColumn({ equalities }: Disjunct, property: string, direction: 'asc' | 'desc'): Buffer | undefined {
  const values = equalities.get(property);
  if (!values) return undefined;
  const sorted = [...values].sort((left, right) => Buffer.compare(left, right));
  return direction === 'asc' ? sorted[0] : sorted.at(-1) && complement(sorted.at(-1) ?? Buffer.alloc(0));
}

/** Scans whose suffix is the path alone: a kind, or the rows of equal values. */
function keyScans(query: NormalQuery, disjunct: Disjunct, indexes: readonly CompositeIndex[]): readonly ScanPlan[] {
  const { partition, entityKind, keyDirection } = query;
  const kind = keyDirection === 'asc' ? 'forward' : 'backward';
  const range = pathRange(disjunct);
  const scan = (prefix: Buffer, name: string, hasFlags: boolean, of: Pick<ScanPlan, 'indexed' | 'fixes'> = KEYS): ScanPlan => ({
    ...KEYS,
    ...{ kind, prefix, range, hasFlags, label: `${name}, ${kind}`, indexed: of.indexed, fixes: of.fixes },
  });
  if (entityKind === undefined) return [{ ...scan(partition.entities, 'entities by key', false), kindRows: true }];
  if (disjunct.equalities.size === 0) return [{ ...scan(kindPrefix(partition, entityKind), `kind ${entityKind}`, false), kindRows: true }];
  const perfect = perfectIndex(disjunct, indexes);
  if (perfect) {
    const { prefix, fixes } = compositeScanPrefix(query, disjunct, perfect, (property) => disjunct.equalities.get(property)?.[0]);
    return [scan(prefix, `index ${describeIndex(perfect.definition)}`, true, { indexed: ordersOf(perfect.definition), fixes })];
  }
  return [...disjunct.equalities].flatMap(([property, values]) =>
    values.map((value) =>
      scan(Buffer.concat([propertyPrefix(partition, entityKind, property), value]), `property ${entityKind}.${property}`, true, {
        indexed: [{ property, direction: 'asc' }],
        fixes: [[property, value]],
      }),
    ),
  );
}

/** A composite index over exactly the equality properties spares a join. */
function perfectIndex({ equalities, ancestor }: Disjunct, indexes: readonly CompositeIndex[]): CompositeIndex | undefined {
  if (equalities.size < 2 || [...equalities.values()].some((values) => values.length > 1)) return undefined;
  return indexes.find(
    ({ definition }) =>
      (!definition.ancestor || ancestor !== undefined) &&
      definition.properties.length === equalities.size &&
      definition.properties.every(({ name }) => equalities.has(name)),
  );
}

function pathRange({ keys, ancestor }: Disjunct): ColumnRange {
  const range = columnRange(keys, 'asc');
  if (!ancestor) return range;
  const below = keyAfterPrefix(ancestor);
  const from = Buffer.compare(range.from, ancestor) > 0 ? range.from : ancestor;
  const to = range.to && below ? (Buffer.compare(range.to, below) < 0 ? range.to : below) : (range.to ?? below);
  return to ? { from, to } : { from };
}

/** Scans whose suffix is `columns` and the path. */
function columnScans(
  query: NormalQuery,
  disjunct: Disjunct,
  columns: readonly Order[],
  indexes: readonly CompositeIndex[],
): readonly ScanPlan[] | undefined {
  const { partition, entityKind, keyDirection } = query;
  const [first] = columns;
  if (!first || entityKind === undefined) return undefined;
  if (columns.length === 1 && first.property !== KEY && disjunct.equalities.size === 0 && !disjunct.ancestor) {
    const kind = singlePropertyScan(first.direction, keyDirection);
    if (kind) {
      const range = columnRange(disjunct.ranges.get(first.property) ?? {}, 'asc');
      const prefix = propertyPrefix(partition, entityKind, first.property);
      return [
        {
          kind,
          prefix,
          range,
          hasFlags: true,
          label: `property ${entityKind}.${first.property}, ${kind}`,
          indexed: [{ property: first.property, direction: kind === 'runs' ? 'desc' : 'asc' }],
          fixes: [],
          bounds: 'column',
          belowAncestor: false,
        },
      ];
    }
  }
  return compositeScans(query, disjunct, columns, indexes);
}

/** Property rows are ascending in value and key. */
function singlePropertyScan(direction: 'asc' | 'desc', keyDirection: 'asc' | 'desc'): ScanPlan['kind'] | undefined {
  if (direction === keyDirection) return direction === 'asc' ? 'forward' : 'backward';
  return direction === 'desc' ? 'runs' : undefined;
}

function compositeScans(
  query: NormalQuery,
  disjunct: Disjunct,
  columns: readonly Order[],
  indexes: readonly CompositeIndex[],
): readonly ScanPlan[] | undefined {
  const kind = query.keyDirection === 'asc' ? 'forward' : 'backward';
  const usable = indexes.filter((index) => isUsable(index, query, disjunct, columns));
  const uncovered = new Map([...disjunct.equalities].map(([property, values]) => [property, [...values]]));
  let needsAncestor = disjunct.ancestor !== undefined;
  const scans: ScanPlan[] = [];
  const gain = ({ definition }: CompositeIndex): number =>
    definition.properties.filter(({ name }) => (uncovered.get(name)?.length ?? 0) > 0).length +
    (needsAncestor && definition.ancestor ? 2 : 0);
  const [first] = rowOrders(columns, query);
  const bounds = first && boundsOf(query, disjunct, first.property);
  const range = bounds ? columnRange(bounds, first.direction) : EVERYTHING;
  while (scans.length === 0 || needsAncestor || [...uncovered.values()].some((values) => values.length > 0)) {
    const best = usable.reduce<CompositeIndex | undefined>(
      (chosen, index) => (chosen && gain(chosen) >= gain(index) ? chosen : index),
      undefined,
    );
    if (!best || (gain(best) === 0 && (scans.length > 0 || disjunct.equalities.size > 0 || needsAncestor))) return undefined;
    const { prefix, fixes } = compositeScanPrefix(
      query,
      disjunct,
      best,
      (property) => uncovered.get(property)?.shift() ?? disjunct.equalities.get(property)?.[0],
    );
    const belowAncestor = best.definition.ancestor;
    if (belowAncestor) needsAncestor = false;
    const label = `index ${describeIndex(best.definition)}, ${kind}`;
    scans.push({ kind, prefix, range, hasFlags: true, label, indexed: ordersOf(best.definition), fixes, bounds: 'column', belowAncestor });
  }
  return scans;
}

function isUsable({ definition }: CompositeIndex, query: NormalQuery, disjunct: Disjunct, columns: readonly Order[]): boolean {
  if (definition.ancestor && !disjunct.ancestor) return false;
  const prefixLength = definition.properties.length - columns.length;
  if (prefixLength < 0) return false;
  const asOrders = ordersOf(definition);
  const tail = rowOrders(asOrders.slice(prefixLength), query);
  return (
    tail.every((order, at) => isSameOrder(order, columns[at])) &&
    asOrders.slice(0, prefixLength).every(({ property }) => disjunct.equalities.has(property))
  );
}

const writer = new OrderedWriter();

/** Everything of the rows of an index that the disjunct fixes: `C app db ns index [ancestor END] value*`. */
function compositeScanPrefix(
  query: NormalQuery,
  disjunct: Disjunct,
  index: CompositeIndex,
  valueOf: (property: string) => Buffer | undefined,
): Pick<ScanPlan, 'prefix' | 'fixes'> {
  const fixes: (readonly [string, Buffer])[] = [];
  writer.clear().raw(compositePrefix(query.partition, index.id));
  if (index.definition.ancestor && disjunct.ancestor) writer.raw(disjunct.ancestor).byte(PATH_END);
  for (const { name, direction } of index.definition.properties) {
    const value = disjunct.equalities.has(name) ? valueOf(name) : undefined;
    if (!value) break;
    fixes.push([name, value]);
    writer.raw(direction === 'asc' ? value : complement(value));
  }
  return { prefix: writer.take(), fixes };
}

/** Equality properties by name, then what orders: the index that answers the branch alone. */
function idealIndex(query: NormalQuery, disjunct: Disjunct, layout: readonly Order[]): IndexDefinition {
  const columns = rowOrders(
    layout.filter(({ property }) => !disjunct.equalities.has(property)),
    query,
  );
  return {
    kind: query.entityKind ?? '',
    ancestor: disjunct.ancestor !== undefined,
    properties: [
      ...[...disjunct.equalities.keys()].sort().map((name) => ({ name, direction: 'asc' as const })),
      ...columns.map(({ property, direction }) => ({ name: property, direction })),
    ],
  };
}
