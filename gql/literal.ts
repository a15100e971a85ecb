// A value as written in a statement → a value of the data model.
import { type Value } from '../sdk/contract/entity.ts';
import { type Key } from '../sdk/contract/key.ts';
import { assertNever } from '../sdk/support/assert.ts';
import { type ArrayLiteral, type Cast, type GqlValue, type KeyLiteral } from './ast.ts';
import { microsOfRfc3339 } from './calendar.ts';
import { castValues } from './cast.ts';
import { type Scope } from './scope.ts';

/** Throws GQL_BIND for an argument that is missing or does not fit, GQL_SYNTAX for a literal that means nothing. */
export function valueOf(written: GqlValue, scope: Scope): Value {
  if (written.kind === 'binding') return scope.value(written);
  if (written.kind === 'array') return arrayValue(written, scope);
  if (written.kind === 'cast') return castValue(written, scope);
  scope.literal(written.at);
  switch (written.kind) {
    case 'null':
      return { kind: 'null' };
    case 'boolean':
      return { kind: 'boolean', value: written.value };
    case 'integer':
      return { kind: 'integer', value: written.value };
    case 'double':
      return { kind: 'double', value: written.value };
    case 'string':
      return { kind: 'string', value: written.value };
    case 'key':
      return { kind: 'key', value: keyOf(written, scope) };
    case 'blob': {
      // Base64 of 4n + 1 digits ends in the middle of a byte.
      if (!/^[\w-]*$/.test(written.text) || written.text.length % 4 === 1) {
        throw scope.error(written.at, 'BLOB takes base64url text without padding.');
      }
      return { kind: 'blob', value: new Uint8Array(Buffer.from(written.text, 'base64url')) };
    }
    case 'datetime': {
      const micros = microsOfRfc3339(written.text);
      if (micros === undefined) throw scope.error(written.at, "DATETIME takes RFC 3339 text: DATETIME('2024-02-29T18:30:00.5Z').");
      return { kind: 'timestamp', micros };
    }
    default:
      return assertNever(written);
  }
}

function arrayValue(written: ArrayLiteral, scope: Scope): Value {
  // The Python dialect's parentheses are syntax, and only what stands in them is literal.
  if (scope.dialect === 'cloud') scope.literal(written.at);
  const values = written.items.map((item) => {
    const value = valueOf(item, scope);
    if (value.kind !== 'array') return value;
    if (item.kind === 'binding') throw scope.mismatch(item, 'array', 'single value');
    throw scope.error(item.at, 'An array cannot hold an array.');
  });
  return { kind: 'array', values };
}

function keyOf(written: KeyLiteral, scope: Scope): Key {
  const { projectId, databaseId, namespace } = scope.context;
  const path = written.path.map(({ entityKind, id, at }) => {
    if (typeof id === 'string') {
      if (id === '') throw scope.error(at, 'The name in a key cannot be empty.');
      return { kind: entityKind, name: id };
    }
    if (id <= 0n) throw scope.error(at, 'The id in a key is greater than 0.');
    return { kind: entityKind, id };
  });
  if (written.project === '') throw scope.error(written.at, 'PROJECT cannot be empty.');
  return { projectId: written.project ?? projectId, databaseId, namespace: written.namespace ?? namespace, path };
}

function castValue(written: Cast, scope: Scope): Value {
  const values = written.values.map((each) => valueOf(each, scope));
  const result = castValues(written.name, values, scope.context);
  if (result.kind !== 'problem') return result;
  const operands = values.map(describe).join(', ');
  const reason = `Type Cast Error: unable to cast [${operands}] with operation ${written.name} (${result.reason})`;
  const argument = written.values.find((each) => each.kind === 'binding');
  throw argument === undefined ? scope.error(written.at, `${reason}.`) : scope.refusal(argument, reason);
}

function describe(value: Value): string {
  switch (value.kind) {
    case 'string':
      return JSON.stringify(value.value);
    case 'integer':
    case 'double':
    case 'boolean':
      return `${value.value}`;
    default:
      return value.kind;
  }
}
