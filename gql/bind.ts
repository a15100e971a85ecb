// Statement + arguments → query. What the datastore checks in every query, whoever made it, is left to it.
import { type AggregationFunction, type AggregationQuery, type Filter, type Query } from '../sdk/contract/query.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { assertNever } from '../sdk/support/assert.ts';
import { type Aggregation, type AggregationItem, type Condition, type GqlStatement, type Place, type Select } from './ast.ts';
import { filterOf, type PropertyNamer } from './condition.ts';
import { Scope, type BindContext, type GqlArguments } from './scope.ts';
import { windowOf } from './window.ts';

export { type BindContext, type GqlArgument, type GqlArguments } from './scope.ts';

export type BoundStatement =
  { readonly kind: 'query'; readonly query: Query } | { readonly kind: 'aggregation'; readonly query: AggregationQuery };

/**
 * Throws GQL_BIND when an argument is missing, surplus or of the wrong type (`details.argument` says which), and
 * GQL_SYNTAX, with `line` and `column`, for a statement that is well formed but means nothing.
 */
export function bindGql(statement: GqlStatement, args: GqlArguments, context: BindContext): BoundStatement {
  const scope = new Scope(statement, args, context);
  const { tree } = statement;
  const bound: BoundStatement =
    tree.kind === 'select' ? { kind: 'query', query: queryOf(tree, scope) } : { kind: 'aggregation', query: aggregationOf(tree, scope) };
  scope.assertPositionsUsed();
  return bound;
}

function queryOf(select: Select, scope: Scope): Query {
  const { databaseId, namespace } = scope.context;
  const nameOf = namerFor(select, scope);
  if (scope.dialect === 'python') assertPythonRules(select, scope);
  const filter = select.where && filterOf(select.where, nameOf, scope);
  const source = { databaseId, namespace, ...(select.from && { entityKind: select.from.name }) };
  const query: Query = {
    ...source,
    ...selectionOf(select, nameOf, scope),
    ...(filter && { filter }),
    orders: select.orders.map(({ property, direction }) => ({ property: nameOf(property), direction })),
    ...windowOf(select, scope),
  };
  // The Python SDK answers IN over an empty list with no results; the datastore refuses such a filter.
  if (scope.dialect === 'python' && filter !== undefined && hasEmptyIn(filter)) return { ...source, orders: [], limit: 0, offset: 0 };
  return query;
}

/** In Cloud GQL a property may be written with its kind: `Task.done`. The first component goes if it is the kind. */
function namerFor({ from }: Select, { dialect }: Scope): PropertyNamer {
  return ({ components }) => {
    const [first, ...others] = components;
    const qualified = dialect === 'cloud' && from !== undefined && first === from.name && others.length > 0;
    return (qualified ? others : components).join('.');
  };
}

function selectionOf({ selection }: Select, nameOf: PropertyNamer, scope: Scope): Pick<Query, 'projection' | 'distinctOn'> {
  const projection = selection.properties?.map(nameOf);
  const distinctOn = selection.distinct ? projection : selection.distinctOn?.map(nameOf);
  const stray = projection && selection.distinctOn?.find((property) => !projection.includes(nameOf(property)));
  if (stray !== undefined) throw scope.error(stray.at, `DISTINCT ON names ${nameOf(stray)}, which is not selected.`);
  return { ...(projection && { projection }), ...(distinctOn && { distinctOn }) };
}

function assertPythonRules({ selection: { properties = [] }, where }: Select, scope: Scope): void {
  const key = properties.find(({ components: [name] }) => name === '__key__');
  if (key !== undefined && properties.length > 1) throw scope.error(key.at, '__key__ is selected alone.');
  const [, second] = ancestorsIn(where);
  if (second !== undefined) throw scope.error(second, 'A query has one ancestor.');
}

function ancestorsIn(where: Condition | undefined): readonly Place[] {
  if (where?.kind === 'ancestor') return [where.at];
  return where?.kind === 'and' ? where.conditions.flatMap(ancestorsIn) : [];
}

function hasEmptyIn(filter: Filter): boolean {
  if (filter.kind !== 'property') return filter.filters.some(hasEmptyIn);
  return filter.operator === 'in' && filter.value.kind === 'array' && filter.value.values.length === 0;
}

function aggregationOf({ functions, over }: Aggregation, scope: Scope): AggregationQuery {
  const surplus = functions[LIMITS.queryAggregationsMax];
  if (surplus !== undefined) throw scope.error(surplus.at, `A query has at most ${LIMITS.queryAggregationsMax} aggregations.`);
  const nameOf = namerFor(over, scope);
  const aliases = new Set<string>();
  let unnamed = 0;
  const aggregations = functions.map((item) => {
    const alias = item.alias?.name ?? `property_${(unnamed += 1)}`;
    if (aliases.has(alias)) throw scope.error(item.alias?.at ?? item.at, `The alias ${alias} is used twice.`);
    aliases.add(alias);
    return { ...functionOf(item, nameOf, scope), alias };
  });
  return { nested: queryOf(over, scope), aggregations };
}

function functionOf(item: AggregationItem, nameOf: PropertyNamer, scope: Scope): AggregationFunction {
  switch (item.kind) {
    case 'count':
      return { kind: 'count' };
    case 'count-up-to':
      if (item.limit < 0n) throw scope.error(item.at, 'COUNT_UP_TO takes a number that is not negative.');
      return { kind: 'count', upTo: item.limit };
    case 'sum':
    case 'avg':
      return { kind: item.kind, property: nameOf(item.property) };
    default:
      return assertNever(item);
  }
}
