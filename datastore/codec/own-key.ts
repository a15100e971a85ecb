// The names that callers have for an app's project and database, and the ones that its data is stored under.
//
// A caller may call the project otherwise than the app is called: inside an instance every project id stands for the instance's
// app. Rows and stored messages name the app alone, in key values and the keys of embedded entities too, so that one filter
// finds what was written under any name; who has a name of its own is answered in it. An empty project is the app's own.
import { decodeEntity, encodeEntity } from '../../sdk/contract/entity-proto.ts';
import { type EmbeddedEntity, type Properties, type Value } from '../../sdk/contract/entity.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { type Filter, type Query } from '../../sdk/contract/query.ts';
import { withKey } from './entity-message.ts';

const KEY_PROPERTY = '__key__';

/** Whose data a call is about, and how its caller names it. */
export interface DatastoreScope {
  readonly appId: string;
  /** What the caller calls the app's project: its keys may name it, and keys that are answered do. Absent: the app id. */
  readonly projectId?: string;
  /** The one database that the call is about, '' for the default one; absent: each key says which. */
  readonly databaseId?: string;
}

/** The key as rows and stored messages name it. Throws DS_FORBIDDEN for another app's key, DS_INVALID for one of another database. */
export function ownKey(key: Key, { appId, projectId, databaseId }: DatastoreScope): Key {
  if (key.projectId !== appId && key.projectId !== '' && key.projectId !== projectId) {
    throw new PlatformError('DS_FORBIDDEN', `a key of "${key.projectId}", used by "${projectId ?? appId}"`);
  }
  const database = databaseId === undefined ? key.databaseId : ownDatabase(key.databaseId, databaseId);
  return key.projectId === appId && key.databaseId === database ? key : { ...key, projectId: appId, databaseId: database };
}

/** `named`, or the call's where that is empty. Throws DS_INVALID for another. */
export function ownDatabase(named: string, ofCall: string | undefined): string {
  if (ofCall === undefined || named === ofCall) return named;
  if (named === '') return ofCall;
  throw new PlatformError('DS_INVALID', `mismatched databases within request: ${JSON.stringify(ofCall)} vs. ${JSON.stringify(named)}`);
}

/** A key that names the app, as the caller names it. */
export function answeredKey(key: Key, scope: DatastoreScope): Key {
  return hasOtherName(scope) ? { ...key, projectId: scope.projectId } : key;
}

/** A stored Entity message as the caller names what is in it; the very bytes when that is how they are stored. */
export function answeredEntity(message: Uint8Array, scope: DatastoreScope): Uint8Array {
  if (!hasOtherName(scope)) return message;
  const entity = decodeEntity(message);
  const key = answeredKey(entity.key, scope);
  const properties = answeredProperties(entity.properties, scope);
  return properties === entity.properties ? Buffer.concat(withKey(message, key)) : encodeEntity({ key, properties });
}

/** Likewise of values; the same object when nothing in them is named otherwise. */
function answeredProperties(properties: Properties, scope: DatastoreScope): Properties {
  return hasOtherName(scope) ? renamed(properties, { from: scope.appId, to: scope.projectId }) : properties;
}

/** Properties as they are stored; the same object when they name the project so already. */
export function ownProperties(properties: Properties, { appId, projectId = appId }: DatastoreScope): Properties {
  return renamed(properties, { from: projectId, to: appId });
}

/** A value likewise. */
export function ownValue(value: Value, { appId, projectId = appId }: DatastoreScope): Value {
  return renamedValue(value, { from: projectId, to: appId });
}

/** A query about what is stored. Throws DS_INVALID when it is about another database than the call. */
export function ownQuery(query: Query, scope: DatastoreScope): Query {
  const databaseId = ownDatabase(query.databaseId, scope.databaseId);
  const { filter } = query;
  if (filter && (databaseId !== '' || hasOtherName(scope))) return { ...query, databaseId, filter: ownFilter(filter, scope) };
  return databaseId === query.databaseId ? query : { ...query, databaseId };
}

function ownFilter(filter: Filter, scope: DatastoreScope): Filter {
  if (filter.kind !== 'property') return { ...filter, filters: filter.filters.map((one) => ownFilter(one, scope)) };
  const value = ownValue(filter.value, scope);
  return { ...filter, value: filter.property === KEY_PROPERTY ? inOwnDatabase(value, scope) : value };
}

/** Keys that a query compares entities' own keys with: without a database, of the call's. */
function inOwnDatabase(value: Value, scope: DatastoreScope): Value {
  if (value.kind === 'array') return { ...value, values: value.values.map((item) => inOwnDatabase(item, scope)) };
  if (value.kind !== 'key') return value;
  return { ...value, value: { ...value.value, databaseId: ownDatabase(value.value.databaseId, scope.databaseId) } };
}

function hasOtherName(scope: DatastoreScope): scope is DatastoreScope & { readonly projectId: string } {
  return scope.projectId !== undefined && scope.projectId !== scope.appId;
}

interface Renaming {
  readonly from: string;
  readonly to: string;
}

function renamed(properties: Properties, renaming: Renaming): Properties {
  let changed: Record<string, Value> | undefined;
  for (const name in properties) {
    const value = properties[name];
    if (!value) continue;
    const other = renamedValue(value, renaming);
    if (other === value) continue;
    changed ??= Object.assign(Object.create(null) as Record<string, Value>, properties);
    changed[name] = other;
  }
  return changed ?? properties;
}

function renamedValue(value: Value, renaming: Renaming): Value {
  switch (value.kind) {
    case 'key': {
      const key = renamedKey(value.value, renaming);
      return key === value.value ? value : { ...value, value: key };
    }
    case 'array': {
      const values = value.values.map((item) => renamedValue(item, renaming));
      return values.every((item, at) => item === value.values[at]) ? value : { ...value, values };
    }
    case 'entity': {
      const entity = renamedEntity(value.value, renaming);
      return entity === value.value ? value : { ...value, value: entity };
    }
    default:
      return value;
  }
}

function renamedEntity(entity: EmbeddedEntity, renaming: Renaming): EmbeddedEntity {
  const properties = renamed(entity.properties, renaming);
  const key = entity.key && renamedKey(entity.key, renaming);
  if (properties === entity.properties && key === entity.key) return entity;
  return key ? { key, properties } : { properties };
}

function renamedKey(key: Key, { from, to }: Renaming): Key {
  return key.projectId !== to && (key.projectId === from || key.projectId === '') ? { ...key, projectId: to } : key;
}
