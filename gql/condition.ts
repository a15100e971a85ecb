// WHERE → filters of the contract.
import { type Value } from '../sdk/contract/entity.ts';
import { type Filter, type PropertyOperator } from '../sdk/contract/query.ts';
import { assertNever } from '../sdk/support/assert.ts';
import { type Comparator, type Condition, type GqlValue, type Property } from './ast.ts';
import { valueOf } from './literal.ts';
import { type Scope } from './scope.ts';

/** The datastore's name of a property as written. */
export type PropertyNamer = (property: Property) => string;

const MIRRORED: Readonly<Record<Comparator, Comparator>> = { '=': '=', '!=': '!=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' };

/** Throws GQL_BIND for arguments that do not fit, GQL_SYNTAX for what no argument could mend. */
export function filterOf(condition: Condition, nameOf: PropertyNamer, scope: Scope): Filter {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return { kind: condition.kind, filters: condition.conditions.map((each) => filterOf(each, nameOf, scope)) };
    case 'is-null':
      return { kind: 'property', property: nameOf(condition.property), operator: '=', value: { kind: 'null' } };
    case 'ancestor':
      return ancestorFilter(condition.value, scope);
    case 'comparison':
    case 'reversed':
      return comparisonFilter(condition, nameOf, scope);
    default:
      return assertNever(condition);
  }
}

type Comparison = Extract<Condition, { kind: 'comparison' | 'reversed' }>;

function comparisonFilter(comparison: Comparison, nameOf: PropertyNamer, scope: Scope): Filter {
  const { property: written, value } = comparison;
  const property = nameOf(written);
  const filter = (operator: PropertyOperator, operand: Value): Filter => ({ kind: 'property', property, operator, value: operand });
  // `v IN p` says that the array p has the element v, as CONTAINS does.
  if (comparison.kind === 'reversed' && comparison.operator === 'IN') return filter('=', valueOf(value, scope));
  switch (comparison.operator) {
    case 'CONTAINS':
      return filter('=', valueOf(value, scope));
    case 'IN':
      return filter('in', listOf(value, scope));
    case 'NOT IN':
      return filter('not-in', listOf(value, scope));
    case 'HAS ANCESTOR':
    case 'HAS DESCENDANT':
      if (property !== '__key__') throw scope.error(written.at, `property must be __key__ in ${comparison.operator}.`);
      return ancestorFilter(value, scope);
    default:
      return filter(comparison.kind === 'reversed' ? MIRRORED[comparison.operator] : comparison.operator, valueOf(value, scope));
  }
}

function ancestorFilter(written: GqlValue, scope: Scope): Filter {
  const value = valueOf(written, scope);
  if (value.kind === 'key') return { kind: 'property', property: '__key__', operator: 'has-ancestor', value };
  if (written.kind === 'binding') throw scope.mismatch(written, value.kind, 'key');
  throw scope.error(written.at, 'An ancestor is a key: KEY(…), or an argument that is one.');
}

function listOf(written: GqlValue, scope: Scope): Value {
  const value = valueOf(written, scope);
  if (value.kind === 'array') return value;
  if (written.kind === 'binding') throw scope.mismatch(written, value.kind, 'array');
  throw scope.error(written.at, 'IN takes a list: ARRAY(…), or an argument that is an array.');
}
