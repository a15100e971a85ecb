// The rows of entities and indexes as they were at a moment, in the shape of the store: what reads the store reads this too.
//
// An entity row says itself since when it stands. Index rows do not: whether one was there is worked out from its entity as of
// then, which for an entity that has not changed since is the one look-up that tells so.
import { decodeEntity } from '../../sdk/contract/entity-proto.ts';
import { assert } from '../../sdk/support/assert.ts';
import { decodeEntityRow } from '../codec/entity-row.ts';
import { entityRowKey, FAMILY } from '../codec/row-key.ts';
import { type CompositeIndex } from '../index/composite-index.ts';
import { type IndexRowOwner, ownerOfIndexRow } from '../index/index-row-owner.ts';
import { indexRows } from '../index/index-rows.ts';
import { indexedValues } from '../index/indexed-values.ts';
import { type KeyRange, type Row, type RowScan, type ScanOptions, type StoreSnapshot } from '../storage/port.ts';
import { historyAfter } from './history-row.ts';
import { HistoricScan, type RowOfThenOrNow } from './historic-scan.ts';

export interface HistoricReaderOptions {
  /** Commits up to this version are seen. */
  readonly readTime: bigint;
  readonly indexesOf: (appId: string) => readonly CompositeIndex[];
  /** Called for each scan; what it returns is called for every chunk of rows looked at, and throws when the scan has had its time. */
  readonly deadline: () => () => void;
}

const NO_VALUE = Buffer.alloc(0);

export class HistoricReader implements StoreSnapshot {
  readonly #now: StoreSnapshot;
  readonly #options: HistoricReaderOptions;

  /** Over the state of `now`, which it owns. Of composite indexes only those maintained since `readTime` may be read. */
  constructor(now: StoreSnapshot, options: HistoricReaderOptions) {
    this.#now = now;
    this.#options = options;
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    return this.#entityRow(key, await this.#now.get(key));
  }

  async getMany(keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]> {
    const rows = await this.#now.getMany(keys);
    const then: (Buffer | undefined)[] = [];
    for (const [at, key] of keys.entries()) then.push(await this.#entityRow(key, rows[at]));
    return then;
  }

  scan(range: KeyRange, options: ScanOptions = {}): RowScan {
    const isOfEntities = range.from[0] === FAMILY.entity;
    const checkDeadline = this.#options.deadline();
    return new HistoricScan(this.#now, range, options, {
      readTime: this.#options.readTime,
      readsValues: isOfEntities || options.keysOnly !== true,
      rowsThen: async (rows) => {
        checkDeadline();
        const found = isOfEntities ? await this.#entityRows(rows) : await this.#indexRows(rows);
        return options.keysOnly === true ? found.map(({ key }) => ({ key, value: NO_VALUE })) : found;
      },
    });
  }

  pinned(): Promise<void> {
    return this.#now.pinned();
  }

  close(): Promise<void> {
    return this.#now.close();
  }

  /** `row` is what stands under the key now. */
  async #entityRow(key: Buffer, row: Buffer | undefined): Promise<Buffer | undefined> {
    assert(key[0] === FAMILY.entity, 'of single rows, those of entities are read at an earlier time');
    if (row && this.#isOfThen(row)) return row;
    const scan = this.#now.scan(historyAfter(key, this.#options.readTime), { limit: 1 });
    const [past] = await scan.next(1).finally(() => scan.close());
    // One that was inserted after that moment was not there at it.
    return past && this.#isOfThen(past.value) ? past.value : undefined;
  }

  #isOfThen(row: Buffer): boolean {
    return decodeEntityRow(row).version <= this.#options.readTime;
  }

  async #entityRows(rows: readonly RowOfThenOrNow[]): Promise<readonly Row[]> {
    const found: Row[] = [];
    for (const { key, value } of rows) {
      const then = await this.#entityRow(key, value);
      if (then) found.push({ key, value: then });
    }
    return found;
  }

  /** Those of `rows` that were there, with their values of then. One without a value is not there any more. */
  async #indexRows(rows: readonly RowOfThenOrNow[]): Promise<readonly Row[]> {
    const owned = rows.flatMap((row) => {
      const owner = ownerOfIndexRow(row.key, this.#options.indexesOf);
      return owner ? [{ ...row, owner, entityKey: entityRowKey(owner.partition, owner.path) }] : [];
    });
    const entities = await this.#now.getMany(owned.map(({ entityKey }) => entityKey));
    const found: Row[] = [];
    for (const [at, { key, value, owner, entityKey }] of owned.entries()) {
      const entity = entities[at];
      if (entity && this.#isOfThen(entity)) {
        if (value) found.push({ key, value });
        continue;
      }
      const then = await this.#entityRow(entityKey, entity);
      const row = then && rowsOf(owner, then).find((one) => one.key.equals(key));
      if (row) found.push(row);
    }
    return found;
  }
}

/** Of the kind's rows, those that the row looked for can be among. */
function rowsOf({ partition, kind, path, composite }: IndexRowOwner, entityRow: Buffer): readonly Row[] {
  const values = indexedValues(decodeEntity(decodeEntityRow(entityRow).message).properties, partition.appId);
  return indexRows(partition, kind, path, values, composite ? [composite] : []);
}
