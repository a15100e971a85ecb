// Mends index rows from what their entities say. Entity rows are read and never written: what they hold exists nowhere else.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Turns } from '../../sdk/support/turns.ts';
import { FAMILY } from '../codec/row-key.ts';
import { type Store, type StoreTransaction } from '../storage/port.ts';
import { type CommitsUnderWay } from '../tablet/commits-under-way.ts';
import { type RowChange } from '../tablet/tablet-map.ts';
import { producedBy } from './entity-rows.ts';
import { builtInPlace, compositeIdIn, compositePlace } from './index-row-place.ts';
import { appOf, SnapshotIndexes } from './snapshot-indexes.ts';
import { type Suspect } from './suspect.ts';

const ATTEMPTS_MAX = 5;
const NO_VALUE = Buffer.alloc(0);

interface Outcome {
  readonly done: string;
  readonly changes: readonly RowChange[];
}

export class Repairer {
  readonly #store: Store;
  readonly #onWrote: (appId: string, changes: readonly RowChange[]) => void;
  readonly #underWay: CommitsUnderWay;
  readonly #turns: Turns;

  /**
   * `onWrote` is told what each repair has changed, once it is durable; until then it is one of those `underWay`. Each takes one of
   * the `turns`.
   */
  constructor(store: Store, onWrote: (appId: string, changes: readonly RowChange[]) => void, underWay: CommitsUnderWay, turns: Turns) {
    this.#store = store;
    this.#onWrote = onWrote;
    this.#underWay = underWay;
    this.#turns = turns;
  }

  /** What was done, or undefined when nothing can be: one transaction, which decides by what it reads itself. */
  async repair({ problem, key }: Suspect): Promise<string | undefined> {
    const isIndexRow = key[0] === FAMILY.kind || key[0] === FAMILY.property || key[0] === FAMILY.composite;
    if (problem === 'index-missing') return this.#transact(key, (transaction) => writeMissing(transaction, key));
    if (isIndexRow && problem !== 'store-unreadable') return this.#transact(key, (transaction) => mendRow(transaction, key));
    return undefined;
  }

  #transact(key: Buffer, mend: (transaction: StoreTransaction) => Promise<Outcome | undefined>): Promise<string | undefined> {
    return this.#turns.take(() => this.#tryAll(key, mend));
  }

  async #tryAll(key: Buffer, mend: (transaction: StoreTransaction) => Promise<Outcome | undefined>): Promise<string | undefined> {
    for (let attempt = 1; ; attempt++) {
      const transaction = this.#store.begin();
      try {
        const outcome = await mend(transaction);
        if (!outcome) return undefined;
        const end = this.#underWay.begin();
        try {
          await transaction.commit();
          this.#onWrote(appOf(key) ?? '', outcome.changes);
        } finally {
          end();
        }
        return outcome.done;
      } catch (error) {
        const isLost = error instanceof PlatformError && error.code === 'DS_TX_CONFLICT';
        if (!isLost || attempt === ATTEMPTS_MAX) throw error;
      } finally {
        await transaction.close();
      }
    }
  }
}

async function writeMissing(transaction: StoreTransaction, entityKey: Buffer): Promise<Outcome | undefined> {
  const value = await transaction.get(entityKey);
  if (!value) return undefined;
  const indexes = new SnapshotIndexes(transaction);
  await indexes.prepare([{ key: entityKey, value }]);
  const wanted = producedBy({ key: entityKey, value }, indexes);
  const stored = await transaction.getMany(wanted.map(({ key }) => key));
  const changes: RowChange[] = [];
  for (const [at, row] of wanted.entries()) {
    const found = stored[at];
    if (found?.equals(row.value)) continue;
    transaction.put(row.key, row.value);
    changes.push(change(row.key, found, row.value));
  }
  return { done: `wrote ${changes.length} index ${changes.length === 1 ? 'row' : 'rows'} from the entity`, changes };
}

/** Deletes an index row that no entity produces; gives one that is produced its value. */
async function mendRow(transaction: StoreTransaction, key: Buffer): Promise<Outcome | undefined> {
  const found = await transaction.get(key);
  if (!found) return undefined;
  const value = await producedValue(transaction, key);
  if (value === 'unknown' || value?.equals(found)) return undefined;
  if (value) transaction.put(key, value);
  else transaction.delete(key);
  return { done: value ? 'gave the row the value that its entity gives it' : 'deleted the row', changes: [change(key, found, value)] };
}

/** Undefined when no entity produces the row; unknown when that cannot be said. */
async function producedValue(transaction: StoreTransaction, key: Buffer): Promise<Buffer | 'unknown' | undefined> {
  const indexes = new SnapshotIndexes(transaction);
  await indexes.prepare([{ key, value: NO_VALUE }]);
  let entityKey: Buffer;
  try {
    if (key[0] === FAMILY.composite) {
      const { appId, indexId } = compositeIdIn(key);
      const index = indexes.byId(appId, indexId);
      if (index === 'undecided') return 'unknown';
      if (!index) return undefined;
      ({ entityKey } = compositePlace(key, index));
    } else ({ entityKey } = builtInPlace(key));
  } catch {
    // No entity has a row of which the key cannot be read.
    return undefined;
  }
  const value = await transaction.get(entityKey);
  if (!value) return undefined;
  try {
    return producedBy({ key: entityKey, value }, indexes).find((row) => row.key.equals(key))?.value;
  } catch {
    return 'unknown';
  }
}

function change(key: Buffer, before: Buffer | undefined, after: Buffer | undefined): RowChange {
  const rows = (after ? 1 : 0) - (before ? 1 : 0);
  return { key, rows, bytes: rows * key.length + (after?.length ?? 0) - (before?.length ?? 0), valueBytes: after?.length };
}
