// One entity that a commit touches, while the commit is worked out.
import { type Value } from '../../sdk/contract/entity.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { describeKey, type Key } from '../../sdk/contract/key.ts';
import { decodeEntityRow, type EntityRow } from '../codec/entity-row.ts';
import { entityRowKey, kindRowKey, type Partition, partitionOf, pathBytes } from '../codec/row-key.ts';
import { isSameEntity } from '../codec/same-entity.ts';
import { type CheckedMutation, type Content, contentOf, messageToStore } from './checked-mutation.ts';
import { conflictOf } from './conflict.ts';
import { editEntity } from './entity-edit.ts';

/** What one mutation has done. */
export interface Applied {
  /** Whether there is such an entity after it. */
  readonly exists: boolean;
  /** Whether it was skipped because of a conflict. */
  readonly isConflict?: boolean;
  readonly transformResults?: readonly Value[];
}

export const GONE: Applied = Object.freeze({ exists: false });
const THERE: Applied = Object.freeze({ exists: true });

export class Target {
  readonly key: Key;
  readonly kind: string;
  readonly partition: Partition;
  /** The encoded path. */
  readonly path: Buffer;
  readonly rowKey: Buffer;
  /** In their order. */
  readonly mutations: CheckedMutation[] = [];
  /** What was there before the commit. */
  stored: EntityRow | undefined = undefined;
  /** Its bytes. */
  storedRow: Buffer | undefined = undefined;
  /** What is to be written; none when the last mutation deletes, and where nothing was done to it. */
  content: Content | undefined = undefined;
  exists = false;
  /** Whether what was stored is deleted, even if the entity is written again. */
  isDeleted = false;
  #pieces: readonly Buffer[] | undefined = undefined;
  #isSame: boolean | undefined = undefined;

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

  /** Begins (anew) with the row that is stored. Throws DS_CORRUPT. */
  load(row: Buffer | undefined): void {
    this.stored = row && decodeEntityRow(row);
    this.storedRow = row;
    this.#write(undefined);
    this.exists = row !== undefined;
    this.isDeleted = false;
  }

  /**
   * Throws DS_ALREADY_EXISTS, DS_NOT_FOUND, DS_TX_CONFLICT for what is not as the mutation expects it, and what an edit throws:
   * DS_INVALID, DS_LIMIT. `requestTimeMicros`: of a whole millisecond, one for all of a commit; what transforms set.
   */
  apply(mutation: CheckedMutation, requestTimeMicros: bigint): Applied {
    const { op, writing, onConflict } = mutation;
    const conflict = conflictOf(mutation, this.stored, this.key);
    if (conflict && onConflict === 'skip') return { exists: this.exists, isConflict: true };
    if (conflict) throw conflict;
    if (op === 'insert' && this.exists) throw new PlatformError('DS_ALREADY_EXISTS', describeKey(this.key));
    if (op === 'update' && !this.exists) throw new PlatformError('DS_NOT_FOUND', describeKey(this.key));
    if (writing?.kind === 'edit') {
      const before = this.exists ? (this.content ?? this.stored)?.message : undefined;
      const { message, transformResults } = editEntity(before, writing.edit, requestTimeMicros);
      this.#write(contentOf(message, this.partition.appId));
      this.exists = true;
      return transformResults.length > 0 ? { exists: true, transformResults } : THERE;
    }
    this.#write(writing?.content);
    this.exists = op !== 'delete';
    this.isDeleted ||= op === 'delete';
    return this.exists ? THERE : GONE;
  }

  /** The message to be stored, in pieces. Throws DS_LIMIT. */
  get pieces(): readonly Buffer[] {
    return (this.#pieces ??= this.content ? messageToStore(this.content.message, this.key) : []);
  }

  /** Whether what is to be written is what is stored, so that the entity stays as it is. */
  get isSame(): boolean {
    return (this.#isSame ??= this.#compare());
  }

  /** Version and times of the entity as a commit with this version leaves it; undefined when there is none. */
  after(version: bigint): Omit<EntityRow, 'message'> | undefined {
    if (!this.exists) return undefined;
    if (this.stored && (!this.content || this.isSame)) return this.stored;
    const createdMicros = this.stored && !this.isDeleted ? this.stored.createdMicros : version;
    return { version, createdMicros, updatedMicros: version };
  }

  #write(content: Content | undefined): void {
    this.content = content;
    this.#pieces = undefined;
    this.#isSame = undefined;
  }

  #compare(): boolean {
    if (!this.stored || !this.content || this.isDeleted) return false;
    const { pieces } = this;
    if (pieces.reduce((sum, { length }) => sum + length, 0) !== this.stored.message.length) return false;
    return isSameEntity(pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces), this.stored.message);
  }
}
