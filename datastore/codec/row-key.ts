// Where each row lies in the one ordered key space. The first byte is the row family, a letter.
import { type Key, type PathElement } from '../../sdk/contract/key.ts';
import { OrderedReader } from './ordered-reader.ts';
import { OrderedWriter } from './ordered-writer.ts';
import { elementEnds, lastKindStart, readPath, writePath, writePathPrefix } from './path-code.ts';
import { writeKeyHead } from './value-code.ts';

export const FAMILY = Object.freeze({
  appBytes: 0x41, // A
  composite: 0x43, // C
  settings: 0x44, // D
  entity: 0x45, // E
  history: 0x48, // H
  kind: 0x4b, // K
  metadata: 0x4d, // M
  property: 0x50, // P
  sequence: 0x53, // S
  load: 0x54, // T
  index: 0x58, // X
});

const PARTITIONS_KEPT_MAX = 10_000;

/** The part of an app's data that one key or query names. */
export interface Partition {
  readonly appId: string;
  readonly databaseId: string;
  readonly namespace: string;
  /** `E app db ns`, `K app db ns`, `P app db ns`, `C app db ns`. */
  readonly entities: Buffer;
  readonly kinds: Buffer;
  readonly properties: Buffer;
  readonly composites: Buffer;
}

const writer = new OrderedWriter();
const partitions = new Map<string, Partition>();

/** A partition with its row prefixes, remembered because nearly every call names one of a few. */
export function partitionOf(appId: string, databaseId: string, namespace: string): Partition {
  const name = `${appId}\0${databaseId}\0${namespace}`;
  const known = partitions.get(name);
  if (known) return known;
  const prefix = (family: number): Buffer => writer.clear().byte(family).text(appId).text(databaseId).text(namespace).take();
  const partition: Partition = {
    appId,
    databaseId,
    namespace,
    entities: prefix(FAMILY.entity),
    kinds: prefix(FAMILY.kind),
    properties: prefix(FAMILY.property),
    composites: prefix(FAMILY.composite),
  };
  if (partitions.size >= PARTITIONS_KEPT_MAX) partitions.clear();
  partitions.set(name, partition);
  return partition;
}

/** The encoded path of a complete key. Throws DS_INVALID when it is incomplete. */
export function pathBytes(path: readonly PathElement[]): Buffer {
  return writePath(writer.clear(), path).take();
}

/** The encoded path without END: the prefix of the key and all its descendants. */
export function pathPrefixBytes(path: readonly PathElement[]): Buffer {
  return writePathPrefix(writer.clear(), path).take();
}

export function pathFromBytes(path: Buffer): readonly PathElement[] {
  return readPath(new OrderedReader(path));
}

/** The prefixes, without END, of every ancestor from the root to the key itself. */
export function ancestorPrefixes(path: Buffer): readonly Buffer[] {
  return elementEnds(path, new OrderedReader(path)).map((end) => path.subarray(0, end));
}

export function keyFromPath(partition: Partition, path: Buffer): Key {
  return {
    projectId: partition.appId,
    databaseId: partition.databaseId,
    namespace: partition.namespace,
    path: pathFromBytes(path),
  };
}

/** The key of one of the partition's own entities as a value, by its encoded path. */
export function ownKeyValue({ appId, databaseId, namespace }: Partition, path: Buffer): Buffer {
  return writeKeyHead(writer.clear(), appId, databaseId, namespace).raw(path).take();
}

/** A kind as it stands in paths. */
export function encodedKind(kind: string): Buffer {
  return writer.clear().text(kind).take();
}

/** Whether the last element of an encoded path is of an encoded kind. */
export function pathEndsInKind(path: Buffer, kind: Buffer): boolean {
  const start = lastKindStart(new OrderedReader(path));
  return path.compare(kind, 0, kind.length, start, start + kind.length) === 0;
}

/** `E app db ns path`. */
export function entityRowKey(partition: Partition, path: Buffer): Buffer {
  return writer.clear().raw(partition.entities).raw(path).take();
}

/** `K app db ns kind path`. */
export function kindRowKey(partition: Partition, kind: string, path: Buffer): Buffer {
  return writer.clear().raw(partition.kinds).text(kind).raw(path).take();
}

/** `K app db ns kind`, to be followed by a path. */
export function kindPrefix(partition: Partition, kind: string): Buffer {
  return writer.clear().raw(partition.kinds).text(kind).take();
}

