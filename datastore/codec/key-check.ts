// The rules of a key (reference, sections 1.3 and 3.6), in App Engine's words.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Key, type PathElement } from '../../sdk/contract/key.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';

const NAMESPACE = /^[0-9A-Za-z._-]*$/;
const RESERVED = /^__.*__$/s;

/** How a call uses a key: to name an entity, to have an id allocated, or as the value of a property or filter. */
export type KeyUse = 'complete' | 'incomplete' | 'either' | 'filter';

export function isReserved(name: string): boolean {
  return name.startsWith('__') && RESERVED.test(name);
}

/** Throws DS_INVALID or DS_LIMIT with the rule that `key` breaks. A filter may name reserved kinds and names. */
export function checkKey(key: Key, use: KeyUse): void {
  checkPartition(key.databaseId, key.namespace);
  const { path } = key;
  if (path.length === 0) throw invalid('Key path is empty.');
  if (path.length > LIMITS.keyPathElementsMax) throw over(`Key path has more than ${LIMITS.keyPathElementsMax} elements.`);
  let bytes = key.namespace.length;
  path.forEach((element, index) => {
    bytes += checkElement(element, index === path.length - 1 ? use : 'complete');
    if (use === 'filter') return;
    if (isReserved(element.kind)) throw invalid(`The kind "${element.kind}" is reserved.`);
    if (element.name !== undefined && isReserved(element.name)) throw invalid(`The key path element name "${element.name}" is reserved.`);
  });
  if (bytes > LIMITS.keyBytesMax) throw over(`a key has at most ${LIMITS.keyBytesMax} bytes, this one ${bytes}`);
}

/** Throws DS_INVALID or DS_LIMIT for a database or namespace that cannot be. */
export function checkPartition(databaseId: string, namespace: string): void {
  if (databaseId === '(default)') throw invalid('the default database is named by the empty string');
  if (databaseId.length > LIMITS.namespaceCharactersMax || !NAMESPACE.test(databaseId)) {
    throw invalid(`The database id ${JSON.stringify(databaseId.slice(0, 200))} is not valid`);
  }
  if (namespace.length > LIMITS.namespaceCharactersMax) {
    throw over(`a namespace has at most ${LIMITS.namespaceCharactersMax} characters, this one ${namespace.length}`);
  }
  if (!NAMESPACE.test(namespace))
    throw invalid(`The namespace id ${JSON.stringify(namespace)} holds more than letters, digits, ".", "_" and "-"`);
  if (isReserved(namespace)) throw invalid(`The namespace id "${namespace}" is reserved.`);
}

function checkElement(element: PathElement, use: KeyUse): number {
  const { kind, id, name } = element;
  if (kind === '') throw invalid('The kind is the empty string.');
  const kindBytes = Buffer.byteLength(kind);
  if (kindBytes > LIMITS.keyNameBytesMax) throw over(`The kind is longer than ${LIMITS.keyNameBytesMax} bytes.`);
  const isComplete = id !== undefined || name !== undefined;
  if (use === 'incomplete' && isComplete) throw invalid(`Key path element must not be complete: [${kind}: ${name ?? String(id)}]`);
  if (!isComplete) {
    if (use === 'complete' || use === 'filter') throw invalid(`Key path element must not be incomplete: [${kind}: ]`);
    return kindBytes;
  }
  if (id === 0n) throw invalid('Key id cannot be zero');
  if (name === '') throw invalid('The key path element name is the empty string.');
  if (name === undefined) return kindBytes + 8;
  const nameBytes = Buffer.byteLength(name);
  if (nameBytes > LIMITS.keyNameBytesMax) throw over(`The key path element name is longer than ${LIMITS.keyNameBytesMax} bytes.`);
  return kindBytes + nameBytes;
}

function invalid(reason: string): PlatformError {
  return new PlatformError('DS_INVALID', reason);
}

function over(reason: string): PlatformError {
  return new PlatformError('DS_LIMIT', reason);
}
