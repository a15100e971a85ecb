// Ids for incomplete keys: scattered over [2^52, 2^52 + 2^51) by reversing the bits of a counter, as App Engine does. So
// they fit a double, and entities made one after the other lie far apart in the key space.
//
//   id bound row := S 02 app db → bound row       no counter value at or above `bound` was given out
//
// An id that an app reserves is passed over when its counter value comes: reserved-ids.ts. To move the counter behind it instead could
// use up the whole range at once, for the id of the last counter value looks like any other.
import { decodeBound, encodeBound } from '../codec/bound-row.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { entityRowKey, idBoundKey, partitionOf, pathBytes } from '../codec/row-key.ts';
import { type Store } from '../storage/port.ts';
import { completeKey } from './checked-mutation.ts';
import { ReservedIds } from './reserved-ids.ts';

const COUNTER_BITS = 51;
const ID_BASE = 2 ** 52;
/** Counter values reserved by one write; at most these are lost by a crash. */
const BLOCK = 1_000;

/** The id of a counter value below 2^51. */
export function scatteredId(counter: number): bigint {
  // 51 bits do not fit the 32 of a bit operation: reverse two parts and swap them.
  const low = counter % 2 ** 26;
  const high = Math.floor(counter / 2 ** 26);
  return BigInt(ID_BASE + reverseBits(low, 26) * 2 ** 25 + reverseBits(high, COUNTER_BITS - 26));
}

function reverseBits(value: number, bits: number): number {
  let reversed = 0;
  for (let bit = 0; bit < bits; bit++) reversed = reversed * 2 + ((value >>> bit) & 1);
  return reversed;
}

/** The counter value that has this id; undefined where none ever has. */
export function counterOf(id: bigint): number | undefined {
  const offset = Number(id) - ID_BASE;
  if (id < 0n || offset < 0 || offset >= 2 ** COUNTER_BITS) return undefined;
  const low = Math.floor(offset / 2 ** 25);
  return reverseBits(offset % 2 ** 25, 25) * 2 ** 26 + reverseBits(low, 26);
}

interface Block {
  next: number;
  end: number;
  /** Of those from `next` on: not to be given out. */
  readonly passedOver: Set<number>;
  readonly reserved: ReservedIds;
  raising: Promise<void> | undefined;
  /** What the next reading and writing of the block's rows waits for. */
  lastTurn: Promise<unknown>;
}

export interface IdAllocatorOptions {
  readonly reservedMax?: number;
}

/**
 * Never gives an id twice within an app and database, nor one that was reserved before; over crashes too: a block is on disk before
 * its first id is used.
 */
export class IdAllocator {
  readonly #store: Store;
  readonly #reservedMax: number;
  readonly #blocks = new Map<string, Block>();

  constructor(store: Store, { reservedMax = LIMITS.reservedIdsMax }: IdAllocatorOptions = {}) {
    this.#store = store;
    this.#reservedMax = reservedMax;
  }

  /**
   * `key`, incomplete and with the app as its project, with an id that no call got before. An app or an import may have chosen
   * an id that the allocator comes to later, so a new one is looked up first.
   */
  async complete(key: Key): Promise<Key> {
    for (;;) {
      const [id] = await this.allocate(key.projectId, key.databaseId, 1);
      const complete = id === undefined ? key : completeKey(key, id);
      const rowKey = entityRowKey(partitionOf(key.projectId, key.databaseId, key.namespace), pathBytes(complete.path));
      if ((await this.#store.get(rowKey)) === undefined) return complete;
    }
  }

  async allocate(appId: string, databaseId: string, count: number): Promise<readonly bigint[]> {
    const block = this.#block(appId, databaseId);
    const ids: bigint[] = [];
    while (ids.length < count) {
      while (block.next < block.end && ids.length < count) {
        const counter = block.next++;
        if (!block.passedOver.delete(counter)) ids.push(scatteredId(counter));
      }
      if (ids.length === count) break;
      block.raising ??= inTurn(block, () => this.#raise(idBoundKey(appId, databaseId), block)).finally(() => {
        block.raising = undefined;
      });
      await block.raising;
    }
    return ids;
  }

  /**
   * From now on none of these ids is given out, after a crash neither. Ids that no counter value has need nothing for that, nor do those
   * that it has passed. Throws DS_LIMIT when the app and database have too many that are still to come.
   */
  async reserve(appId: string, databaseId: string, ids: readonly bigint[]): Promise<void> {
    const counters = [...new Set(ids.map(counterOf))].filter((counter) => counter !== undefined);
    if (counters.length === 0) return;
    const block = this.#block(appId, databaseId);
    await inTurn(block, async () => {
      const bound = await this.#bound(idBoundKey(appId, databaseId));
      const isAdded = await block.reserved.add(
        counters.filter((counter) => counter >= bound),
        this.#reservedMax,
      );
      if (!isAdded) {
        throw new PlatformError(
          'DS_LIMIT',
          `a database has at most ${this.#reservedMax} reserved ids that the allocator has yet to come to`,
        );
      }
      // Those below the bound are in this block, or were given out or lost: a later block begins at the bound.
      for (const counter of counters) if (counter >= block.next && counter < block.end) block.passedOver.add(counter);
    });
  }

  #block(appId: string, databaseId: string): Block {
    const name = `${appId}\0${databaseId}`;
    const known = this.#blocks.get(name);
    if (known) return known;
    const reserved = new ReservedIds(this.#store, appId, databaseId);
    const block: Block = { next: 0, end: 0, passedOver: new Set(), reserved, raising: undefined, lastTurn: Promise.resolve() };
    this.#blocks.set(name, block);
    return block;
  }

  async #bound(key: Buffer): Promise<number> {
    const row = await this.#store.get(key);
    return row ? Number(decodeBound(row, 'an id bound')) : 1;
  }

  async #raise(key: Buffer, block: Block): Promise<void> {
    const start = await this.#bound(key);
    const end = start + BLOCK;
    const passedOver = await block.reserved.between(start, end);
    const transaction = this.#store.begin();
    transaction.put(key, encodeBound(BigInt(end)));
    block.reserved.remove(transaction, passedOver);
    await transaction.commit();
    block.next = start;
    block.end = end;
    for (const counter of passedOver) block.passedOver.add(counter);
  }
}

async function inTurn<T>(block: Block, action: () => Promise<T>): Promise<T> {
  const turn = block.lastTurn.then(action);
  block.lastTurn = turn.catch(() => undefined);
  return turn;
}
