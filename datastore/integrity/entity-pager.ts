// Entities page by page in key order, for an export: bounded steps that go on behind the last key.
import { decodeEntityRow } from '../codec/entity-row.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { encodedKind, entityRowKey, FAMILY, partitionOf, pathBytes, pathEndsInKind } from '../codec/row-key.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Clock } from '../../sdk/support/clock.ts';
import { keyAfter, prefixRange } from '../storage/key-bytes.ts';
import { type StoreReader } from '../storage/port.ts';

export interface EntityFilter {
  readonly appId: string;
  /** Absent: all of them. */
  readonly databaseId?: string;
  readonly namespaces?: readonly string[];
  readonly kinds?: readonly string[];
  /** Only entities that were written after this time. */
  readonly sinceMicros?: bigint;
}

export interface PagedEntity {
  /** An Entity message. */
  readonly entity: Uint8Array;
  readonly version: bigint;
  readonly createdMicros: bigint;
  readonly updatedMicros: bigint;
}

export interface EntityPage {
  readonly entities: readonly PagedEntity[];
  /** Rows walked for it, those that the filter left out included. */
  readonly rows: number;
  /** The key of the last row that was walked; absent when there are no more. */
  readonly next?: Buffer;
}

const CHUNK_ROWS = 64;

/** What lies behind `after`, a row's key. Throws DS_CORRUPT. */
export async function entityPage(reader: StoreReader, clock: Clock, filter: EntityFilter, after?: Uint8Array): Promise<EntityPage> {
  const { appId, databaseId } = filter;
  const writer = new OrderedWriter().byte(FAMILY.entity).text(appId);
  const range = prefixRange((databaseId === undefined ? writer : writer.text(databaseId)).take());
  const behind = after && keyAfter(Buffer.from(after.buffer, after.byteOffset, after.byteLength));
  const from = behind && Buffer.compare(behind, range.from) > 0 ? behind : range.from;
  if (Buffer.compare(from, range.to) >= 0) return { entities: [], rows: 0 };
  const isWanted = keyFilter(filter);
  const endMs = clock.monotonicMs() + LIMITS.integrityStepMs;
  const entities: PagedEntity[] = [];
  let [rows, bytes] = [0, 0];
  const scan = reader.scan({ from, to: range.to });
  try {
    for (let chunk = await scan.next(CHUNK_ROWS); chunk.length > 0; chunk = await scan.next(CHUNK_ROWS)) {
      for (const { key, value } of chunk) {
        rows++;
        if (isWanted(key)) {
          const { message, version, createdMicros, updatedMicros } = readable(key, value);
          if (filter.sinceMicros === undefined || updatedMicros > filter.sinceMicros) {
            entities.push({ entity: message, version, createdMicros, updatedMicros });
            bytes += message.length;
          }
        }
        if (bytes >= LIMITS.exportPageBytesMax || entities.length >= LIMITS.exportPageEntitiesMax) return { entities, rows, next: key };
      }
      const last = chunk.at(-1);
      if (last && (rows >= LIMITS.exportPageRowsMax || clock.monotonicMs() > endMs)) return { entities, rows, next: last.key };
    }
  } finally {
    await scan.close();
  }
  return { entities, rows };
}

/** The row of an entity, behind which a page may begin. Throws DS_INVALID when the key is incomplete. */
export function entityRowKeyOf({ projectId, databaseId, namespace, path }: Key): Buffer {
  return entityRowKey(partitionOf(projectId, databaseId, namespace), pathBytes(path));
}

function readable(key: Buffer, value: Buffer): ReturnType<typeof decodeEntityRow> {
  try {
    return decodeEntityRow(value);
  } catch (cause) {
    throw new PlatformError('DS_CORRUPT', `the entity with the row ${key.toString('hex')}`, { cause });
  }
}

/** Entities of one namespace lie together, so a key is seldom taken apart. */
function keyFilter({ namespaces, kinds }: EntityFilter): (key: Buffer) => boolean {
  const wantedKinds = kinds?.map(encodedKind);
  const wantedNamespaces = namespaces && new Set(namespaces);
  if (!wantedKinds && !wantedNamespaces) return () => true;
  let prefix: Buffer = Buffer.from([0]);
  let isNamespaceWanted = false;
  return (key) => {
    if (!key.subarray(0, prefix.length).equals(prefix)) {
      const reader = new OrderedReader(key, 1);
      const [, , namespace] = [reader.text(), reader.text(), reader.text()];
      prefix = key.subarray(0, reader.offset);
      isNamespaceWanted = !wantedNamespaces || wantedNamespaces.has(namespace);
    }
    if (!isNamespaceWanted) return false;
    const path = key.subarray(prefix.length);
    return !wantedKinds || wantedKinds.some((kind) => pathEndsInKind(path, kind));
  };
}
