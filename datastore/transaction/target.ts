// One entity that a commit touches, while the commit is worked out.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { describeKey, type Key } from '../../sdk/contract/key.ts';
import { decodeEntityRow, type EntityRow } from '../codec/entity-row.ts';
import { entityRowKey, kindRowKey, type Partition, partitionOf, pathBytes } from '../codec/row-key.ts';
import { type CheckedMutation } from './mutation.ts';

export class Target {
  readonly key: Key;
  readonly kind: string;
  readonly partition: Partition;
  /** The encoded path. */
  readonly path: Buffer;
  readonly rowKey: Buffer;
  /** What was there before the commit. */
  stored: EntityRow | undefined = undefined;
  /** Its bytes. */
  storedRow: Buffer | undefined = undefined;
  /** What the last mutation writes; none when the last one deletes, or before the first. */
  content: CheckedMutation['content'] = undefined;
  exists = false;
  /** Whether what was stored is deleted, even if the entity is written again. */
  isDeleted = false;

  /** `key` must be complete, with the app as its project. */
  constructor(key: Key) {
    this.key = key;
    this.kind = key.path.at(-1)?.kind ?? '';
    this.partition = partitionOf(key.projectId, key.databaseId, key.namespace);
    this.path = pathBytes(key.path);
    this.rowKey = entityRowKey(this.partition, this.path);
  }

  get kindRow(): Buffer {
    return kindRowKey(this.partition, this.kind, this.path);
  }

  /** Of the entity as a commit with this version leaves it. */
  createdMicros(version: bigint): bigint {
    return this.stored && !this.isDeleted ? this.stored.createdMicros : version;
  }

  /** Begins (anew) with the row that is stored. Throws DS_CORRUPT. */
  load(row: Buffer | undefined): void {
    this.stored = row && decodeEntityRow(row);
    this.storedRow = row;
    this.content = undefined;
    this.exists = row !== undefined;
    this.isDeleted = false;
  }

  /** Throws DS_ALREADY_EXISTS, DS_NOT_FOUND, or DS_TX_CONFLICT for a base version that is not the stored one. */
  apply({ op, content, baseVersion }: CheckedMutation): void {
    if (baseVersion !== undefined) this.#checkBaseVersion(baseVersion);
    if (op === 'insert' && this.exists) throw new PlatformError('DS_ALREADY_EXISTS', describeKey(this.key));
    if (op === 'update' && !this.exists) throw new PlatformError('DS_NOT_FOUND', describeKey(this.key));
    this.exists = op !== 'delete';
    this.isDeleted ||= op === 'delete';
    this.content = content;
  }

  #checkBaseVersion(baseVersion: bigint): void {
    const storedVersion = this.stored?.version ?? 0n;
    if (storedVersion === baseVersion) return;
    throw new PlatformError(
      'DS_TX_CONFLICT',
      `${describeKey(this.key)} has version ${storedVersion}, not the base version ${baseVersion}`,
      {
        details: { baseVersion: String(baseVersion), storedVersion: String(storedVersion) },
      },
    );
  }
}