/** `P app db ns kind property`, to be followed by a value and a path. */
export function propertyPrefix(partition: Partition, kind: string, property: string): Buffer {
  return writer.clear().raw(partition.properties).text(kind).text(property).take();
}

/** `C app db ns index`, to be followed by an ancestor's path with END if the index has ancestors, columns and a path. */
export function compositePrefix(partition: Partition, indexId: number): Buffer {
  return writer.clear().raw(partition.composites).uint32(indexId).take();
}

/** `X app index`. */
export function indexDefinitionKey(appId: string, indexId: number): Buffer {
  return writer.clear().byte(FAMILY.index).text(appId).uint32(indexId).take();
}

/** `C app`, the composite index rows of an app in all its databases and namespaces. */
export function appCompositesPrefix(appId: string): Buffer {
  return writer.clear().byte(FAMILY.composite).text(appId).take();
}

/** The partition of a row whose key begins with a family and `app db ns`. */
export function partitionOfRow(key: Buffer): Partition {
  const reader = new OrderedReader(key, 1);
  return partitionOf(reader.text(), reader.text(), reader.text());
}

/** `D app`. */
export function settingsKey(appId: string): Buffer {
  return writer.clear().byte(FAMILY.settings).text(appId).take();
}

/** `S 01`: a bound of the commit versions that were given out. */
export const VERSION_BOUND_KEY = Buffer.from([FAMILY.sequence, 0x01]);

/** `S 02 app db`: a bound of the ids that were given out. */
export function idBoundKey(appId: string, databaseId: string): Buffer {
  return writer.clear().byte(FAMILY.sequence).byte(0x02).text(appId).text(databaseId).take();
}

const RESERVED = 0x07;
const COUNTER_BYTES = 8;

/** `S 07 app db counter`: the id of that counter value is reserved. */
export function reservedIdKey(appId: string, databaseId: string, counter: number): Buffer {
  return writer.clear().byte(FAMILY.sequence).byte(RESERVED).text(appId).text(databaseId).uint64(BigInt(counter)).take();
}

/** The counter value of such a key. */
export function reservedCounterOf(key: Buffer): number {
  return Number(key.readBigUInt64BE(key.length - COUNTER_BYTES));
}

/** `K app db`, to be followed by a namespace: the kind rows of a database in all its namespaces. */
export function namespacesPrefix(appId: string, databaseId: string): Buffer {
  return writer.clear().byte(FAMILY.kind).text(appId).text(databaseId).take();
}

/** `P app`, the property rows of an app in all its databases and namespaces. */
export function appPropertiesPrefix(appId: string): Buffer {
  return writer.clear().byte(FAMILY.property).text(appId).take();
}

/** `S 04 [app]`: the version from which on history is complete, of one app or, for '', of all. */
export function historyBoundKey(appId: string): Buffer {
  const key = writer.clear().byte(FAMILY.sequence).byte(0x04);
  return (appId === '' ? key : key.text(appId)).take();
}

const INDEX_COUNTER = 0x05;

/** `S 05 app`: the id of the last composite index that was made. */
export function indexCounterKey(appId: string): Buffer {
  return writer.clear().byte(FAMILY.sequence).byte(INDEX_COUNTER).text(appId).take();
}

/** `S 05`, of all apps. */
export const INDEX_COUNTERS = Buffer.from([FAMILY.sequence, INDEX_COUNTER]);

const RESET = 0x06;

/** `S 06 app`: the app is being wiped. */
export function resetKey(appId: string): Buffer {
  return appPrefix(RESETS, appId);
}

/** `S 06`, of all apps. */
export const RESETS = Buffer.from([FAMILY.sequence, RESET]);

/** The rows of an app among those that begin with `head` and the name of an app. */
export function appPrefix(head: Buffer, appId: string): Buffer {
  return writer.clear().raw(head).text(appId).take();
}

/** `K app`, the kind rows of an app in all its databases and namespaces. */
export function appKindsPrefix(appId: string): Buffer {
  return writer.clear().byte(FAMILY.kind).text(appId).take();
}

/** The parts of `K app db ns kind path`. */
export function readKindRowKey(key: Buffer): { readonly partition: Partition; readonly kind: string; readonly path: Buffer } {
  const reader = new OrderedReader(key, 1);
  const partition = partitionOf(reader.text(), reader.text(), reader.text());
  const kind = reader.text();
  return { partition, kind, path: key.subarray(reader.offset) };
}
