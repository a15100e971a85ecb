// Takes everything of some apps away: entities, index rows, history, indexes and settings. What no fresh store may repeat stays:
// the bounds of ids, of versions and of indexes' ids.
//
//   reset row := S 06 app:str → checked row of nothing | 01     the app is being wiped; whoever starts the store goes on with it.
//                01: indexes and settings stay, without their rows
//
// A small store is wiped by one transaction. A larger one takes several: the first notes which apps, the last takes the notes away.
// Must not run while anything else reads or writes these apps' rows.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { decodeCheckedRow, encodeCheckedRow } from '../codec/checked-row.ts';
import { OrderedReader } from '../codec/ordered-reader.ts';
import { appPrefix, FAMILY, resetKey, RESETS } from '../codec/row-key.ts';
import { type RowCounts } from '../index/index-step.ts';
import { keyAfterPrefix, prefixRange } from '../storage/key-bytes.ts';
import { type Row, type Store, type StoreTransaction } from '../storage/port.ts';
import { FAMILIES_OF_APPS } from '../tablet/app-bytes.ts';
import { type RowChange } from '../tablet/tablet-map.ts';

/** Rows of one transaction; their keys are held in memory. */
const ROWS_MAX = 10_000;
const READ_ROWS = 500;
/** Tries of one transaction while the store has too much to do. */
const ATTEMPTS_MAX = 1_000;
const NOTE = encodeCheckedRow(Buffer.alloc(0));
const SPARING_NOTE = encodeCheckedRow(Buffer.from([0x01]));

/** What the rows of an app begin with, before its name. */
const COUNTED_HEADS: readonly Buffer[] = [
  ...FAMILIES_OF_APPS.map((family) => Buffer.from([family])),
  ...FAMILIES_OF_APPS.map((family) => Buffer.from([FAMILY.history, family])),
];
/** Rows of upkeep, which no statistics have in them. */
const OTHER_HEADS: readonly Buffer[] = [Buffer.from([FAMILY.settings]), Buffer.from([FAMILY.index])];
const HEADS = [...OTHER_HEADS, ...COUNTED_HEADS];

interface AppRow {
  readonly appId: string;
  readonly key: Buffer;
  readonly bytes: number;
  readonly isCounted: boolean;
}

export interface Wipe {
  readonly appIds: readonly string[];
  /** Whether the definitions of indexes and the settings stay. */
  readonly sparesDefinitions: boolean;
}

/** The first transaction of a wipe, in the turn of its submission. */
export type Head = (transaction: StoreTransaction) => { follow(commit: Promise<void>): Promise<void> };

export class AppEraser {
  readonly #store: Store;
  readonly #counts: RowCounts;
  readonly #rowsMax: number;

  constructor(store: Store, counts: RowCounts, { rowsMax = ROWS_MAX }: { readonly rowsMax?: number } = {}) {
    this.#store = store;
    this.#counts = counts;
    this.#rowsMax = rowsMax;
  }

  /** Those of which there is something, in the order of their names. */
  async appsWhere(isWanted: (appId: string) => boolean): Promise<readonly string[]> {
    const found = new Set<string>();
    for (const head of [...HEADS, RESETS]) {
      for (let { from, to } = prefixRange(head); ;) {
        const [row] = await this.#read(from, to, { limit: 1, keysOnly: true });
        if (!row) break;
        const appId = new OrderedReader(row.key, head.length).text();
        if (isWanted(appId)) found.add(appId);
        from = keyAfterPrefix(appPrefix(head, appId)) ?? to;
      }
    }
    return [...found].sort();
  }

  /** Throws what the store throws: after the first transaction, which has then happened, when `onHead` has been called. */
  async erase(wipe: Wipe, head: Head, onHead: () => void): Promise<void> {
    const { appIds, sparesDefinitions } = wipe;
    const note = sparesDefinitions ? SPARING_NOTE : NOTE;
    const rows = this.#rowsOf(wipe);
    try {
      for (let isFirst = true; ; isFirst = false) {
        const chunk: AppRow[] = [];
        let next = await rows.next();
        for (; next.done !== true; next = await rows.next()) {
          chunk.push(next.value);
          if (chunk.length === this.#rowsMax) break;
        }
        const isLast = next.done === true;
        await this.#commit(chunk, (transaction) => {
          if (isFirst && !isLast) for (const appId of appIds) transaction.put(resetKey(appId), note);
          if (isLast) for (const appId of appIds) transaction.delete(resetKey(appId));
          return isFirst ? head(transaction) : undefined;
        });
        if (isFirst) onHead();
        if (isLast) return;
      }
    } finally {
      await rows.return(undefined);
    }
  }

  /** What a wipe had left when the store was closed. */
  async resume(): Promise<void> {
    const noted = await this.#read(RESETS, prefixRange(RESETS).to, {});
    for (const { key, value } of noted) {
      const appIds = [new OrderedReader(key, RESETS.length).text()];
      const sparesDefinitions = decodeCheckedRow(value, 'a reset row').length > 0;
      await this.erase(
        { appIds, sparesDefinitions },
        () => ({ follow: (commit) => commit }),
        () => undefined,
      );
    }
  }

  async #commit(rows: readonly AppRow[], head: (transaction: StoreTransaction) => ReturnType<Head> | undefined): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const transaction = this.#store.begin({ reads: 'latest' });
      try {
        for (const { key } of rows) transaction.delete(key);
        const started = head(transaction);
        const commit = transaction.commit();
        await this.#counted(rows, () => started?.follow(commit) ?? commit);
        return;
      } catch (error) {
        if (!(error instanceof PlatformError) || error.code !== 'DS_OVERLOADED' || attempt === ATTEMPTS_MAX) throw error;
        await turnOver();
      } finally {
        await transaction.close();
      }
    }
  }

  async #counted(rows: readonly AppRow[], commit: () => Promise<void>): Promise<void> {
    const end = this.#counts.begin();
    try {
      await commit();
      const changes = new Map<string, RowChange[]>();
      for (const { appId, key, bytes, isCounted } of rows) {
        if (!isCounted) continue;
        const ofApp = changes.get(appId) ?? [];
        changes.set(appId, ofApp);
        ofApp.push({ key, rows: -1, bytes: -bytes, valueBytes: undefined });
      }
      for (const [appId, ofApp] of changes) this.#counts.wrote(appId, ofApp);
    } finally {
      end();
    }
  }

  async *#rowsOf({ appIds, sparesDefinitions }: Wipe): AsyncGenerator<AppRow, void, undefined> {
    for (const head of sparesDefinitions ? COUNTED_HEADS : HEADS) {
      const isCounted = COUNTED_HEADS.includes(head);
      for (const appId of appIds) {
        const { from, to } = prefixRange(appPrefix(head, appId));
        const scan = this.#store.scan({ from, to });
        try {
          for (let rows = await scan.next(READ_ROWS); rows.length > 0; rows = await scan.next(READ_ROWS)) {
            for (const { key, value } of rows) yield { appId, key, bytes: key.length + value.length, isCounted };
          }
        } finally {
          await scan.close();
        }
      }
    }
  }

  async #read(from: Buffer, to: Buffer, options: { readonly limit?: number; readonly keysOnly?: boolean }): Promise<readonly Row[]> {
    const scan = this.#store.scan({ from, to }, options);
    const all: Row[] = [];
    try {
      for (let rows = await scan.next(READ_ROWS); rows.length > 0; rows = await scan.next(READ_ROWS)) all.push(...rows);
      return all;
    } finally {
      await scan.close();
    }
  }
}

function turnOver(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
