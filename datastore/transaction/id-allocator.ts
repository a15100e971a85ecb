// Ids for incomplete keys: scattered over [2^52, 2^52 + 2^51) by reversing the bits of a counter, as App Engine does. So
// they fit a double, and entities made one after the other lie far apart in the key space.
//
//   id bound row := S 02 app db → bound row       no counter value at or above `bound` was given out
import { decodeBound, encodeBound } from '../codec/bound-row.ts';
import { type Key } from '../../sdk/contract/key.ts';
import { entityRowKey, idBoundKey, partitionOf, pathBytes } from '../codec/row-key.ts';
import { type Store } from '../storage/port.ts';
import { completeKey } from './checked-mutation.ts';

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

interface Block {
  next: number;
  end: number;
  raising: Promise<void> | undefined;
}

/** Never gives an id twice within an app and database, over crashes too: a block is on disk before its first id is used. */
export class IdAllocator {
  readonly #store: Store;
  readonly #blocks = new Map<string, Block>();

  constructor(store: Store) {
    this.#store = store;
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
    const name = `${appId}\0${databaseId}`;
    const block = this.#blocks.get(name) ?? { next: 0, end: 0, raising: undefined };
    this.#blocks.set(name, block);
    const ids: bigint[] = [];
    while (ids.length < count) {
      while (block.next < block.end && ids.length < count) ids.push(scatteredId(block.next++));
      if (ids.length === count) break;
      block.raising ??= this.#raise(idBoundKey(appId, databaseId), block).finally(() => {
        block.raising = undefined;
      });
      await block.raising;
    }
    return ids;
  }

  async #raise(key: Buffer, block: Block): Promise<void> {
    const row = await this.#store.get(key);
    const start = row ? Number(decodeBound(row, 'an id bound')) : 1;
    const transaction = this.#store.begin();
    transaction.put(key, encodeBound(BigInt(start + BLOCK)));
    await transaction.commit();
    block.next = start;
    block.end = start + BLOCK;
  }
}
